"""tar: several files in one, one after the other."""

import io
import tarfile
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from tarfile import HeaderError
from typing import BinaryIO, ClassVar, cast

from ..codec import Codec
from ..errors import BodyError
from ..hookspecs import hookimpl
from ._archive import Archive
from ._entries import Contents, Entry, name_of

_NAMES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_LONGEST = 1 << 20
"""Bytes of what is said about an entry before its content."""

_DAMAGE = (tarfile.TarError, EOFError, ValueError, OverflowError)


class Tar(Archive):
    """Reads and writes tar archives, `.tar.gz` too: each entry is a record, or all records inside it are."""

    name: ClassVar[str] = "tar"
    suffixes: ClassVar[tuple[str, ...]] = (".tar",)

    def entries(self, stream: BinaryIO, came: Callable[[int], None]) -> Generator[Entry]:
        """The files in their order; each has to be read before the next one is asked for."""
        with _opened(stream) as archive:
            while (info := _next(archive)) is not None:
                if not info.isdir():
                    name, problem = name_of(info.name)
                    yield Entry(name, problem or _problem(info), partial(_content, archive, info, came))
                vars(archive)["members"].clear()  # else the library keeps them all

    def archive(self, contents: Iterable[tuple[str, bytes]]) -> bytes:
        """Without times, owners and rights: the same files give the same bytes."""
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, content in contents:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return file.getvalue()


class _Info(tarfile.TarInfo):
    """An end that is no end is an error: the library would take what follows a broken header for nothing.

    So is a long name or a list of attributes that has no end: the library would read it into memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Info":
        info = super().frombuf(buf, encoding, errors)
        if info.type in _NAMES and info.size > _LONGEST:
            raise _broken(f"a name or list of attributes has {info.size:,} bytes")
        return info

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> "_Info":
        try:
            return super().fromtarfile(tarfile)
        except HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # a class that the stubs do not have
                raise
            raise _broken(error) from None


def _opened(stream: BinaryIO) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Info)
    except _DAMAGE as error:
        raise _broken(error) from None


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except _DAMAGE as error:
        raise _broken(error) from None


def _broken(error: Exception | str) -> BodyError:
    return BodyError(f"this is no tar file, or only a piece of one: {error}", hint="was it copied whole?")


def _problem(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "it is a link"
    return "" if info.isfile() else "it is no file, but a device or a pipe"


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo, came: Callable[[int], None]) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(Contents(archive.extractfile(info), came, _DAMAGE), 1 << 17))


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Tar]
