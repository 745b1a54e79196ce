"""What a new route module and a new project are made of: names and endpoints, checked before anything is written."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..endpoint import address_of
from ..errors import BadOption
from ..plugins import Catalog
from ..step import Target

LONGEST: Final = 24
"""Letters of the longest name: it is part of module and class names."""

WIDTH: Final = 120
"""Letters of a line at most, as the project's own settings of ruff say."""

SOURCES: Final[Mapping[str, str]] = {
    "timer": "timer:{name}?every=1m",
    "cron": "cron:0 3 * * *",
    "file": "file:in/{name}?after=move&codec=json",
    "http": "http:127.0.0.1:8080/{name}",
}
"""The source of a new route, for schemes of which a name alone says too little."""

SINKS: Final[Mapping[str, str]] = {
    "log": "log:{name}",
    "mock": "mock:{name}",
    "file": "file:out/{name}?codec=json",
    "http": "http://127.0.0.1:8081/{name}",
    "sql": "sql:{name}/{module}?mode=upsert&key=id",
}
"""The same of its sink."""

_OPTIONS: Final[Mapping[str, str]] = {
    "file": ', name=lambda {item}: f"{{{item}.id}}.json"',
    "rabbitmq": ', codec="json"',
}
_CALLED: Final = ("direct", "queue", "control")
"""Schemes whose sinks another route has to read from, so that a new one cannot just be named."""

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_UNREAD = re.compile(r"(test|tests|conftest)$|test_")


@dataclass(frozen=True)
class Beginning:
    """A route module of a name, from one endpoint to another; raises DefinitionError for what cannot be made.

    `source` and `sink` are schemes, or whole URIs.
    """

    name: str
    source: str
    sink: str
    catalog: Catalog

    def __post_init__(self) -> None:
        check_name(self.name, "a route")
        if self.sink in _CALLED:
            hint = f"write the whole URI of one that a route reads from: --to {self.sink}:NAME"
            raise BadOption(f"a route has to read what goes to '{self.sink}:'", hint=hint)
        source, sink = self.catalog.source(Target(self.source_uri)), self.catalog.sink(Target(self.sink_uri))
        if address_of(source) == address_of(sink.producer):
            raise BadOption(
                f"the route would read what it sends to '{address_of(source)}'", hint="give it another sink"
            )

    @property
    def module(self) -> str:
        """The name of the module."""
        return self.name.replace("-", "_")

    @property
    def source_uri(self) -> str:
        """What the route reads from."""
        return self._uri(self.source, SOURCES, "{scheme}:{name}")

    @property
    def sink_uri(self) -> str:
        """What the route sends to."""
        return self._uri(self.sink, SINKS, "{scheme}:{name}-done")

    @property
    def traits(self) -> frozenset[str]:
        """What the sections of the templates ask for: what the source gives."""
        scheme = self.source_uri.partition(":")[0]
        return frozenset({{"timer": "tick", "cron": "moment"}.get(scheme, "body")})

    @property
    def line(self) -> str:
        """The line of the README about it."""
        return f"- `{self.module}.incoming` (`routes/{self.module}.py`): from `{self.source_uri}` to `{self.sink_uri}`."

    def words(self) -> dict[str, str]:
        """What stands for the words of the templates."""
        item = _one(self.module)
        address = address_of(self.catalog.sink(Target(self.sink_uri)).producer)
        return {
            "module": self.module,
            "title": self.module.replace("_", " ").capitalize(),
            "Item": "".join(word.capitalize() for word in item.split("_")),
            "item": item,
            "flow": self._flow(item),
            "address": address,
            "line": self.line,
        }

    def _uri(self, given: str, known: Mapping[str, str], other: str) -> str:
        if ":" in given:
            return given
        return known.get(given, other).format(scheme=given, name=self.name, module=self.module)

    def _flow(self, item: str) -> str:
        """The route itself, laid out as ruff does it."""
        kind = {"tick": ", int", "moment": ", datetime"}
        trait = next(iter(self.traits))
        made = [] if trait == "body" else [f".transform({item}_of)"]
        type_ = kind.get(trait, f", {''.join(word.capitalize() for word in item.split('_'))}")
        scheme = self.sink_uri.partition(":")[0]
        options = _OPTIONS.get(scheme, "").format(item=item)
        begin = f'from_("{self.source_uri}"{type_})'
        steps = [*made, ".transform(cleaned)", f'.to("{self.sink_uri}"{options})']
        flat = f"incoming = {begin}{''.join(steps)}"
        if len(flat) <= WIDTH:
            return flat
        return "\n".join(["incoming = (", *(f"    {line}" for line in [begin, *steps]), ")"])


def check_name(name: str, what: str) -> None:
    """Raises BadOption for what cannot be the name of a module that is read."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
    usable = _NAME.fullmatch(plain) and not _refused(plain)
    hint = f"write {plain}" if usable and plain != name else "begin with a letter; then letters, digits and single '-'"
    if not _NAME.fullmatch(name):
        raise BadOption(f"'{name}' cannot be the name of {what}", hint=hint)
    if len(name) > LONGEST:
        raise BadOption(f"'{name}' has {len(name)} letters", hint=f"{LONGEST} are the most: it is part of other names")
    if _refused(name):
        raise BadOption(f"'{name}' cannot be the name of {what}: Python or pytest has it", hint="choose another name")


def _refused(name: str) -> bool:
    module = name.replace("-", "_")
    return keyword.iskeyword(module) or keyword.issoftkeyword(module) or _UNREAD.match(module) is not None


def _one(name: str) -> str:
    """One of what goes through a route.

    >>> _one("new_orders"), _one("status"), _one("lead")
    ('new_order', 'status', 'lead')
    """
    plural = len(name) > 3 and name.endswith("s") and not name.endswith(("ss", "us", "is"))
    one = name[:-1] if plural else name
    return f"{one}_item" if one in _TAKEN or keyword.iskeyword(one) else one


_TAKEN: Final = ("incoming", "cleaned", "from_", "pydantic", "routekit", "datetime", "int", "str", "base_model", "run")
"""Names that the templates have."""
