"""Catalog: what the installed plugins offer. Made at start, handed down, never global.

A plugin is imported when something of it is first asked for; one that is broken stops nobody who does not use it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pluggy

from . import hookspecs
from .callables import Calling, calling
from .codec import Codec
from .endpoint import Consumer, Endpoint, Listener, Producer, Source, Transactor, parse_uri
from .errors import BadOption, DefinitionError, LoadError, UnknownName, UnknownScheme, WrongDirection, did_you_mean
from .events import Event
from .hookspecs import GROUP, misfit
from .observing import Observer
from .options import made
from .placeholders import Lookup, filled_uri
from .route import Route
from .secret import SecretProvider
from .step import CodecChoice, Target
from .store import Store
from .stores import sealed
from .twin import Twin

if TYPE_CHECKING:
    from typer import Typer

_log = logging.getLogger("routekit.plugins")

INNER = "inner"
"""The option of a codec that is another codec: that of what is compressed, or of an archive's entries."""

COMMAND = "command."
"""How entry points of commands begin."""

_SHORT = {"tgz": "tar.gz", "tbz2": "tar.bz2", "txz": "tar.xz", "tzst": "tar.zst"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry point: what it offers, and the distribution that it comes from."""

    name: str
    module: str
    distribution: str
    version: str

    @property
    def kind(self) -> str:
        """`endpoint`, `codec`, `store`, `secret`, `hook` or `command`."""
        kind, dot, _ = self.name.partition(".")
        return kind if dot else "endpoint"


@dataclass(frozen=True, slots=True)
class Sink:
    """A producer, the options that are computed for each message, and a codec if the engine has to encode."""

    producer: Producer
    computed: Mapping[str, Calling]
    codec: Codec | None


def _nothing(name: str) -> str | None:
    return None


class Catalog:
    """What can be used in routes: endpoints by scheme, codecs and stores by name.

    `lookup` gives the values of placeholders. `modules` are plugins that are not installed, such as those of a test.
    """

    def __init__(self, lookup: Lookup = _nothing, modules: Iterable[ModuleType | object] = ()) -> None:
        self.lookup = lookup
        self.modules = tuple(modules)
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._points: dict[str, list[EntryPoint]] = {}
        self._kinds: dict[str, list[type[Endpoint]]] = {}  # found already, until a plugin more is loaded
        for point in entry_points(group=GROUP):
            self._points.setdefault(point.name, []).append(point)
        for module in self.modules:
            if unfit := misfit(module):
                raise LoadError(f"{getattr(module, '__name__', module)} {unfit[0]}", hint=unfit[1])
            self._manager.register(module)
        for name in self._points:
            if name.startswith("hook."):
                self._load_hook(name)

    def offers(self) -> list[Offer]:
        """Every entry point of every installed plugin, by name; nothing is imported."""
        return [_offer(point) for name in sorted(self._points) for point in self._points[name]]

    def schemes(self) -> list[str]:
        """The schemes that URIs may have."""
        named = {name for name in self._points if "." not in name}
        return sorted(named | {kind.scheme for kind in self._registered()})

    def endpoints(self, scheme: str) -> list[type[Endpoint]]:
        """The classes of a scheme: source, sink, place of transactions; raises UnknownScheme with what there is."""
        if scheme in self._kinds:
            return self._kinds[scheme]
        found = [kind for kind in self._registered() if kind.scheme == scheme]
        if not found and scheme in self._points:
            self._load(scheme)
            found = [kind for kind in self._registered() if kind.scheme == scheme]
            if not found:
                raise LoadError(f"plugin {self._named(scheme)} offers '{scheme}' but registers no endpoint of it")
        if not found:
            hint = f"{did_you_mean(scheme, self.schemes())} (or install a plugin: pip install routekit-{scheme})"
            raise UnknownScheme(f"no installed plugin offers '{scheme}:'", hint=hint)
        found = sorted(found, key=lambda kind: (issubclass(kind, Transactor), issubclass(kind, Producer)))
        self._kinds[scheme] = found
        return found

    def source(self, target: Target) -> Source:
        """The source of a route; raises DefinitionError."""
        endpoint = self._endpoint(target, (Consumer, Listener), "read from")
        return cast("Source", endpoint)

    def sink(self, target: Target) -> Sink:
        """Where a step sends; raises DefinitionError."""
        computed = {name: value for name, value in target.options.items() if callable(value)}
        fixed = {name: value for name, value in target.options.items() if name not in computed}
        producer = cast("Producer", self._endpoint(Target(target.endpoint, fixed, target.codec), Producer, "sent to"))
        allowed = producer.per_message()
        for name in computed:
            if name in allowed:
                continue
            if name in type(producer).model_fields:
                raise BadOption(
                    f"{producer.scheme}: '{name}' cannot be computed for each message",
                    hint=f"these can: {', '.join(allowed)}" if allowed else "give it a fixed value",
                )
            raise BadOption(f"{producer.scheme}: has no option '{name}'", hint=did_you_mean(name, allowed))
        engine = target.codec is not None and "codec" not in type(producer).model_fields
        codec = self.codec(target.codec) if engine and target.codec is not None else None
        return Sink(producer, {name: calling(function) for name, function in computed.items()}, codec)

    def transactor(self, target: Target) -> Transactor:
        """Where a transaction is committed; raises DefinitionError."""
        return cast("Transactor", self._endpoint(target, Transactor, "committed to"))

    def codec(self, choice: CodecChoice) -> Codec:
        """A codec by name, by file suffixes, or by name with options; raises UnknownName or BadOption.

        Of several suffixes the last decides, `.v2.csv`; what is inside a compressed file is said by the ones before
        it, `.csv.gz`.
        """
        if isinstance(choice, Codec):
            return choice
        if isinstance(choice, str):
            return self._by_suffix(choice) if choice.startswith(".") else self._codec(choice)
        if not isinstance(cast("object", choice), Mapping):
            raise BadOption(f"a codec is {choice!r}", hint="write its name, or {'name': 'csv', 'delimiter': ';'}")
        options = dict(choice)
        name = str(options.pop("name", ""))
        return self._codec(name, options)

    def codec_kind(self, name: str) -> type[Codec]:
        """The class of a codec by its name; raises UnknownName with what there is."""
        if f"codec.{name}" in self._points:
            self._load(f"codec.{name}")
        for kind in self._registered_codecs():
            if kind.name == name:
                return kind
        raise UnknownName(f"no codec '{name}'", hint=did_you_mean(name, self.codecs()))

    def codecs(self) -> dict[str, type[Codec]]:
        """All codecs by name; imports every plugin that offers one."""
        for name in self._points:
            if name.startswith("codec."):
                self._load(name)
        return {kind.name: kind for kind in self._registered_codecs()}

    def open_store(self, uri: str, now: Callable[[], float]) -> AbstractAsyncContextManager[Store]:
        """The store of a URI such as `sqlite:routekit.db` or `memory:`; with an option `key` it is encrypted."""
        parts = parse_uri(filled_uri(uri, self.lookup))
        if f"store.{parts.scheme}" in self._points:
            self._load(f"store.{parts.scheme}")
        factories: dict[str, hookspecs.StoreFactory] = {}
        for offered in self._manager.hook.register_stores():
            factories.update(offered)
        if parts.scheme not in factories:
            known = [name.removeprefix("store.") for name in self._points if name.startswith("store.")]
            raise UnknownName(f"no store of kind '{parts.scheme}'", hint=did_you_mean(parts.scheme, known))
        options = dict(parts.options)
        keys = options.pop("key", None)
        return sealed.opened(factories[parts.scheme](parts.path, options, now), keys)

    def secrets(self, name: str, options: Mapping[str, Any]) -> SecretProvider:
        """Who gives the secrets `${name:...}`; raises UnknownName with who there is, or BadOption for its options."""
        return made(self.secret_kind(name), options, f"secret.{name}")

    def secret_kind(self, name: str) -> type[SecretProvider]:
        """The class of who gives the secrets `${name:...}`; raises UnknownName with who there is."""
        if f"secret.{name}" in self._points:
            self._load(f"secret.{name}")
        kinds: dict[str, type[SecretProvider]] = {}
        for offered in self._manager.hook.register_secrets():
            kinds.update(offered)
        if name not in kinds:
            known = {one.removeprefix("secret.") for one in self._points if one.startswith("secret.")} | set(kinds)
            hint = f"{did_you_mean(name, known)} (or install a plugin: pip install routekit-{name})"
            raise UnknownName(f"no installed plugin gives secrets of '{name}'", hint=hint)
        return kinds[name]

    def command(self, name: str) -> "Typer":
        """What stands after `routekit` by that name, as a plugin brings it; raises UnknownName with what there is."""
        point = f"{COMMAND}{name}"
        if point in self._points:
            self._load(point)
        brought: dict[str, Typer] = {}
        for offered in self._manager.hook.register_commands():
            brought.update(offered)
        if name not in brought and point in self._points:
            raise LoadError(f"plugin {self._named(point)} registers no command '{name}'", hint="tell who publishes it")
        if name not in brought:
            known = {one.removeprefix(COMMAND) for one in self._points if one.startswith(COMMAND)} | set(brought)
            raise UnknownName(f"no installed plugin brings the command '{name}'", hint=did_you_mean(name, known))
        return brought[name]

    def twin(self, scheme: str) -> type[Twin]:
        """How endpoints of a scheme behave in memory: as their plugin says, else in the general way."""
        if scheme in self._points:
            self._load(scheme)
        offered = [twins[scheme] for twins in self._manager.hook.register_twins() if scheme in twins]
        return offered[0] if offered else Twin

    def tell(self, event: Event) -> None:
        """Give an event to every `route_event` hook; one that fails is logged, and the route goes on."""
        try:
            self._manager.hook.route_event(event=event)
        except Exception:  # a watcher must never stop what it watches
            _log.exception("a route_event hook failed on %s", type(event).__name__)

    def observers(self, route: Route) -> list[Observer]:
        """Who observes a route, by the `observe_route` hooks; if one fails that is logged, and none of them does."""
        try:
            return [found for found in self._manager.hook.observe_route(route=route) if found is not None]
        except Exception:  # as above
            _log.exception("an observe_route hook failed on route %s", route.name)
            return []

    def _endpoint(self, target: Target, kinds: Any, used: str) -> Endpoint:
        given = target.endpoint
        if isinstance(given, Endpoint):
            found, make = [type(given)], partial(_changed, given)
            scheme = given.scheme
        elif isinstance(given, str):
            uri = parse_uri(filled_uri(given, self.lookup))
            scheme = uri.scheme
            found = self.endpoints(scheme)

            def make(kind: type[Endpoint], options: Mapping[str, Any]) -> Endpoint:
                twice = sorted(set(options) & set(uri.options))
                if twice:
                    raise BadOption(f"{scheme}: option '{twice[0]}' is given twice", hint="in the URI or by keyword")
                return kind.of(uri.path, {**uri.options, **options})

        else:
            raise DefinitionError(f"{given!r} is no endpoint", hint="write a URI or a typed endpoint")
        fitting = [kind for kind in found if issubclass(kind, kinds)]
        if not fitting:
            raise WrongDirection(f"'{scheme}:' cannot be {used}", hint=f"it can only be {_uses(found)}")
        kind = fitting[0]
        options = dict(target.options)
        if target.codec is not None and "codec" in kind.model_fields:
            options["codec"] = target.codec
        return make(kind, options)

    def _codec(self, name: str, options: Mapping[str, Any] | None = None) -> Codec:
        kind = self.codec_kind(name)
        values = dict(options or {})
        if INNER in kind.model_fields and isinstance(values.get(INNER), str | Mapping):
            values[INNER] = self.codec(values[INNER])
        return made(kind, values, f"codec.{kind.name}")

    def _by_suffix(self, suffixes: str) -> Codec:
        before, _, last = suffixes.lower().rpartition(".")
        before, _, last = f"{before}.{_SHORT.get(last, last)}".rpartition(".")
        suffix = f".{last}"
        kind = next((kind for kind in self.codecs().values() if suffix in kind.suffixes), None)
        if kind is None:
            raise UnknownName(f"no codec for files that end in '{suffix}'", hint='say which one: codec="csv"')
        values: dict[str, Any] = {}
        if INNER in kind.model_fields and before:
            with suppress(UnknownName):  # `dump.gz` is bytes, and so is `dump.v2.gz`
                values[INNER] = self._by_suffix(before)
        return made(kind, values, f"codec.{kind.name}")

    def _registered(self) -> list[type[Endpoint]]:
        return [kind for kinds in self._manager.hook.register_endpoints() for kind in kinds]

    def _registered_codecs(self) -> list[type[Codec]]:
        return [kind for kinds in self._manager.hook.register_codecs() for kind in kinds]

    def _load_hook(self, name: str) -> None:
        """A broken watcher must not stop what it would watch: it is told in the log."""
        try:
            self._load(name)
        except LoadError as error:
            _log.error("%s", error)

    def _load(self, name: str) -> None:
        points = self._points[name]
        if len({point.value for point in points}) > 1:
            both = " and ".join(sorted(_offer(point).distribution for point in points))
            raise LoadError(f"'{name}' is offered by {both}", hint="uninstall one of them")
        if self._manager.has_plugin(points[0].value):
            return
        try:
            plugin = points[0].load()
            unfit = misfit(plugin)
            if unfit is None:
                self._manager.register(plugin, name=points[0].value)
                self._kinds.clear()
        except Exception as error:  # whatever a stranger's module does when it is imported, or hooks in wrongly
            broken = f"plugin {self._named(name)} cannot be imported: {error!r}"
            raise LoadError(broken, hint="is it installed whole?") from error
        if unfit is not None:
            raise LoadError(f"plugin {self._named(name)} {unfit[0]}", hint=unfit[1])

    def _named(self, name: str) -> str:
        offer = _offer(self._points[name][0])
        return f"'{offer.name}' ({offer.distribution} {offer.version})"


def _uses(kinds: Iterable[type[Endpoint]]) -> str:
    """What can be done with endpoints of these classes, in words."""
    uses = {
        "read from": any(issubclass(kind, Consumer | Listener) for kind in kinds),
        "sent to": any(issubclass(kind, Producer) for kind in kinds),
        "committed to": any(issubclass(kind, Transactor) for kind in kinds),
    }
    return " and ".join(use for use, possible in uses.items() if possible)


def _offer(point: EntryPoint) -> Offer:
    dist = point.dist
    return Offer(point.name, point.value, dist.name if dist else "?", dist.version if dist else "?")


def _changed(endpoint: Endpoint, kind: type[Endpoint], options: Mapping[str, Any]) -> Endpoint:
    """A typed endpoint, with options that were given by keyword as well."""
    if not options:
        return endpoint
    given = {name: getattr(endpoint, name) for name in endpoint.model_fields_set}
    return made(kind, {**given, **options}, kind.scheme)
