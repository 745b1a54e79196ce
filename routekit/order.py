"""The order of things that come after one another, by their names."""

from collections.abc import Iterable, Mapping


def cycle(after: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A circle of names that all come after each other, the first also at its end; None if there is none.

    >>> cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c', 'b']
    """
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        found = next((circle for other in after.get(name, ()) if (circle := visit(other, [*path, name]))), None)
        done.add(name)
        return found

    return next((circle for name in after if (circle := visit(name, []))), None)


def levels(after: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The names in groups: what comes after others is in a later group than they, if there is no circle.

    Where there is one, it is cut at the name that is asked for first; names that are no keys do not count.

    >>> levels({"shop": ["book"], "book": ["store"], "store": [], "tick": []})
    [['store', 'tick'], ['book'], ['shop']]
    """
    ranks: dict[str, int] = {}

    def rank(name: str, path: frozenset[str]) -> int:
        if name not in ranks:
            others = [other for other in after[name] if other in after and other not in path and other != name]
            ranks[name] = max((rank(other, path | {name}) + 1 for other in others), default=0)
        return ranks[name]

    for name in after:
        rank(name, frozenset())
    return [[name for name in after if ranks[name] == number] for number in sorted(set(ranks.values()))]
