"""Content: the bytes of a body, and what they are."""

from typing import Any

from routekit import BodyError, Codec, Runtime

_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv", "text": "text/plain"}


class Contents:
    """Writes bodies: by the codec of the endpoint; without one, bytes and text as they are, and others as JSON."""

    def __init__(self, runtime: Runtime, codec: Any) -> None:
        self._codec: Codec | None = None if codec is None else runtime.codec(codec)
        self._json = runtime.codec("json")

    def written(self, body: Any) -> tuple[bytes, str | None]:
        """The bytes, and their content type; None for those that are sent as they came. Raises BodyError."""
        if isinstance(body, bytes | bytearray):
            return bytes(body), None
        if self._codec is None and isinstance(body, str):
            return _utf8(body), "text/plain"
        codec = self._codec or self._json
        return codec.encode(body), _TYPES.get(codec.name, "application/octet-stream")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BodyError(
            f"the text cannot be written as UTF-8: {error.reason}", hint="clean it, or give a codec"
        ) from error
