"""What archives have in common: each entry is a record, or all the records inside it are, within limits."""

import io
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, BinaryIO, ClassVar, cast

from pydantic import Field, InstanceOf

from ..about import About
from ..codec import Codec, Record
from ..errors import BodyError
from ..units import Bytes
from ._entries import Damaged, Entry, TooMuch, Wanted, name_of
from ._packed import MAX_BYTES, inside


class Archive(Codec):
    """Several files in one."""

    about: ClassVar[About] = About(
        headers={
            "entry.name": "the name of the entry, with `/` between its folders",
            "entry.row": "with a codec inside: the number of the record in its entry, from 1",
        },
        raises={BodyError: "no archive, or one that unpacks to too much; a bad entry costs only itself"},
    )

    inner: InstanceOf[Codec] | None = Field(
        default=None,
        description="the codec of the entries; unset: each is a record of bytes, or what the suffixes say: `.csv.zip`",
    )
    include: str = Field(default="*", min_length=1, description="globs of the entries to read, comma separated")
    exclude: str = Field(default="__MACOSX/*", description="globs of the entries that are left out")
    max_entries: int = Field(default=10_000, gt=0, description="an archive of more entries is refused")
    max_entry: Bytes = Field(default=64 << 20, gt=0, description="without a codec inside: a larger entry is refused")
    max_bytes: Bytes = Field(default=MAX_BYTES, gt=0, description="an archive that unpacks to more is refused")

    @property
    def ahead(self) -> int:
        """One entry, or as many records as the codec inside allows."""
        return 1 if self.inner is None else self.inner.ahead

    @abstractmethod
    def entries(self, stream: BinaryIO, came: Callable[[int], None]) -> Generator[Entry]:
        """The files in an archive, in order; `came` is told of the bytes that are read of them.

        Raises BodyError for what is no archive.
        """

    @abstractmethod
    def archive(self, contents: Iterable[tuple[str, bytes]]) -> bytes:
        """An archive of files by name: of the same files always the same bytes."""

    def decode(self, data: bytes) -> dict[str, Any]:
        """All entries by name, decoded by the codec inside; raises BodyError for the first that cannot be read."""
        found: dict[str, Any] = {}
        with closing(self._wanted(io.BytesIO(data))) as entries:
            for entry in entries:
                if entry.name in found:
                    raise BodyError(f"there are two entries '{entry.name}'", hint="read it as records")
                try:
                    content = self._whole(entry)
                    found[entry.name] = content if self.inner is None else self.inner.decode(content)
                except TooMuch:
                    raise
                except BodyError as error:
                    raise BodyError(f"entry '{entry.name}': {error.message}", hint=error.hint) from None
        return found

    def encode(self, body: Any) -> bytes:
        """An archive of contents by name, or of pairs of name and content, each encoded by the codec inside."""
        return self.archive(self._contents(body))

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """Each entry as bytes, or the records inside each; its name is in the header `entry.name`.

        An entry that cannot be read is a record with `error`, and those after it follow. Raises BodyError for what is
        no archive, and for one that is larger than it may be.
        """
        number = 0
        with closing(self._wanted(stream)) as entries:
            for entry in entries:
                for record in self._records_of(entry):
                    number += 1
                    yield _renumbered(number, record, entry.name, many=self.inner is not None)

    def _contents(self, body: Any) -> Iterator[tuple[str, bytes]]:
        seen: set[str] = set()
        for given, content in _pairs(body):
            name = _named(given)
            if name in seen:
                raise BodyError(f"there are two entries '{name}'", hint="give each a name of its own")
            seen.add(name)
            yield name, inside(self.inner, content)

    def _records_of(self, entry: Entry) -> Iterator[Record]:
        try:
            if self.inner is None or entry.problem:
                yield Record(0, self._whole(entry))
            else:
                yield from self.inner.records(entry.open())
        except TooMuch:
            raise
        except BodyError as error:
            yield Record(error.row or 0, entry.name, error.reason, error.column)

    def _wanted(self, stream: BinaryIO) -> Generator[Entry]:
        wanted, total = Wanted(self.include, self.exclude), 0

        def came(size: int) -> None:
            nonlocal total
            total += size
            if total > self.max_bytes:
                found = f"the archive unpacks to more than max_bytes={self.max_bytes:,}"
                raise TooMuch(found, hint="raise it if this is no bomb")

        with closing(self.entries(stream, came)) as entries:
            for count, entry in enumerate(entries, 1):
                if count > self.max_entries:
                    raise TooMuch(f"the archive has more than max_entries={self.max_entries:,}", hint="raise it")
                if wanted(entry.name):
                    yield entry

    def _whole(self, entry: Entry) -> bytes:
        if entry.problem:
            raise Damaged(entry.problem)
        content = entry.open().read(self.max_entry + 1)
        if len(content) > self.max_entry:
            hint = "give a codec for the entries, which are then read bit by bit, or raise it"
            raise Damaged(f"it has more than max_entry={self.max_entry:,} bytes", hint=hint)
        return content


def _renumbered(number: int, record: Record, entry: str, *, many: bool) -> Record:
    headers = {**(record.headers or {}), "entry.name": entry}
    place = f"entry '{entry}'"
    if many and record.number:
        headers["entry.row"] = record.number
        place += f", row {record.number}"
    error = None if record.error is None else f"{place}: {record.error}"
    return Record(number, record.body, error, record.column, headers)


def _pairs(body: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(body, Mapping):
        return cast("Mapping[Any, Any]", body).items()
    if isinstance(body, Iterable) and not isinstance(body, str | bytes | bytearray):
        return (_pair(each) for each in cast("Iterable[Any]", body))
    raise _no_archive(body)


def _pair(each: Any) -> tuple[Any, Any]:
    try:
        name, content = each
    except (TypeError, ValueError):
        raise _no_archive(each) from None
    return name, content


def _no_archive(body: object) -> BodyError:
    return BodyError(
        f"a {type(body).__name__} is no archive", hint="give a dict of contents by name, or pairs of name and content"
    )


def _named(given: Any) -> str:
    """The name of an entry to write; raises BodyError for one that readers would refuse."""
    if not isinstance(given, str):
        raise BodyError(f"the name of an entry is a text, found {given!r}")
    name, problem = name_of(given)
    if problem:
        raise BodyError(f"{given!r} cannot be the name of an entry: {problem}", hint="give a relative path")
    return name
