"""The contract of codecs: bytes to bodies and back."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

from pydantic import BaseModel, ConfigDict

from .about import About
from .errors import BodyError


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a stream: its number (1 is the first) and its body as plain data.

    `error` says why a record could not be read (a ragged row, broken JSON); its `body` is then what was
    found, as text, and the records after it still follow. `column` names the place, where there is one. `headers`
    say what is known of it beside its body, such as the name of an archive's entry.
    """

    number: int
    body: Any
    error: str | None = None
    column: str | None = None
    headers: Mapping[str, Any] | None = None


class Codec(BaseModel):
    """One format: a frozen pydantic model whose fields are its options.

    An option `inner: InstanceOf[Codec] | None = None` is another codec, that of what is compressed or packed: it may
    be given as everywhere, by a name, and follows from the suffixes `.csv.gz`.

    A codec is plain, blocking code over bytes; the engine runs long work in a thread. It raises
    `BodyError` for a document that it cannot read and for a body that it cannot write.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    """How the codec is asked for: `codec=csv`."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """The file suffixes that mean this codec, with the dot; the first is the one to write."""

    about: ClassVar[About] = About()
    """What its reference says beside its fields, such as the headers of its records."""

    of_bytes: ClassVar[bool] = False
    """Whether it writes bytes as a body of their own: to other codecs, bytes are a document that is written already."""

    @property
    def suffix(self) -> str:
        """What the names of files of this format end in; empty if there is no custom."""
        return self.suffixes[0] if self.suffixes else ""

    @property
    def ahead(self) -> int:
        """How many records may be read ahead of the route: few where each may be large."""
        return 1000

    @abstractmethod
    def decode(self, data: bytes) -> Any:
        """One whole document as plain data."""

    @abstractmethod
    def encode(self, body: Any) -> bytes:
        """A body as one whole document."""

    @abstractmethod
    def records(self, stream: BinaryIO) -> Iterator[Record]:
        """The records of a stream, read lazily: memory does not grow with the stream."""

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        """Bodies as records to be appended; `first` is true at the start of a file, where a header belongs.

        Raises BodyError unless the format has it.
        """
        raise BodyError(f"nothing can be appended to {self.name} files", hint="write whole files, or lines: csv, jsonl")
