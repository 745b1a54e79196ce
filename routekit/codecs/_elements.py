"""Elements of an XML document as records, one after the other: memory holds those of one block of the stream.

By expat, which goes nowhere. A document that declares entities is refused: they can name files, and grow.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from xml.parsers import expat

from ..codec import Record
from ..errors import BodyError

TEXT = "#text"
"""The field for the text of an element that has attributes or elements as well."""

DEEPEST = 100

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Shape:
    """How an element becomes plain data.

    `attributes` is what stands before their names; `lists` are elements that are lists even if there is one of them;
    `limit` is the most characters of a record.
    """

    attributes: str
    lists: frozenset[str]
    limit: int


Match = Callable[[list[str]], bool]
"""Whether the innermost of the open elements, outermost first, is a record."""


def matching(path: str) -> Match:
    """The elements at a path: from the root if it begins with `/`, else wherever it ends so; empty: the root's own.

    >>> at = matching("orders/order")
    >>> at(["feed", "orders", "order"]), at(["order"]), matching("")(["any", "one"])
    (True, False, True)
    """
    parts = [part for part in path.split("/") if part]
    if path.startswith("/"):
        return lambda names: names == parts
    if not parts:
        return lambda names: len(names) == 2
    return lambda names: names[-len(parts) :] == parts


def is_root(names: list[str]) -> bool:
    """The match of the outermost element."""
    return len(names) == 1


@dataclass(slots=True)
class _Node:
    """An element that is open; `own` are its attributes, where they could be taken for elements."""

    name: str
    fields: dict[str, Any]
    own: set[str]
    text: list[str] = field(default_factory=list[str])
    mixed: bool = False

    def value(self) -> Any:
        text = "".join(self.text)
        if not self.fields:
            return text
        if text.strip():
            self.fields[TEXT] = text.strip() if self.mixed else text
        return self.fields


class Elements:
    """Reads the records of one stream."""

    def __init__(self, match: Match, shape: Shape) -> None:
        self._match = match
        self._shape = shape
        self._outside: list[str] = []
        self._nodes: list[_Node] = []
        self._deeper = 0  # open elements of a record that is not read any more
        self._size = 0
        self._problem = ""
        self._number = 0
        self._done: list[Record] = []
        self._parser = _parser(self)

    def read(self, stream: BinaryIO) -> Iterator[Record]:
        """The records; raises BodyError, with the row, where the document is broken."""
        fed, more = 0, True
        while more:
            data = stream.read(_BLOCK)
            fed += len(data)
            more = bool(data)
            broken = self._feed(data, fed)
            yield from self._done
            self._done.clear()
            if broken is not None:
                raise BodyError(broken.reason, row=self._number + 1, hint=broken.hint)

    def _feed(self, data: bytes, fed: int) -> BodyError | None:
        parser = self._parser
        try:
            parser.Parse(data, not data)
        except BodyError as refused:
            return refused
        except expat.ExpatError as error:
            place = f"at line {error.lineno} column {error.offset + 1}"
            return BodyError(f"this is not XML: {expat.ErrorString(error.code)} {place}")
        except (LookupError, ValueError) as error:  # an encoding that nobody knows
            return BodyError(f"this is not XML that can be read: {error}")
        if fed - parser.CurrentByteIndex > self._shape.limit:  # expat waits for the end of something
            line = parser.CurrentLineNumber
            return BodyError(f"what begins at line {line} does not end within {self._shape.limit} bytes")
        return None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        name = _local(name)
        if not self._nodes:
            self._outside.append(name)
            self._check_depth(len(self._outside), DEEPEST)
            if not self._match(self._outside):
                return
            self._size, self._problem = 0, ""
        elif self._problem or len(self._nodes) >= DEEPEST:
            self._problem = self._problem or f"its elements are nested more than {DEEPEST} deep"
            self._deeper += 1
            self._check_depth(self._deeper, 100 * DEEPEST)
            return
        before = self._shape.attributes
        fields: dict[str, Any] = {f"{before}{_local(key)}": value for key, value in attributes.items()}
        self._nodes.append(_Node(name, fields, set() if before else set(fields)))
        self._grown(len(name) + sum(len(key) + len(value) for key, value in fields.items()))

    def text(self, data: str) -> None:
        """Text, or a piece of it."""
        if self._nodes and not self._problem:
            self._nodes[-1].text.append(data)
            self._grown(len(data))

    def end(self, _: str) -> None:
        """An element ends."""
        if self._deeper:
            self._deeper -= 1
            return
        if not self._nodes:
            self._outside.pop()
            return
        node = self._nodes.pop()
        if self._nodes:
            if not self._problem:
                self._put(self._nodes[-1], node)
            return
        self._outside.pop()
        self._number += 1
        if self._problem:
            self._done.append(Record(self._number, f"<{node.name}>", self._problem))
        else:
            self._done.append(Record(self._number, node.value()))

    def entity(self, name: str, *_: object) -> None:
        """An entity is declared, or used and not known."""
        reason = f"the XML document has the entity '{name}'"
        raise BodyError(reason, hint="they are refused, since they can name files and grow")

    def _check_depth(self, depth: int, most: int) -> None:
        if depth > most:
            raise BodyError(f"elements are nested more than {most} deep")

    def _put(self, parent: _Node, node: _Node) -> None:
        name, value = node.name, node.value()
        parent.mixed = True
        if name in parent.own:
            self._problem = f"'{name}' is both an attribute and an element; write attributes=@"
        elif name not in parent.fields:
            parent.fields[name] = [value] if name in self._shape.lists else value
        elif isinstance(parent.fields[name], list):
            cast("list[Any]", parent.fields[name]).append(value)
        else:
            parent.fields[name] = [parent.fields[name], value]

    def _grown(self, size: int) -> None:
        self._size += size
        if self._size > self._shape.limit:
            self._problem = f"it is longer than {self._shape.limit} characters; raise max_record"
            for node in self._nodes:
                node.fields.clear()
                node.text.clear()


def _parser(elements: Elements) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = elements.start
    parser.EndElementHandler = elements.end
    parser.CharacterDataHandler = elements.text
    parser.EntityDeclHandler = elements.entity
    parser.SkippedEntityHandler = elements.entity
    return parser


def _local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition(" ")[2]
