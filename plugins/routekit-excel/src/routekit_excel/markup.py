"""Markup: the XML parts of a workbook as a stream of events, without trees, entities or the network."""

from collections.abc import Iterator
from typing import Any, BinaryIO
from xml.parsers import expat

from routekit import BodyError

_BLOCK = 1 << 16
_LONGEST = 1 << 20
"""Bytes that a name, attribute or comment may have."""


class Part:
    """One part that is read: what a subclass gathers in `start`, `text` and `end` is given after each block."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; names have no prefix."""

    def text(self, data: str) -> None:
        """Text, or a piece of it."""

    def end(self, name: str) -> None:
        """An element ends."""

    def blocks(self, stream: BinaryIO, title: str) -> Iterator[None]:
        """Read the stream block by block; raises BodyError where it is broken, which names the part."""
        parser = self._parser()
        fed, more = 0, True
        while more:
            data = stream.read(_BLOCK)
            fed += len(data)
            more = bool(data)
            broken = _fed(parser, data, fed)
            yield
            if broken:
                raise BodyError(f"{title} cannot be read: {broken}", hint="save it anew with Excel or LibreOffice")

    def read(self, stream: BinaryIO, title: str) -> None:
        """Read all of it."""
        for _ in self.blocks(stream, title):
            pass

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.buffer_text = True

        def start(name: str, attributes: dict[str, str]) -> None:
            self.start(name[name.find(":") + 1 :], attributes)

        def end(name: str) -> None:
            self.end(name[name.find(":") + 1 :])

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = self.text
        parser.EntityDeclHandler = parser.SkippedEntityHandler = _refuse
        return parser


def attribute(attributes: dict[str, str], name: str) -> str:
    """An attribute by its name without prefix; empty if it is not there."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), "")


def _fed(parser: expat.XMLParserType, data: bytes, fed: int) -> str:
    try:
        parser.Parse(data, not data)
    except expat.ExpatError as error:
        return f"{expat.ErrorString(error.code)} at line {error.lineno} column {error.offset + 1}"
    except (LookupError, ValueError, BodyError) as error:  # of an encoding, of a number, and ours
        return str(error)
    return "it has a part without end" if fed - parser.CurrentByteIndex > _LONGEST else ""


def _refuse(name: str, *_: Any) -> None:
    raise BodyError(f"it has the entity '{name}'")
