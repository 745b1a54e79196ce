"""Units: routes that feed each other, by whatever endpoints, are simulated together, and others are not."""

from collections.abc import Sequence

from ..endpoint import address_of
from ..plugins import Catalog
from ..route import Route
from .running import addresses


def units_of(routes: Sequence[Route], catalog: Catalog) -> list[list[Route]]:
    """The routes in groups, in their order: of those in different ones none sends where another reads."""
    names = {route.name: number for number, route in enumerate(routes)}
    groups = list(range(len(routes)))

    def root(number: int) -> int:
        while groups[number] != number:
            number = groups[number]
        return number

    readers: dict[str, list[str]] = {}
    for route in routes:
        readers.setdefault(_bare(address_of(catalog.source(route.source))), []).append(route.name)
        readers.setdefault(_bare(str(route.source)), []).append(route.name)
    for route in routes:
        for address in addresses(route):
            for reader in readers.get(_bare(address), ()):
                first, second = sorted((root(names[route.name]), root(names[reader])))
                groups[second] = first
    found: dict[int, list[Route]] = {}
    for number, route in enumerate(routes):
        found.setdefault(root(number), []).append(route)
    return list(found.values())


def _bare(address: str) -> str:
    return address.partition("?")[0]
