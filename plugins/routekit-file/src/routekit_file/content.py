"""Content: what of a body is written to a file."""

from pathlib import Path, PurePosixPath
from typing import Any

from routekit import BodyError, Codec, Runtime, UnknownName

_MOST = 100
"""The suffixes that are remembered: names may be computed, and have numbers and dates in them."""


class Contents:
    """Finds the codec for a body: the one of the sink, else that of the file's suffix where one is needed."""

    def __init__(self, runtime: Runtime, codec: Codec | None) -> None:
        self._runtime = runtime
        self._codec = codec
        self._by_suffix: dict[str, Codec] = {}

    def codec_for(self, body: Any, name: str) -> Codec | None:
        """The codec to write `body` with, or None for one that is written as it is; raises BodyError."""
        written = isinstance(body, bytes | bytearray | memoryview | Path)
        if written and (self._codec is None or not self._codec.of_bytes):
            return None
        if self._codec is not None or isinstance(body, str):
            return self._codec
        suffix = "".join(PurePosixPath(name).suffixes)
        if suffix not in self._by_suffix:
            if len(self._by_suffix) >= _MOST:
                self._by_suffix.clear()
            self._by_suffix[suffix] = self._of_suffix(suffix, body, name)
        return self._by_suffix[suffix]

    def _of_suffix(self, suffix: str, body: Any, name: str) -> Codec:
        try:
            if suffix:
                return self._runtime.codec(suffix)
            reason = "the name has no suffix"
        except UnknownName as error:
            reason = error.message
        raise BodyError(
            f"a {type(body).__name__} cannot be written to {name!r}: {reason}",
            hint='say how it is written, codec="json", or transform it to bytes or text',
        )


def content_of(body: Any, codec: Codec | None) -> bytes | Path:
    """The bytes of a body as one document, or the path of the file that is copied; raises BodyError."""
    if codec is None:
        return plain(body)
    return codec.encode(_read(body) if isinstance(body, Path) else body)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> BodyError:
    """The error for a body that is the path of a file which is not there."""
    reason = f"the body is the path {path}, which cannot be read: {error.strerror}"
    return BodyError(reason, hint="a file must stay where it is until the message is done")


def plain(body: Any) -> bytes | Path:
    """The bytes of a body that needs no codec; text is UTF-8."""
    if isinstance(body, Path):
        return body
    if not isinstance(body, str):
        return bytes(body)
    try:
        return body.encode()
    except UnicodeEncodeError as error:
        raise BodyError(
            f"the text cannot be written as UTF-8: {error.reason}", hint="clean it, or give a codec"
        ) from error
