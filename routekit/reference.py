"""Reference: what an endpoint, codec or step is and which options it has, from the models and docstrings themselves."""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from .about import About
from .codec import Codec
from .endpoint import PER_MESSAGE, Capabilities, Consumer, Endpoint, Listener, Producer, Transactor
from .errors import UnknownName, did_you_mean
from .flow import Flow
from .plugins import Catalog
from .secret import SecretProvider
from .units import seconds, size

_UNITS = ("", "KB", "MB", "GB")


@dataclass(frozen=True, slots=True)
class Option:
    """One option: `default` is empty for one that must be given; `limits` are those of its value, `>= 1`."""

    name: str
    type: str
    default: str
    doc: str
    required: bool = False
    per_message: bool = False
    secret: bool = False
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A name, such as that of a header or an error, and what it means."""

    name: str
    doc: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be written in a route."""

    name: str
    kind: str
    usage: str
    doc: str
    options: tuple[Option, ...] = ()
    promises: tuple[str, ...] = ()
    """What an endpoint promises whatever its options are, a sentence each."""
    written: str = ""
    """The class to write it as a typed value, with its module: `routekit_acme.AcmeSource`."""
    remarks: tuple[str, ...] = ()
    """What it promises and takes back with some options only."""
    headers: tuple[Meaning, ...] = ()
    """What its messages, answers or records have in their headers."""
    reads: tuple[Meaning, ...] = ()
    """The headers that it looks at."""
    raises: tuple[Meaning, ...] = ()
    figures: tuple[Meaning, ...] = ()
    settings: "tuple[Entry, ...]" = ()
    """The tables of `routekit.toml` that it reads."""
    example: str = ""


def describe(name: str, catalog: Catalog) -> list[Entry]:
    """The entries for a scheme, a step, `codec.NAME` or `secret.NAME`; raises UnknownName with what there is."""
    if name.startswith("secret."):
        return [_secret(name, catalog.secret_kind(name.removeprefix("secret.")))]
    if name.startswith("codec."):
        return [_codec(catalog.codec_kind(name.removeprefix("codec.")))]
    entries = [_step(name)] if name in steps() else []
    if name in catalog.schemes():
        entries += [_endpoint(kind) for kind in catalog.endpoints(name)]
    if not entries:
        raise UnknownName(f"nothing is called '{name}'", hint=did_you_mean(name, {*catalog.schemes(), *steps()}))
    return entries


def template_entry(name: str, function: Callable[..., Any], *, fragment: bool) -> Entry:
    """The entry for a function that gives a route, or, as a fragment, goes on with one."""
    options = _parameters(list(inspect.signature(function).parameters.values())[fragment:])
    given = ", ".join(option.name for option in options if option.required)
    usage = f".apply({name}{', ' if given else ''}{given})" if fragment else f"{name}({given})"
    return Entry(name, "fragment" if fragment else "template", usage, inspect.getdoc(function) or "", options)


def table_entry(name: str, kind: type[BaseModel]) -> Entry:
    """The entry for a table of `routekit.toml`."""
    return Entry(name, "table of settings", f"[{name}]", inspect.getdoc(kind) or "", _options(kind, None))


def steps() -> dict[str, Callable[..., Any]]:
    """The words of the language."""
    return {name: word for name, word in vars(Flow).items() if inspect.isfunction(word) and _is_word(name)}


def _is_word(name: str) -> bool:
    return not name.startswith("_") and name != "route"


def _step(name: str) -> Entry:
    word = steps()[name]
    options = _parameters(list(inspect.signature(word).parameters.values())[1:])
    return Entry(name, "step", f".{name}(...)", inspect.getdoc(word) or "", options)


def _parameters(parameters: Iterable[inspect.Parameter]) -> tuple[Option, ...]:
    return tuple(
        Option(p.name, _typed(p.annotation), "" if p.default is p.empty else repr(p.default), "", p.default is p.empty)
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    )


def _endpoint(kind: type[Endpoint]) -> Entry:
    path = kind.path_field()
    return Entry(
        name=kind.scheme,
        kind=_kind(kind),
        usage=f"{kind.scheme}:{path.upper() if path else ''}?option=value",
        doc=inspect.getdoc(kind) or "",
        options=_options(kind, path),
        promises=_promises(kind.capabilities),
        remarks=tuple(_remarks(kind)),
        raises=_raised(kind.about, kind.raises if issubclass(kind, Producer) else ()),
        **_told(kind, kind.about),
    )


def _kind(kind: type[Endpoint]) -> str:
    if issubclass(kind, Transactor):
        return "place of transactions"
    if issubclass(kind, Producer):
        return "sink"
    return "source (event-driven)" if issubclass(kind, Listener) else "source"


def _codec(kind: type[Codec]) -> Entry:
    return Entry(
        name=f"codec.{kind.name}",
        kind="codec",
        usage=f"codec={kind.name}",
        doc=inspect.getdoc(kind) or "",
        options=_options(kind, None),
        raises=_raised(kind.about),
        **_told(kind, kind.about),
    )


def _secret(name: str, kind: type[SecretProvider]) -> Entry:
    usage = f"${{{name.removeprefix('secret.')}:reference}}"
    return Entry(name, "giver of secrets", usage, inspect.getdoc(kind) or "", _options(kind, None))


def _told(kind: type[Endpoint | Codec], about: About) -> dict[str, Any]:
    """What endpoints and codecs say of themselves in the same way."""
    return {
        "written": _written(kind),
        "headers": _meanings(about.headers),
        "reads": _meanings(about.reads),
        "figures": _meanings(about.figures),
        "settings": tuple(table_entry(name, table) for name, table in about.settings.items()),
        "example": inspect.cleandoc(about.example),
    }


def _written(kind: type) -> str:
    """The class by the shortest way to import it: from its package, if that gives it."""
    package = kind.__module__.partition(".")[0]
    given = getattr(sys.modules.get(package), kind.__name__, None) is kind
    return f"{package if given else kind.__module__}.{kind.__name__}"


def _meanings(names: Mapping[str, str]) -> tuple[Meaning, ...]:
    return tuple(Meaning(name, doc) for name, doc in names.items())


def _raised(about: About, more: Iterable[type[Exception]] = ()) -> tuple[Meaning, ...]:
    """Errors with their reasons; of those that say none, the first line of their docstring."""
    others = {error: (inspect.getdoc(error) or "").partition("\n")[0] for error in more if error not in about.raises}
    return tuple(Meaning(error.__name__, doc) for error, doc in {**about.raises, **others}.items())


def _remarks(kind: type[Endpoint]) -> Iterable[str]:
    """The docstrings of the methods that say what it promises, and whether it takes back, by its options."""
    if kind.promises is not Endpoint.promises:
        yield inspect.getdoc(kind.promises) or ""
    if issubclass(kind, Consumer) and kind.takes_back is not Consumer.takes_back:
        yield inspect.getdoc(kind.takes_back) or ""


def _promises(capabilities: Capabilities) -> tuple[str, ...]:
    """The promises that are made, each with its meaning."""
    told: list[str] = []
    for name, field in Capabilities.model_fields.items():
        value = getattr(capabilities, name)
        if value not in (False, None):
            told.append(f"{name if value is True else f'{name} {value}'}: {field.description}")
    return tuple(told)


def _options(kind: type[BaseModel], path: str | None) -> tuple[Option, ...]:
    return tuple(_option(name, field, name == path) for name, field in kind.model_fields.items())


def _option(name: str, field: FieldInfo, is_path: bool) -> Option:
    doc = field.description or ""
    per_message, secret = PER_MESSAGE in field.metadata, _is_secret(field.annotation)
    if is_path:
        doc = f"{doc} (the path of the URI)".strip()
    if per_message:
        doc = f"{doc} (may be computed for each message)".strip()
    if secret:
        doc = f"{doc} (secret: masked wherever it is printed)".strip()
    kind = _unit(field.metadata) or _typed(field.annotation)
    limits = ", ".join(filter(None, map(_limit, field.metadata)))
    default = _sized(_default(field)) if kind.startswith("size") else _default(field)
    return Option(name, kind, default, doc, field.is_required(), per_message, secret, limits)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(inner) for inner in get_args(annotation))


def _limit(mark: object) -> str:
    """A bound of a value as it is shown; an upper one of a text or list would be too rare."""
    match mark:
        case Ge():
            return f">= {mark.ge}"
        case Gt():
            return f"> {mark.gt}"
        case Le():
            return f"<= {mark.le}"
        case Lt():
            return f"< {mark.lt}"
        case MinLen():
            return "not empty"
        case _:
            return ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    default: object = field.get_default() if field.default_factory is None else cast("Any", field.default_factory)()
    return _shown(default)


def _shown(default: object) -> str:
    """A default as it is written in a URI: truth in lower case, texts with commas between them, sets in order."""
    match default:
        case bool():
            return str(default).lower()
        case tuple() | frozenset():
            values = list(cast("Iterable[object]", default))
            texts = [each for each in values if isinstance(each, str)]
            if len(texts) == len(values):
                return ",".join(texts if isinstance(default, tuple) else sorted(texts))
        case _:
            pass
    return str(cast("object", default))


def _sized(default: str) -> str:
    """A number of bytes by the largest unit that it is a whole number of: `64MB`."""
    number, unit = int(default) if default.isdigit() else 0, 0
    if not number:
        return default
    while number % 1024 == 0 and unit < len(_UNITS) - 1:
        number, unit = number // 1024, unit + 1
    return f"{number}{_UNITS[unit]}"


def _unit(metadata: Iterable[Any]) -> str:
    """`duration` or `size` for what is written with a unit, such as `2m30s` or `10MB`."""
    functions = [getattr(mark, "func", None) for mark in metadata]
    return "duration" if seconds in functions else "size" if size in functions else ""


def _typed(annotation: Any) -> str:
    """A type as people write it: `float | None`, `'move' | 'delete'`, `function`."""
    if isinstance(annotation, str):
        return annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unit(annotation.__metadata__) or _typed(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_typed(arm) for arm in get_args(annotation)))
    if origin is Callable:
        return "function"
    if origin is Literal:
        return " | ".join(repr(value) for value in get_args(annotation))
    if annotation is SecretStr:
        return "secret"
    if isinstance(annotation, type) and origin is None:
        return "None" if annotation is NoneType else annotation.__name__
    return re.sub(r"(?:[a-z_]\w*\.)+(?=[A-Za-z])|~", "", str(annotation)).replace("NoneType", "None")
