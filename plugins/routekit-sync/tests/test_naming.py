"""A pair is named as `module:variable`; what is named wrongly is told with what there is."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from routekit import LoadError, UnknownName
from routekit_sync import FolderRemote, SyncPair
from routekit_sync.naming import pair_of

PAIR = SyncPair("people", FolderRemote("crm", Path("crm")), FolderRemote("erp", Path("erp")), [])


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ModuleType("naming_pairs")
    there.people, there.number = PAIR, 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "naming_pairs", there)


def test_a_pair_is_found() -> None:
    """By its module and variable; a pair that is given itself is taken as it is."""
    assert pair_of("naming_pairs:people") is PAIR
    assert pair_of(PAIR) is PAIR


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("people", "'people' names no pair; write sync:module:variable"),
        ("naming_pairs:", "names no pair"),
        ("naming_pairs:poeple", "module 'naming_pairs' has no pair 'poeple'; did you mean 'people'?"),
        ("naming_pairs:number", "has no pair 'number'; known: people"),
        ("not_there_at_all:people", "there is no module 'not_there_at_all'"),
    ],
)
def test_what_is_not_there_is_told(text: str, says: str) -> None:
    """With what to write instead."""
    with pytest.raises(UnknownName) as caught:
        pair_of(text)
    assert says in str(caught.value)


def test_a_broken_module_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it raised."""
    (tmp_path / "naming_broken.py").write_text("1 // 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LoadError, match="cannot be imported: ZeroDivisionError"):
        pair_of("naming_broken:people")
