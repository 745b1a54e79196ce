"""What is to be made: the name of a plugin and what follows from it, checked before anything is written."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import BadOption, UnknownName, did_you_mean

KINDS: Final[Mapping[str, str]] = {
    "source": "a source that the engine pulls from",
    "sink": "a sink",
    "listener": "a source that is called",
    "codec": "a format of bytes",
    "hook": "a watcher of events",
    "step": "a step for .then(...)",
}
"""What a plugin may hold, with its meaning."""

ENDPOINTS: Final = frozenset({"source", "sink", "listener"})

LICENCES: Final = ("Apache-2.0", "MIT", "BSD-3-Clause", "proprietary")
"""The licences whose text is known; `proprietary` allows nobody anything."""

LONGEST: Final = 24
"""Letters of the longest name: it is part of module and class names."""

TAKEN: Final = frozenset({"eip", "testing"})
"""Names that RouteKit's own distributions have, or may have."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+")


@dataclass(frozen=True)
class Plan:
    """The distribution of a plugin; raises BadOption or UnknownName for what cannot be made.

    `name` is the scheme of its endpoints and the name of its codec; `kinds` are names of KINDS.
    """

    name: str
    kinds: tuple[str, ...]
    license: str = LICENCES[0]
    author: str = ""
    email: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_kinds(self.kinds)
        if self.license not in LICENCES:
            raise UnknownName(f"no licence '{self.license}' is known", hint=did_you_mean(self.license, LICENCES))
        if not self.author.isprintable():
            raise BadOption(f"the author is {self.author!r}", hint="give a name of one line")
        if self.email and not _EMAIL.fullmatch(self.email):
            raise BadOption(f"'{self.email}' is no address for mail", hint="write --email ann@example.org")

    @property
    def distribution(self) -> str:
        """The name to install it by."""
        return f"routekit-{self.name}"

    @property
    def package(self) -> str:
        """The name to import it by."""
        return self.distribution.replace("-", "_")

    @property
    def offers(self) -> list[str]:
        """The names of its entry points."""
        named = {"codec": [f"codec.{self.name}"], "hook": [f"hook.{self.name}"]}
        scheme = [self.name] if ENDPOINTS & set(self.kinds) else []
        return scheme + [name for kind in ("codec", "hook") if kind in self.kinds for name in named[kind]]

    @property
    def traits(self) -> frozenset[str]:
        """What the sections of the templates ask for."""
        return frozenset(self.kinds) | ({"public"} if self.license != "proprietary" else set[str]())

    def words(self, *, year: int, version: str) -> dict[str, str]:
        """What stands for the words of the templates; `version` is the oldest of RouteKit that will do."""
        private = '    "Private :: Do Not Upload",  # no index takes it\n'
        return {
            "scheme": self.name,
            "Name": "".join(word.capitalize() for word in self.name.split("-")),
            "NAME": self.name.upper().replace("-", "_"),
            "distribution": self.distribution,
            "package": self.package,
            "license": self.license if "public" in self.traits else "LicenseRef-Proprietary",
            "private": "" if "public" in self.traits else private,
            "authors": self._authors(),
            "holder": self.author or f"the authors of {self.distribution}",
            "year": str(year),
            "version": version,
        }

    def _authors(self) -> str:
        """A line of pyproject.toml: text of JSON is text of TOML too, if it has nothing that cannot be printed."""
        given = {"name": self.author, "email": self.email}
        fields = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items() if value]
        return f"authors = [{{ {', '.join(fields)} }}]\n" if fields else ""


def kinds_of(text: str) -> tuple[str, ...]:
    """The kinds in a text such as `source,sink`, each once, in the order of KINDS; unknown ones come last."""
    given = {kind for kind in re.split(r"[,\s]+", text.lower()) if kind}
    return (*(kind for kind in KINDS if kind in given), *sorted(given - set(KINDS)))


def _check_name(name: str) -> None:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower().removeprefix("routekit")).strip("-0123456789")
    if not _NAME.fullmatch(name) or name.startswith("routekit-"):
        usable = _NAME.fullmatch(plain) and len(plain) <= LONGEST
        hint = f"write {plain}" if usable else "begin with a letter; then letters, digits and single '-'"
        raise BadOption(f"'{name}' cannot be the name of a plugin: it begins URIs, as in {plain or 'acme'}:", hint=hint)
    if len(name) > LONGEST:
        raise BadOption(f"'{name}' has {len(name)} letters", hint=f"{LONGEST} are the most: it is part of other names")
    if name in TAKEN:
        raise BadOption(f"'routekit-{name}' is RouteKit's own", hint="choose another name")


def _check_kinds(kinds: Iterable[str]) -> None:
    given = list(kinds)
    if not given:
        raise BadOption("no kind is given", hint=f"write --kind source,sink; there are: {', '.join(KINDS)}")
    for kind in given:
        if kind not in KINDS:
            raise UnknownName(f"no kind of plugin is called '{kind}'", hint=did_you_mean(kind, KINDS))
    if {"source", "listener"} <= set(given):
        raise BadOption(
            "a scheme has one source, pulled or called, and both are asked for",
            hint="take source or listener; for both, make two plugins or two schemes by hand",
        )
