"""Resolving: placeholders of settings get their values, and secrets are asked for, once each."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from .errors import BadOption, RouteKitError, Unavailable, UnknownName
from .options import masked, sounds_secret
from .placeholders import filled, is_reference
from .secrecy import SHORTEST, keep_secret
from .secret import SecretProvider

Find: TypeAlias = Callable[[str, Mapping[str, Any]], SecretProvider]
"""The provider of a name with its options; raises UnknownName, or BadOption."""

_FILE = re.compile(r"\w[\w.]*")


class Secrets:
    """The secrets of a run: who has them is asked when one is first needed, and never again."""

    def __init__(self, table: Mapping[str, Any], find: Find) -> None:
        """`table` is `[secrets]`: its `directory`, and a table of options for each provider."""
        self.directory = str(table.get("directory", ""))
        self._table = table
        self._find = find
        self._fill: Callable[[Any], Any] = lambda options: options
        self._providers: dict[str, SecretProvider | None] = {}
        self._values: dict[str, str] = {}

    def filling(self, fill: Callable[[Any], Any]) -> None:
        """Say how placeholders in the options of providers are filled."""
        self._fill = fill

    def value(self, reference: str) -> str:
        """The secret `provider:reference`; raises what the provider raises, which names it and not its value."""
        if reference not in self._values:
            name, _, inner = reference.partition(":")
            self._values[reference] = self._asked(self._provider(name), inner, reference)
        return self._values[reference]

    def named(self, name: str) -> str | None:
        """The secret in a file of that name in `directory`, None if there is none."""
        if not self.directory or not _FILE.fullmatch(name):
            return None
        try:
            return self.value(f"file:{name}")
        except UnknownName:
            return None

    def _provider(self, name: str) -> SecretProvider:
        if name not in self._providers:
            self._providers[name] = None
            try:
                self._providers[name] = self._find(name, self._fill(self._options(name)))
            finally:
                if self._providers[name] is None:
                    del self._providers[name]
        found = self._providers[name]
        if found is None:
            raise BadOption(f"[secrets.{name}] needs a secret of '{name}' itself", hint="take that one from elsewhere")
        return found

    def _options(self, name: str) -> Mapping[str, Any]:
        options: object = self._table.get(name, {})
        if not isinstance(options, Mapping):
            raise BadOption(f"[secrets] {name} is no table", hint=f"write [secrets.{name}] and lines below it")
        given = cast("Mapping[str, Any]", options)
        return {"directory": self.directory, **given} if name == "file" and self.directory else given

    def _asked(self, provider: SecretProvider, inner: str, reference: str) -> str:
        asked = f"the secret ${{{reference}}}"
        try:
            value = cast("object", provider.secret(inner))  # a stranger's: it may give anything
        except RouteKitError as error:
            raise type(error)(f"{asked}: {error.message}", hint=error.hint) from error
        except Exception as error:  # whatever a stranger's provider does: it is told by its class, and what it says
            said = masked(f"{type(error).__name__}: {error}")
            raise Unavailable(f"{asked} could not be had: {said}", hint="see the page of its plugin") from error
        if not isinstance(value, str) or not value:
            found = "is empty" if value == "" else f"is no text, but {type(value).__name__}"
            raise BadOption(f"{asked} {found}", hint="a secret is a text")
        if not keep_secret(value):
            hint = f"it has fewer than {SHORTEST} letters, and could not be hidden in what is printed"
            raise BadOption(f"{asked} is too short", hint=hint)
        return value


class Values(Mapping[str, str]):
    """The values of placeholders: from outside, then of `[values]`, then from files of the directory of secrets.

    What is written in `[values]` may have placeholders itself; what comes from outside may not.
    """

    def __init__(self, written: Mapping[str, str], outside: Mapping[str, str], secrets: Secrets) -> None:
        self._written = written
        self._outside = dict(outside)
        self._secrets = secrets

    def check(self) -> None:
        """Raise UnknownName or BadOption for a value whose placeholders cannot be filled; no secret is asked for."""
        for name, text in self._written.items():
            self._expanded(text, lambda reference: "", [name])

    def expanded(self, text: str) -> str:
        """A text with its placeholders filled; raises UnknownName for one without value."""
        return self._expanded(text, self._secrets.value, ())

    def put(self, name: str, value: str) -> None:
        """Give a value that goes before all others."""
        self._outside[name] = value

    def __getitem__(self, name: str) -> str:
        value = self._found(name)
        if value is None:
            raise KeyError(name)
        if sounds_secret(name):
            keep_secret(value, guessed=True)
        return value

    def _found(self, name: str) -> str | None:
        if name in self._outside:
            return self._outside[name]
        if name in self._written:
            return self._expanded(self._written[name], self._secrets.value, [name])
        return self._secrets.named(name)

    def __contains__(self, name: object) -> bool:
        return name in self._outside or name in self._written

    def __iter__(self) -> Iterator[str]:
        yield from self._outside
        yield from (name for name in self._written if name not in self._outside)

    def __len__(self) -> int:
        return len({*self._outside, *self._written})

    def _expanded(self, text: str, secret: Callable[[str], str], within: Sequence[str]) -> str:
        def value(name: str) -> str | None:
            if is_reference(name):
                provider = name.partition(":")[0]
                return None if provider in self else secret(name)
            if name in self._outside or name not in self._written:
                return self.get(name)
            if name in within:
                raise BadOption(f"[values] {name} needs itself", hint=" -> ".join([*within, name]))
            return self._expanded(self._written[name], secret, [*within, name])

        return filled(text, value, self)
