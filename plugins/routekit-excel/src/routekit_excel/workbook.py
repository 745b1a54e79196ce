"""Workbook: the parts of an .xlsx file, which is a zip archive, and where the sheets are in it."""

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from routekit import BodyError, did_you_mean

from .formats import Format, Formats
from .markup import Part, attribute
from .texts import Texts

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error, RuntimeError)
_FREE = 1 << 20
_MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that the workbook may unpack to, also as a multiple of its size, and bytes of its different texts."""

    most: int
    ratio: int
    texts: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet, and what its cells refer to."""

    workbook: "Workbook"
    name: str
    part: str
    texts: list[str]
    formats: list[Format]
    since_1904: bool


class Workbook:
    """A workbook that is open."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._limits = limits
        size = stream.seek(0, io.SEEK_END)
        _check_table(stream, size)
        try:
            self._archive = zipfile.ZipFile(stream)
        except (*_DAMAGE, OSError) as error:
            raise BodyError(
                f"this is no Excel workbook: {error}", hint="old .xls files must be saved as .xlsx"
            ) from None
        self._check(size)

    def close(self) -> None:
        """Let go of it; the stream stays open."""
        self._archive.close()

    def sheet(self, asked: str) -> Sheet:
        """A sheet by its name, or its number from 1; raises BodyError with those that there are."""
        main = self._main()
        book = _Book()
        self._read(book, main)
        targets = self._targets(main)
        name, link = _found(book.sheets, asked)
        texts, formats = Texts(self._limits.texts), Formats()
        for kind, part in ((texts, _of_kind(targets, "sharedStrings")), (formats, _of_kind(targets, "styles"))):
            if part in self._archive.NameToInfo:
                self._read(kind, part)
        if link not in targets:
            raise BodyError(f"sheet '{name}' is not in the workbook", hint="is it a chart?")
        return Sheet(self, name, targets[link][1], texts.found, formats.found, book.since_1904)

    @contextmanager
    def open(self, part: str) -> Generator[BinaryIO]:
        """A part as a stream; raises BodyError for one that is not there or damaged."""
        try:
            with self._archive.open(part) as stream:
                yield cast("BinaryIO", stream)
        except KeyError:
            raise BodyError(f"this is no Excel workbook: it has no {part}", hint="was it copied whole?") from None
        except _DAMAGE as error:
            raise BodyError(f"the workbook is damaged: {error}", hint="was it copied whole?") from None

    def _read(self, reader: Part, part: str) -> None:
        with self.open(part) as stream:
            reader.read(stream, part)

    def _check(self, size: int) -> None:
        """What the parts say of their size is a promise: no more is ever unpacked of one."""
        parts = self._archive.infolist()
        total = sum(part.file_size for part in parts)
        if len(parts) > _MOST_PARTS:
            raise BodyError(f"the workbook has {len(parts):,} parts: {_MOST_PARTS:,} are the most")
        if total > self._limits.most:
            found = f"the workbook unpacks to {total:,} bytes, more than max_bytes={self._limits.most:,}"
            raise BodyError(found, hint="raise it if this is no bomb")
        if total > size * self._limits.ratio + _FREE:
            found = f"the workbook unpacks to more than max_ratio={self._limits.ratio} times its size"
            raise BodyError(found, hint="raise it if this is no bomb")
        if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
            raise BodyError("the workbook is compressed in a way that Excel does not know")

    def _main(self) -> str:
        for kind, target in self._targets("").values():
            if kind == "officeDocument":
                return target
        raise BodyError("this is no Excel workbook: it has no main part", hint="is it another kind of zip file?")

    def _targets(self, part: str) -> dict[str, tuple[str, str]]:
        """What a part refers to: kind and name, by the id of the reference."""
        folder, name = posixpath.split(part)
        links = _Links()
        self._read(links, posixpath.join(folder, "_rels", f"{name}.rels"))
        return {
            key: (kind, posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/"))
            for key, kind, target in links.found
        }


def _check_table(stream: BinaryIO, size: int) -> None:
    """The table of the parts is read into memory: refuse one that is far too long before that."""
    stream.seek(max(0, size - (1 << 16) - 22))
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at >= 0 and int.from_bytes(tail[at + 12 : at + 16], "little") > _MOST_PARTS << 10:
        raise BodyError("the workbook has a table of too many parts")


class _Links(Part):
    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found.append((attributes.get("Id", ""), kind, attributes.get("Target", "")))


class _Book(Part):
    def __init__(self) -> None:
        self.sheets: dict[str, str] = {}
        self.since_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            self.sheets[attributes.get("name", "")] = attribute(attributes, "id")
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904") in ("1", "true")


def _of_kind(targets: dict[str, tuple[str, str]], kind: str) -> str:
    return next((part for found, part in targets.values() if found == kind), "")


def _found(sheets: dict[str, str], asked: str) -> tuple[str, str]:
    if asked in sheets:
        return asked, sheets[asked]
    numbered = list(sheets.items())
    number = int(asked or 1) if not asked or asked.isdecimal() else 0
    if 1 <= number <= len(numbered):
        return numbered[number - 1]
    raise BodyError(f"the workbook has no sheet '{asked}'", hint=did_you_mean(asked, sheets))
