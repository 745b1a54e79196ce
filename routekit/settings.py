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
    [secrets]                        # who gives secrets: ${file:crm}, ${keyring:crm/password}
    directory = "/run/secrets"
    [log]                            # levels of single loggers
    "routekit.sql" = "debug"

The later wins: file, profile (`routekit.P.toml` beside it), environment (`ROUTEKIT_DRAIN=10s`,
`ROUTEKIT_SQL__CRM__URL=...`, `LEADS=...`), `--set`.
It is one page, over 300 lines, so that every setting is found on it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from .access import Access
from .errors import BadOption, RouteKitError, did_you_mean
from .layers import KeyPath, Layers, Origin, layered, leaves
from .options import MASK, made, masked, sounds_secret
from .place import Place
from .placeholders import filled, is_reference, references
from .plugins import Catalog
from .problem import Problem
from .resolving import Secrets, Values
from .retention import Retention
from .route import Policy, Retry
from .units import Seconds

FILE = "routekit.toml"

DEVELOPING = Path(".routekit")
"""Where `routekit dev` keeps what others keep in the data folder."""

PROFILE = "ROUTEKIT_PROFILE"
"""The variable of the environment that names the profile."""

M = TypeVar("M", bound=BaseModel)


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
    trace: bool | Annotated[float, Field(ge=0, le=1)] | Literal["failed"] = Field(
        default=False,
        description="`true`, a share such as 0.01, or `failed`: messages that are traced, where the route says nothing",
    )
    workers: int = Field(default=1, ge=1, description="processes that share the work of `serve`; needs a shared store")
    log: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="level of the log")
    log_format: Literal["pretty", "plain", "json"] | None = Field(
        default=None, description="form of the log's lines; unset: pretty on a terminal, else plain"
    )
    log_bodies: bool = Field(
        default=False, description="lines about a message have its body, in which what is sensitive is masked"
    )


class Privacy(BaseModel):
    """The table `[privacy]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[str, ...] = Field(
        default=(), description="names of fields and keys that are masked besides those that RouteKit knows"
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as it may be shown: masked, with where it came from and what it means."""

    name: str
    value: str
    origin: str
    doc: str = ""


@dataclass(frozen=True)
class Settings:
    """What was set, wherever it was set."""

    options: Options = field(default_factory=lambda: Options())
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    tables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    file: Path | None = None
    retention: Retention = field(default_factory=Retention)
    profile: str = ""
    layers: Layers = field(default_factory=Layers)
    secrets: Secrets = field(default_factory=lambda: Secrets({}, _provider))
    levels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The table `[log]`: levels of single loggers."""
    privacy: Privacy = field(default_factory=Privacy)

    def lookup(self, name: str) -> str | None:
        """The value of a placeholder: `--set`, the environment, `[values]`; `data` is the data folder.

        A secret, `provider:reference`, is asked for when it is first looked up. Raises what its provider raises.
        """
        if name == "data":
            return str(self.options.data)
        if is_reference(name):
            return None if name.partition(":")[0] in self.values else self.secrets.value(name)
        return self.values.get(name)

    def origin(self, name: str) -> str:
        """Where a setting came from: `drain`, `sql.crm.url`, or the name of a placeholder.

        `default`, `routekit.toml:3`, `environment ROUTEKIT_DRAIN` or `--set`.
        """
        path = tuple(name.split("."))
        if len(path) == 1:
            path = ("routekit" if name in Options.model_fields else "values", name)
        return str(self._origin(path))

    def _origin(self, path: KeyPath) -> Origin:
        found = self.layers.origin(path)
        if path[0] == "values" and found.kind != "set" and path[-1] in self.environ:
            return Origin("environment", path[-1])
        return found

    def shown(self) -> Iterator[Shown]:
        """Every setting with its origin, no secret among them and none asked for: options first, then tables."""
        for name, model in MODELS.items():
            for option, info in model.model_fields.items():
                unset: object = info.get_default(call_default_factory=True)
                written = self.layers.tables.get(name, {}).get(option, unset)
                yield self._shown((name, option), written, info.description or "")
        for path, value in leaves(self.layers.tables):
            if path[0] not in MODELS and value != {}:
                yield self._shown(path, value)

    def _shown(self, path: KeyPath, value: object, doc: str = "") -> Shown:
        own = self._origin(path)
        text = self.environ[path[-1]] if (own.kind, own.name) == ("environment", path[-1]) else _text_of(value)
        asked = ", ".join(f"secret {reference}" for reference in references(text))
        text = MASK if text and sounds_secret(path[-1]) else masked(self._without_secrets(text))
        origin = f"{own}, {asked}" if asked else str(own)
        return Shown(".".join(path), text, origin, doc)

    def _without_secrets(self, text: str) -> str:
        """A text with its placeholders filled, but for secrets; as it is, if one has no value."""

        def value(name: str) -> str | None:
            if is_reference(name) or sounds_secret(name):
                return MASK
            within = None if name in self.environ else self.layers.tables.get("values", {}).get(name)
            return self.lookup(name) if within is None else self._without_secrets(_text_of(within))

        try:
            return filled(text, value)
        except RouteKitError:
            return text

    def table(self, scheme: str, name: str) -> Mapping[str, Any] | None:
        """The table `[scheme.name]` with its placeholders filled, or None."""
        tables = self.tables.get(scheme)
        table = cast("Mapping[str, Any]", tables).get(name) if isinstance(tables, Mapping) else None
        return self.filled(cast("Mapping[str, Any]", table)) if isinstance(table, Mapping) else None

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
            trace=options.trace or None,
        )

    def missing(self) -> list[Problem]:
        """A problem for each text of the settings that has a placeholder without a value, or a secret not to be had.

        So each secret that the settings name is asked for here, before anything runs.
        """
        found: list[Problem] = []
        texts = [*_texts(self.tables, ()), (("routekit", "store"), self.options.store)]
        texts += [(("values", name), f"${{{name}}}") for name in self.layers.tables.get("values", {})]
        for path, text in texts:
            try:
                self.filled(text)
            except RouteKitError as error:
                message = error.message.partition(" in '")[0]  # the rest may be a secret
                origin = self._origin(path)
                place = Place(origin.name or str(self.file or FILE), origin.line)
                found.append(Problem(place, "", f"[{'.'.join(path[:-1])}] {path[-1]}: {message}", error.hint))
        return found

    def filled(self, value: Any) -> Any:
        """A text, or whatever has texts in it, with the placeholders filled."""
        if isinstance(value, str):
            return filled(value, self.lookup, self.values)
        if isinstance(value, Mapping):
            table = cast("Mapping[str, Any]", value)
            return {name: self.filled(inner) for name, inner in table.items()}
        return [self.filled(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """All texts in tables and lists, with where they are."""
    if isinstance(value, str):
        yield path, value
    inner = enumerate(cast("list[Any]", value), 1) if isinstance(value, list) else ()
    items = cast("Mapping[str, Any]", value).items() if isinstance(value, Mapping) else inner
    for name, one in items:
        yield from _texts(one, (*path, str(name)))


def load_settings(
    file: Path | None, sets: Sequence[str] = (), environ: Mapping[str, str] | None = None, profile: str = ""
) -> Settings:
    """The settings of a file (None: no file), its profile, the environment and `--set name=value`.

    `profile` is by default what the environment names. Raises DefinitionError; no secret is asked for.
    """
    environ = environ or {}
    profile = profile or environ.get(PROFILE, "")
    layers = layered(file, profile)
    for name, path, value in _environment(environ):
        layers.put(path, value, Origin("environment", name))
    for text in sets:
        layers.put(*_assignment(text), Origin("set"))
    tables = {name: table for name, table in layers.tables.items() if name not in OWN}
    _only_tables(tables, layers)
    options, secrets = dict(_table(layers, "routekit")), Secrets(_table(layers, "secrets"), _provider)
    given = {text.partition("=")[0].removeprefix("values.") for text in sets}
    outside = {name: value for name, value in environ.items() if name not in given}
    written = {name: _text(name, value) for name, value in _table(layers, "values").items()}
    values = Values(written, outside, secrets)
    if isinstance(options.get("data"), str):
        options["data"] = values.expanded(options["data"])
    settings = Settings(
        _made(Options, options, "routekit", layers),
        values,
        tables,
        environ,
        file,
        _made(Retention, _table(layers, "retention"), "retention", layers),
        profile,
        layers,
        secrets,
        _levels(layers),
        _made(Privacy, _table(layers, "privacy"), "privacy", layers),
    )
    values.put("data", str(settings.options.data))
    values.check()
    secrets.filling(settings.filled)
    return settings


MODELS: Mapping[str, type[BaseModel]] = {
    "routekit": Options,
    "retention": Retention,
    "privacy": Privacy,
    "control": Access,
}
"""The tables whose settings are all known."""

OWN = ("routekit", "values", "retention", "privacy", "secrets", "log")
"""The tables that are not for plugins."""


def _provider(name: str, options: Mapping[str, Any]) -> Any:
    return Catalog().secrets(name, options)


def _made(kind: type[M], values: Mapping[str, Any], name: str, layers: Layers) -> M:
    """The model of a table; what is wrong in it is told with where it was set."""
    try:
        return made(kind, values, name)
    except BadOption as error:
        wrong = [layers.origin((name, option)) for option in values if f"'{option}'" in error.message]
        where = ", ".join(dict.fromkeys(str(origin) for origin in wrong if origin.kind != "default"))
        described = name == "routekit" or not error.hint.startswith("routekit describe")
        hint = error.hint if described else f"routekit config show {name}"
        raise BadOption(f"{where}: {error.message}" if where else error.message, hint=hint) from None


def _levels(layers: Layers) -> Mapping[str, str]:
    """The table `[log]`; raises BadOption for what is no level."""
    known = ("debug", "info", "warning", "error")
    found: dict[str, str] = {}
    for path, level in leaves(_table(layers, "log")):
        name = ".".join(path)  # written as one word in quotes, or as TOML's own dotted one
        if level not in known:
            at = layers.origin(("log", *path))
            raise BadOption(f"{at}: [log] {name}: '{level}' is no level", hint=did_you_mean(str(level), known))
        found[name] = level
    return found


def _text_of(value: Any) -> str:
    """A value as one line: lists and tables as JSON, nothing for one that is not set."""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, default=str)
    return "" if value is None else str(value)


def _text(name: str, value: object) -> str:
    """A value as a placeholder gives it: `true` and `8080` as they are written in TOML."""
    if isinstance(value, list | dict):
        raise BadOption(f"[values] {name} is a {'list' if isinstance(value, list) else 'table'}", hint="write one text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(layers: Layers, name: str) -> Mapping[str, Any]:
    table = layers.tables.get(name, {})
    if not isinstance(table, dict):
        where = layers.origin((name,)).name or "the settings"
        raise BadOption(f"[{name}] in {where} is no table", hint=f"write [{name}] and lines below it")
    return cast("dict[str, Any]", table)


def _only_tables(tables: Mapping[str, Any], layers: Layers) -> None:
    """Refuse a value outside of any table, which nobody would ever read."""
    for name, value in tables.items():
        if not isinstance(value, dict):
            known = name in Options.model_fields
            hint = f"write it below [{'routekit' if known else 'values'}], or below the table that it belongs to"
            origin = layers.origin((name,))
            raise BadOption(f"{origin}: '{name}' stands outside of any table", hint=hint)


def _environment(environ: Mapping[str, str]) -> Iterator[tuple[str, KeyPath, str]]:
    """`ROUTEKIT_DRAIN` sets an option, `ROUTEKIT_SQL__CRM__URL` sets `url` in `[sql.crm]`; others are placeholders."""
    for name, value in environ.items():
        path = name.removeprefix("ROUTEKIT_").lower().split("__")
        if not name.startswith("ROUTEKIT_") or name == PROFILE:
            continue
        if len(path) > 1 or path[0] in Options.model_fields:
            yield name, tuple(path) if len(path) > 1 else ("routekit", path[0]), value
        else:
            _almost(path[0], name, "for a placeholder choose a name that does not begin with ROUTEKIT_")


def _assignment(text: str) -> tuple[KeyPath, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadOption(f"--set {text}: no value", hint="write --set name=value")
    path = name.split(".")
    if len(path) > 1:
        return tuple(path), value
    if name in Options.model_fields:
        return ("routekit", name), value
    _almost(name, f"--set {name}", f"for a placeholder write --set values.{name}=...")
    return ("values", name), value


def _almost(name: str, asked: str, otherwise: str) -> None:
    """Refuse a name that is nearly an option's: taken as a placeholder, a slip of the finger would say nothing."""
    near = get_close_matches(name, Options.model_fields, n=1, cutoff=0.8)
    if near:
        raise BadOption(f"{asked}: there is no option '{name}'", hint=f"did you mean '{near[0]}'? {otherwise}")
