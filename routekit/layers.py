"""Layers: settings from several places in one tree, of which each value knows where it came from.

The later wins: the file, its tables `[profile.P]`, the file of the profile beside it, the environment, `--set`. Tables
are merged, all else is replaced.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from .errors import BadOption, DefinitionError, UnknownName, did_you_mean
from .place import Place

KeyPath: TypeAlias = tuple[str, ...]

_PROFILE = re.compile(r"[A-Za-z0-9][\w-]*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; prints as `default`, `routekit.toml:3`, `environment ROUTEKIT_DRAIN` or `--set`."""

    kind: Literal["default", "file", "environment", "set"]
    name: str = ""
    """The file, or the variable."""

    line: int = 0

    def __str__(self) -> str:
        if self.kind == "file":
            return str(Place(self.name, self.line))
        return {"default": "default", "set": "--set"}.get(self.kind, f"environment {self.name}")


DEFAULT = Origin("default")


@dataclass
class Layers:
    """The tree, and the origin of each value in it that is no table."""

    tables: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[KeyPath, Origin] = field(default_factory=dict[KeyPath, Origin])
    files: list[Path] = field(default_factory=list[Path])

    def put(self, path: KeyPath, value: object, origin: Origin) -> None:
        """Set one value, over what lies there; raises BadOption for one below a value that is no table."""
        table = self.tables
        for name in path[:-1]:
            inner = table.setdefault(name, {})
            if not isinstance(inner, dict):
                raise BadOption(f"'{'.'.join(path)}' cannot be set", hint=f"'{name}' is a value, not a table")
            table = cast("dict[str, Any]", inner)
        table[path[-1]] = value
        self.origins = {known: one for known, one in self.origins.items() if known[: len(path)] != path}
        self.origins[path] = origin

    def lay(self, tables: Mapping[str, Any], origin: Callable[[KeyPath], Origin]) -> None:
        """Merge a tree over what lies there."""
        for path, value in leaves(tables):
            if value != {} or self._at(path) is None:  # a table without lines takes nothing away
                self.put(path, value, origin(path))

    def _at(self, path: KeyPath) -> object:
        found: Any = self.tables
        for name in path:
            found = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
        return found

    def origin(self, path: KeyPath) -> Origin:
        """Where a value came from; of what lies within a list, where the list did."""
        found = (self.origins.get(path[:length]) for length in range(len(path), 0, -1))
        return next((one for one in found if one is not None), DEFAULT)

    def under(self, name: str) -> Origin:
        """Where the first value of a table came from."""
        return next((origin for path, origin in self.origins.items() if path[0] == name), DEFAULT)


def layered(file: Path | None, profile: str = "") -> Layers:
    """What a file says, and its profile; without a file nothing.

    Raises DefinitionError for what cannot be read, and UnknownName for a profile that there is not.
    """
    layers = Layers()
    own: dict[str, Any] = {}
    lines: Mapping[KeyPath, int] = {}
    if file is not None:
        own, lines = read(file)
    profiles = own.pop("profile", {})
    _check_profiles(profiles, file)
    if file is not None:
        layers.files.append(file)
        layers.lay(own, _origins(file, lines))
    if profile:
        _lay_profile(layers, profile, profiles, file, lines)
    return layers


def _lay_profile(
    layers: Layers, profile: str, tables: Mapping[str, Any], file: Path | None, lines: Mapping[KeyPath, int]
) -> None:
    if not _PROFILE.fullmatch(profile):
        raise BadOption(f"'{profile}' cannot be a profile", hint="its name has letters, digits, '-' and '_'")
    beside = None if file is None else beside_of(file, profile)
    if profile not in tables and (beside is None or not beside.exists()):
        known = [*tables, *([] if file is None else _beside(file))]
        make = f"make {beside}" if beside is not None else "there is no routekit.toml here that could have any"
        raise UnknownName(f"there is no profile '{profile}'", hint=f"{did_you_mean(profile, known)}; {make}")
    if file is not None and profile in tables:
        inner = {path[2:]: line for path, line in lines.items() if path[:2] == ("profile", profile)}
        layers.lay(tables[profile], _origins(file, inner))
    if beside is not None and beside.exists():
        own, lines = read(beside)
        if "profile" in own:
            hint = f"write what it sets without it: [routekit], not [profile.{profile}.routekit]"
            raise BadOption(f"[profile] in {beside}, which is the file of a profile", hint=hint)
        layers.files.append(beside)
        layers.lay(own, _origins(beside, lines))


def beside_of(file: Path, profile: str) -> Path:
    """The file of a profile.

    >>> beside_of(Path("routekit.toml"), "prod").name
    'routekit.prod.toml'
    """
    return file.with_name(f"{file.stem}.{profile}{file.suffix}")


def profiles_of(file: Path) -> list[str]:
    """The profiles that a settings file has, in tables or in files beside it, by name."""
    return sorted({*read(file)[0].get("profile", {}), *_beside(file)})


def _beside(file: Path) -> list[str]:
    start, end = f"{file.stem}.", file.suffix
    found = [other.name[len(start) : -len(end) or None] for other in file.parent.glob(f"{start}*{end}")]
    return sorted(name for name in found if _PROFILE.fullmatch(name))


def _check_profiles(profiles: object, file: Path | None) -> None:
    tables = cast("Mapping[str, object]", profiles) if isinstance(profiles, Mapping) else {"": profiles}
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            dotted = f"profile.{name}" if name else "profile"
            raise BadOption(f"[{dotted}] in {file} is no table", hint="write [profile.NAME.routekit], and lines below")


def _origins(file: Path, lines: Mapping[KeyPath, int]) -> Callable[[KeyPath], Origin]:
    return lambda path: Origin("file", str(file), lines.get(path, 0))


def read(file: Path) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """What a file says, and the lines of its values; raises DefinitionError, with the line."""
    text = ""
    try:
        text = file.read_bytes().decode()
        return tomllib.loads(text), lines_of(text)
    except OSError as error:
        raise DefinitionError(
            f"cannot read the settings {file}: {error.strerror}", hint="--config names another file"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DefinitionError(f"{file} is not TOML: no UTF-8 (at line {line})", hint="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        said = str(error).replace("at end of document", f"it begins at line {_unfinished(text)} and has no end")
        raise DefinitionError(f"{file} is not TOML: {said}", hint='write text in quotes: name = "value"') from error


def leaves(tables: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """All values of a tree that are no tables, with their paths; a table without any is a value itself."""
    for name, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(cast("Mapping[str, Any]", value), (*path, name))
        else:
            yield (*path, name), value


def lines_of(text: str) -> Mapping[KeyPath, int]:
    r"""The line of each value of a text that is TOML: statement by statement, as each can be read by itself.

    >>> dict(lines_of("[a]\nb = 1\nc = [\n 2]\n"))
    {('a',): 1, ('a', 'b'): 2, ('a', 'c'): 3}
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, statement in _statements(text):
        said = tomllib.loads(statement)
        header = statement.lstrip().startswith("[")
        if header:
            table = _header(said)
            lines.setdefault(table, number)
        for path, _ in () if header else leaves(said):
            lines.setdefault((*table, *path), number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header and each assignment, with the line that it begins at; what has no end is not among them."""
    statement: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        statement.append(line)
        try:
            tomllib.loads("\n".join(statement))
        except tomllib.TOMLDecodeError:  # the value goes on in the next line
            continue
        yield number - len(statement) + 1, "\n".join(statement)
        statement = []


def _unfinished(text: str) -> int:
    """The line at which the last statement begins, which has no end."""
    done = max((number + statement.count("\n") for number, statement in _statements(text)), default=0)
    return done + 1


def _header(said: Any) -> KeyPath:
    """The path that `[a.b]` or `[[a.b]]` opens."""
    path: list[str] = []
    while isinstance(said, list | dict) and said:
        if isinstance(said, dict):
            (name, said) = next(iter(cast("dict[str, Any]", said).items()))
            path.append(name)
        else:
            said = cast("list[Any]", said)[0]
    return tuple(path)
