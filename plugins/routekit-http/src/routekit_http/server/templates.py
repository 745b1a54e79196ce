"""Templates of paths, and which of them a path fits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_SEGMENT = re.compile(r"\{(\w+)(\*?)\}|[^{}]*")


@dataclass(frozen=True, slots=True)
class Template:
    """The segments of a path: text, or the name of what stands there; `{name*}` at the end takes all that is left."""

    text: str
    segments: tuple[tuple[str, bool], ...]
    """Text or name, and whether it is a name."""
    rest: str = ""

    @property
    def shape(self) -> str:
        """The template without its names: those of one shape take the same paths."""
        return "/".join("{}" if named else text for text, named in self.segments) + ("/{*}" if self.rest else "")

    @property
    def fixed(self) -> bool:
        """Whether it takes exactly one path."""
        return not self.rest and not any(named for _, named in self.segments)

    @property
    def rank(self) -> tuple[object, ...]:
        """Templates with text further to the left come first."""
        return (bool(self.rest), tuple(named for _, named in self.segments), -len(self.segments))

    def match(self, segments: tuple[str, ...]) -> Mapping[str, str] | None:
        """What stands at the names, or None if the path is another one."""
        count = len(self.segments)
        if len(segments) < count + bool(self.rest) or (len(segments) > count and not self.rest):
            return None
        found: dict[str, str] = {}
        for (text, named), segment in zip(self.segments, segments, strict=False):
            if named and segment:
                found[text] = segment
            elif named or text != segment:
                return None
        if self.rest:
            found[self.rest] = "/".join(segments[count:])
        return found


def template_of(text: str) -> Template:
    """A template from text; raises ValueError.

    >>> template_of("/leads/{id}/files/{name*}").match(("leads", "7", "files", "a", "b"))
    {'id': '7', 'name': 'a/b'}
    """
    parts = text.removeprefix("/").split("/")
    segments: list[tuple[str, bool]] = []
    rest = ""
    for number, part in enumerate(parts):
        found = _SEGMENT.fullmatch(part)
        if found is None:
            raise ValueError(f"'{part}' is no part of a path: a name in braces is a whole part, {{id}}")
        if found[2] and number < len(parts) - 1:
            raise ValueError(f"'{part}' takes all that is left, so it must be the last part")
        if found[2]:
            rest = found[1]
        else:
            segments.append((found[1] or part, found[1] is not None))
    names = [name for name, named in segments if named] + [rest] * bool(rest)
    if len(set(names)) < len(names):
        raise ValueError(f"'{text}' has a name twice")
    return Template(text, tuple(segments), rest)


def segments_of(raw_path: bytes) -> tuple[str, ...]:
    """The decoded segments of a path as it came: an encoded `/` does not end a segment.

    >>> segments_of(b"/leads/a%2Fb")
    ('leads', 'a/b')
    """
    path = raw_path.partition(b"?")[0].decode("latin-1").removeprefix("/")
    return tuple(unquote(segment) if "%" in segment else segment for segment in path.split("/"))
