"""Settings: from `routekit.toml`, the environment and the command line, one value handed down.

    [routekit]                       # options of the service
    data = "data"
    drain = "30s"
    [values]                         # placeholders: ${LEADS}
    LEADS = "data/leads"
    [sql.crm]                        # a table for plugins: [scheme.name]
    url = "sqlite:///${data}/crm.db"
    [retention]                      # how long the store keeps what it need not keep
    letters = "90d"

The later wins: file, environment (`ROUTEKIT_DRAIN=10s`, `ROUTEKIT_SQL__CRM__URL=...`, `LEADS=...`), `--set`.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from .errors import BadOption, DefinitionError, UnknownName
from .options import made
from .place import Place
from .placeholders import filled
from .problem import Problem
from .retention import Retention
from .route import Policy, Retry
from .units import Seconds

FILE = "routekit.toml"


class Options(BaseModel):
    """The table `[routekit]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(default=Path("data"), description="folder for embedded state")
    store: str = Field(default="sqlite:${data}/routekit.db", description="durable state: sqlite:FILE or memory:")
    drain: Seconds = Field(default=30.0, ge=0, description="seconds that messages in flight get when the service stops")
    concurrency: int | None = Field(default=None, ge=1, description="messages in flight, where the route says nothing")
    retries: int = Field(default=0, ge=0, description="retries of a failed message, where the route says nothing")
    deadline: Seconds | None = Field(
        default=None, gt=0, description="seconds for one message, where the route says nothing"
    )
    history: bool = Field(
        default=False, description="keep the steps that messages pass for their letters, where the route says nothing"
    )
    durable: Literal["none", "store"] = Field(
        default="none",
        description="`store`: messages are journaled until they are done, where the route says nothing",
    )
    remember: Seconds | None = Field(
        default=None, ge=0, description="seconds for which ids of durable routes are remembered; unset: a day"
    )
    log: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="level of the log")


@dataclass(frozen=True)
class Settings:
    """What was set, wherever it was set."""

    options: Options = field(default_factory=lambda: Options())
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    tables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    file: Path | None = None
    retention: Retention = field(default_factory=Retention)

    def lookup(self, name: str) -> str | None:
        """The value of a placeholder: `--set`, then the environment, then `[values]`; `data` is the data folder."""
        if name == "data":
            return str(self.options.data)
        return self.values.get(name)

    def table(self, scheme: str, name: str) -> Mapping[str, Any] | None:
        """The table `[scheme.name]` with its placeholders filled, or None."""
        tables = self.tables.get(scheme)
        table = cast("Mapping[str, Any]", tables).get(name) if isinstance(tables, Mapping) else None
        return self._filled(cast("Mapping[str, Any]", table)) if isinstance(table, Mapping) else None

    def policy(self) -> Policy:
        """What holds for routes that say nothing else."""
        options = self.options
        retry = Retry(options.retries) if options.retries else ()
        history = True if options.history else None
        return Policy(
            concurrency=options.concurrency,
            retry=retry,
            deadline=options.deadline,
            history=history,
            durable=options.durable if options.durable != "none" else None,
            remember=options.remember,
        )

    def missing(self) -> list[Problem]:
        """A problem for each text of the tables for plugins that has a placeholder without a value."""
        lines = [] if self.file is None else self.file.read_text(encoding="utf-8").splitlines()
        found: list[Problem] = []
        for path, text in _texts(self.tables, ()):
            try:
                self._filled(text)
            except UnknownName as error:
                line = next((number for number, line in enumerate(lines, 1) if text in line), 0)
                message = error.message.partition(" in '")[0]  # the rest may be a secret
                place = Place(str(self.file or FILE), line)
                found.append(Problem(place, "", f"[{'.'.join(path[:-1])}] {path[-1]}: {message}", error.hint))
        return found

    def _filled(self, value: Any) -> Any:
        """A text, or whatever has texts in it, with the placeholders filled."""
        if isinstance(value, str):
            return filled(value, self.lookup, self.values)
        if isinstance(value, Mapping):
            table = cast("Mapping[str, Any]", value)
            return {name: self._filled(inner) for name, inner in table.items()}
        return [self._filled(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """All texts in tables and lists, with where they are."""
    if isinstance(value, str):
        yield path, value
    inner = enumerate(cast("list[Any]", value), 1) if isinstance(value, list) else ()
    items = cast("Mapping[str, Any]", value).items() if isinstance(value, Mapping) else inner
    for name, one in items:
        yield from _texts(one, (*path, str(name)))


def load_settings(file: Path | None, sets: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file (None: no file), the environment and `--set name=value`; raises DefinitionError."""
    environ = environ or {}
    tables = _read(file) if file is not None else {}
    for path, value in (*_environment(environ), *(_assignment(text) for text in sets)):
        _put(tables, path, value)
    options = _table(tables, "routekit", file)
    retention = made(Retention, _table(tables, "retention", file), "retention")
    written = {name: _text(name, value) for name, value in _table(tables, "values", file).items()}
    _only_tables(tables, file)
    given = {text.partition("=")[0].removeprefix("values.") for text in sets}
    outside = {name: value for name, value in environ.items() if name not in given}
    if isinstance(options.get("data"), str):
        options["data"] = _expanded(options["data"], written, outside)
    made_options = made(Options, options, "routekit")
    outside["data"] = str(made_options.data)
    values = {name: _expanded(f"${{{name}}}", written, outside) for name in written}
    return Settings(made_options, {**values, **outside}, tables, environ, file, retention)


def _text(name: str, value: object) -> str:
    """A value as a placeholder gives it: `true` and `8080` as they are written in TOML."""
    if isinstance(value, list | dict):
        raise BadOption(f"[values] {name} is a {'list' if isinstance(value, list) else 'table'}", hint="write one text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _expanded(text: str, written: Mapping[str, str], outside: Mapping[str, str], within: Sequence[str] = ()) -> str:
    """A text with placeholders filled, whose values may have placeholders too; those of the environment may not."""

    def value(name: str) -> str | None:
        if name in outside or name not in written:
            return outside.get(name)
        if name in within:
            raise BadOption(f"[values] {name} needs itself", hint=" -> ".join([*within, name]))
        return _expanded(written[name], written, outside, [*within, name])

    return filled(text, value, written)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError(
            f"cannot read the settings {file}: {error.strerror}", hint="--config names another file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file} is not TOML: {error}", hint='write text in quotes: name = "value"') from error


def _table(tables: dict[str, Any], name: str, file: Path | None) -> dict[str, Any]:
    table = tables.pop(name, {})
    if not isinstance(table, dict):
        raise BadOption(f"[{name}] in {file or 'the settings'} is no table", hint=f"write [{name}] and lines below it")
    return cast("dict[str, Any]", table)


def _only_tables(tables: Mapping[str, Any], file: Path | None) -> None:
    """Refuse a value outside of any table, which nobody would ever read."""
    for name, value in tables.items():
        if not isinstance(value, dict):
            known = name in Options.model_fields
            hint = f"write it below [{'routekit' if known else 'values'}], or below the table that it belongs to"
            raise BadOption(f"'{name}' in {file or 'the settings'} stands outside of any table", hint=hint)


def _environment(environ: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """`ROUTEKIT_DRAIN` sets an option, `ROUTEKIT_SQL__CRM__URL` sets `url` in `[sql.crm]`; others are placeholders."""
    found: list[tuple[list[str], str]] = []
    for name, value in environ.items():
        path = name.removeprefix("ROUTEKIT_").lower().split("__")
        if not name.startswith("ROUTEKIT_"):
            continue
        if len(path) > 1 or path[0] in Options.model_fields:
            found.append((path if len(path) > 1 else ["routekit", *path], value))
        else:
            _almost(path[0], name, "for a placeholder choose a name that does not begin with ROUTEKIT_")
    return found


def _assignment(text: str) -> tuple[list[str], str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadOption(f"--set {text}: no value", hint="write --set name=value")
    path = name.split(".")
    if len(path) > 1:
        return path, value
    if name in Options.model_fields:
        return ["routekit", name], value
    _almost(name, f"--set {name}", f"for a placeholder write --set values.{name}=...")
    return ["values", name], value


def _almost(name: str, asked: str, otherwise: str) -> None:
    """Refuse a name that is nearly an option's: taken as a placeholder, a slip of the finger would say nothing."""
    near = get_close_matches(name, Options.model_fields, n=1, cutoff=0.8)
    if near:
        raise BadOption(f"{asked}: there is no option '{name}'", hint=f"did you mean '{near[0]}'? {otherwise}")


def _put(tables: dict[str, Any], path: Sequence[str], value: str) -> None:
    table = tables
    for name in path[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise BadOption(f"'{'.'.join(path)}' cannot be set", hint=f"'{name}' is a value, not a table")
        table = cast("dict[str, Any]", inner)
    table[path[-1]] = value
