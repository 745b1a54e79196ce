"""What is installed: RouteKit itself, plugins that can be imported or not, and what they could have besides."""

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points

from ...extras import DISTRIBUTION
from ...hookspecs import GROUP, INTERFACE, misfit
from .finding import Finding, fail, ok

_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_OLDER = re.compile(r"""python_version\s*<\s*["'](\d+)\.(\d+)["']""")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def installed() -> Iterator[Finding]:
    """RouteKit and each distribution with plugins; every plugin is imported."""
    if version():
        yield ok("routekit", f"{version()}, interface {INTERFACE} for plugins")
    else:
        yield fail("routekit", "it runs, and is not installed", f"pip install {DISTRIBUTION}")
    points = sorted(entry_points(group=GROUP), key=lambda point: (_of(point), point.name))
    for name in sorted({_of(point) for point in points}):
        yield from _plugin(name, [point for point in points if _of(point) == name])
    yield from _twice(points)
    yield from _extras()


def version() -> str:
    """The RouteKit that is installed; empty if it is not."""
    try:
        return distribution(DISTRIBUTION).version
    except PackageNotFoundError:
        return ""


def _plugin(name: str, points: Sequence[EntryPoint]) -> Iterator[Finding]:
    what = f"plugin {name}" if name != DISTRIBUTION else "built in"
    broken: list[Finding] = []
    interfaces: set[int] = set()
    for point in points:
        try:
            module = point.load()
            unfit = misfit(module)
            interfaces |= {getattr(module, "routekit_interface", INTERFACE)}
        except Exception as error:  # whatever a stranger's module does when it is imported
            found = f"'{point.name}' cannot be imported: {type(error).__name__}: {error}"
            broken.append(fail(what, found, f"is it installed whole? pip install --force-reinstall {name}"))
        else:
            broken += [fail(what, f"'{point.name}' {unfit[0]}", unfit[1])] if unfit else []
    yield from broken
    if not broken:
        found = points[0].dist.version if points[0].dist else "?"
        spoken = ", ".join(str(one) for one in sorted(interfaces))
        yield ok(what, f"{found}, interface {spoken}: {', '.join(point.name for point in points)}")


def _twice(points: Sequence[EntryPoint]) -> Iterator[Finding]:
    offered: dict[str, list[EntryPoint]] = {}
    for point in points:
        offered.setdefault(point.name, []).append(point)
    for name, those in offered.items():
        if len({point.value for point in those}) > 1:
            both = " and ".join(sorted(_of(point) for point in those))
            yield fail("plugins", f"'{name}' is offered by {both}", "uninstall one of them")


def _extras() -> Iterator[Finding]:
    """Which extras of RouteKit are there; those that are not may never be missed."""
    try:
        found = extras_of(distribution(DISTRIBUTION))
    except PackageNotFoundError:
        return
    there = [name for name, missing in found.items() if not missing]
    away = [name for name, missing in found.items() if missing]
    lacking = f"; not installed: {', '.join(away)}" if away else ""
    yield ok("extras", f"installed: {', '.join(there) or 'none'}{lacking}")


def extras_of(given: Distribution) -> dict[str, list[str]]:
    """The extras of a distribution, and of each what of it is not installed."""
    found: dict[str, list[str]] = {name: [] for name in sorted(given.metadata.get_all("Provides-Extra") or [])}
    for requirement in given.requires or ():
        extra, name, older = _EXTRA.search(requirement), _NAME.match(requirement), _OLDER.search(requirement)
        needed = older is None or sys.version_info[:2] < (int(older[1]), int(older[2]))
        if extra is not None and name is not None and needed and not _there(name[0]):
            found.setdefault(extra[1], []).append(name[0])
    return found


def _there(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _of(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "?"
