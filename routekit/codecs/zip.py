"""zip: several files in one, each compressed."""

import io
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, ClassVar, cast

from pydantic import Field

from ..codec import Codec
from ..errors import BodyError
from ..hookspecs import hookimpl
from ._archive import Archive
from ._entries import Contents, Entry, TooMuch, name_of
from ._packed import MAX_RATIO
from ._unpacking import Limits

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LONGEST = 1 << 10
"""Bytes that an entry has in the table of an archive at the most, on average."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error)
_READ = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}


class Zip(Archive):
    """Reads and writes zip archives: each entry is a record, or all records inside it are."""

    name: ClassVar[str] = "zip"
    suffixes: ClassVar[tuple[str, ...]] = (".zip",)

    max_ratio: int = Field(
        default=MAX_RATIO, gt=0, description="an archive that unpacks to more than so many times its size is refused"
    )
    level: int = Field(default=6, ge=0, le=9, description="how hard to compress: 1 is fast, 9 small")

    def entries(self, stream: BinaryIO, came: Callable[[int], None]) -> Generator[Entry]:
        """The files in the order of the archive's table."""
        with _seekable(stream) as seekable:
            size = seekable.seek(0, io.SEEK_END)
            self._check_table(seekable, size)
            limits, total = Limits(self.max_bytes, self.max_ratio), 0

            def counted(count: int) -> None:
                nonlocal total
                total += count
                came(count)
                try:
                    limits.check(total, size)
                except BodyError as error:
                    raise TooMuch(error.message, hint=error.hint) from None

            with _opened(seekable) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        name, problem = name_of(info.filename)
                        yield Entry(name, problem or _problem(info), partial(_content, archive, info, counted))

    def archive(self, contents: Iterable[tuple[str, bytes]]) -> bytes:
        """Without times and rights: the same files give the same bytes."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=self.level) as archive:
            for name, content in contents:
                info = zipfile.ZipInfo(name, _EARLIEST)
                info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
                archive.writestr(info, content, compresslevel=self.level)
        return file.getvalue()

    def _check_table(self, stream: BinaryIO, size: int) -> None:
        """The table is read into memory: refuse one that is far too long before that."""
        stream.seek(max(0, size - (1 << 16) - 22))
        tail = stream.read()
        at = tail.rfind(b"PK\x05\x06")
        length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
        if length == 0xFFFFFFFF:
            at = tail.rfind(b"PK\x06\x06", 0, at)
            length = int.from_bytes(tail[at + 40 : at + 48], "little") if at >= 0 else 0
        if length > self.max_entries * _LONGEST:
            found = f"the table of the archive has {length:,} bytes, too many for max_entries={self.max_entries:,}"
            raise TooMuch(found, hint="raise it")


@contextmanager
def _seekable(stream: BinaryIO) -> Generator[BinaryIO]:
    """The stream, or a copy of it on disk: the table of an archive is at its end."""
    if stream.seekable():
        yield stream
        return
    with SpooledTemporaryFile[bytes](max_size=1 << 20) as copy:
        shutil.copyfileobj(stream, copy)
        yield cast("BinaryIO", copy)


def _opened(stream: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except (*_DAMAGE, OSError) as error:  # an offset of the table that leads before the start of the file
        raise BodyError(f"this is no zip file: {error}", hint="was it copied whole?") from None


def _problem(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "it is encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a symbolic link"
    if info.compress_type not in _READ:
        return f"it is compressed by method {info.compress_type}; only stored and deflated entries are read"
    return ""


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, came: Callable[[int], None]) -> BinaryIO:
    try:
        stream = archive.open(info)
    except (*_DAMAGE, OSError) as error:
        raise BodyError(f"it is damaged: {error}") from None
    return cast("BinaryIO", io.BufferedReader(Contents(stream, came, _DAMAGE), 1 << 17))


@hookimpl
def register_codecs() -> Sequence[type[Codec]]:
    return [Zip]
