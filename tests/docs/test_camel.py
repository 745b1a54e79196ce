"""The page for those who come from Camel: complete, and true about the words and tests that it names."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import routekit
from routekit import Flow, Policy
from routekit.cli.commands import COMMANDS
from routekit.flow import Choosing, Chosen
from routekit.plugins import Catalog

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "camel.md"

_PALETTE = """
    a2aSubTask aggregate bean choice circuitBreaker claimCheck convertBodyTo convertHeaderTo convertVariableTo delay
    delete doCatch doFinally doTry dynamicRouter enrich filter get head idempotentConsumer kamelet kaoto-datamapper
    loadBalance log loop marshal multicast onFallback otherwise patch pausable pipeline policy poll pollEnrich post
    process put recipientList removeHeader removeHeaders removeProperties removeProperty removeVariable resequence
    resumable rollback routingSlip saga sample script setBody setExchangePattern setHeader setHeaders setProperty
    setVariable setVariables sort split step stop threads throttle throwException to toD tokenizer transacted transform
    transformDataType unmarshal validate when wireTap
"""
PALETTE = _PALETTE.split()
"""The names of the pattern catalog of Camel 4.22.1."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in table[1:]]


def named(cell: str) -> list[str]:
    """What a cell names as code."""
    return re.findall(r"`([^`]+)`", cell)


def exists(word: str) -> bool:
    """Whether RouteKit has what a page names: a word, an option of one, a field of a policy, a scheme, a command."""
    if word.endswith(":"):
        return word[:-1] in Catalog().schemes()
    scheme, colon, field = word.partition(":")
    if colon:
        return any(field in kind.model_fields for kind in Catalog().endpoints(scheme))
    if word.startswith("routekit "):
        return word.split()[1] in COMMANDS
    name, _, option = word.rstrip("=)").partition("(")
    places = [vars(place) for place in (Flow, Choosing, Chosen, routekit)]
    if option and name == "Policy":
        return option in {field.name for field in dataclasses.fields(Policy)}
    found = next((place[name] for place in places if name in place), None)
    return found is not None and (not option or option in inspect.signature(found).parameters)


def known_tests() -> set[str]:
    """The names of all tests of the repository."""
    files = [*(ROOT / "tests").rglob("test_*.py"), *ROOT.glob("plugins/*/tests/**/test_*.py")]
    return {name for file in files for name in re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text(), re.M)}


def test_every_entry_of_the_palette_is_in_the_table() -> None:
    """All 75 of them, in the order of the alphabet."""
    assert len(PALETTE) == 75
    assert [row[0] for row in rows("The palette")] == PALETTE


@pytest.mark.parametrize("heading", ["The palette", "At the top of a file", "Components"])
def test_the_words_that_are_named_are_there(heading: str) -> None:
    """A row names words that exist, or says that there is none and why."""
    for name, words, note in rows(heading):
        assert named(words) or (words in ("none", "none yet") and note), name
        assert [word for word in named(words) if not exists(word)] == [], name


@pytest.mark.parametrize(("heading", "least"), [("Behaviour", 29), ("What Camel's users complain about", 31)])
def test_the_tests_that_are_named_are_there(heading: str, least: int) -> None:
    """A row names the tests that hold it, or says that it comes with its plugin."""
    table, known = rows(heading), known_tests()
    assert len(table) >= least
    for row in table:
        assert named(row[-1]) or row[-1] == "comes with its plugin", row
        assert [name for name in named(row[-1]) if name not in known] == []
