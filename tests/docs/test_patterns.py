"""Every word of the language has its page, of one form, and the page knows all options of the word."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import routekit
from routekit import Flow
from routekit.flow import Chosen

DOCS = Path(__file__).parents[2] / "docs" / "patterns"
WORDS = sorted(path.stem for path in (Path(routekit.__file__).parent / "eip").glob("*.py") if path.stem[0] != "_")
HEADINGS = ["Picture", "Example", "Options", "Acknowledgement", "Failure", "How Camel differs"]
CHAPTERS = [
    "Routing",
    "Splitting and joining",
    "Transformation",
    "Flow control",
    "Reliability",
    "Messages",
    "Composition",
]
METHODS: dict[str, list[Callable[..., Any]]] = {"choice": [Chosen.when, Chosen.otherwise]}

each_word = pytest.mark.parametrize("word", WORDS)


def sections(word: str) -> dict[str, str]:
    """The text below each heading of a word's page."""
    _, *parts = re.split(r"^## (.+)$", (DOCS / f"{word}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def options(word: str) -> dict[str, str]:
    """The options in the table of a page, with their defaults."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \|", sections(word)["Options"], flags=re.MULTILINE)
    return {name: default.strip("`") for name, default in rows}


@each_word
def test_every_word_has_a_page_of_the_same_form(word: str) -> None:
    """A title, a sentence, and the same headings in the same order; a picture and an example that runs."""
    text = (DOCS / f"{word}.md").read_text(encoding="utf-8")
    title, gap, sentence, *_ = text.splitlines()
    assert title.lower().replace(" ", "_") == f"#_{word}"
    assert (gap, sentence[:1].isupper(), sentence.endswith(".")) == ("", True, True)
    assert list(sections(word)) == HEADINGS
    assert "```mermaid\n" in sections(word)["Picture"]
    assert "```python\n" in sections(word)["Example"]
    assert all(text.strip() for text in sections(word).values())


@each_word
def test_the_page_knows_the_options_of_the_word(word: str) -> None:
    """Each parameter is in the table with its default, and nothing that the word does not take."""
    parameters = {
        name: parameter
        for method in METHODS.get(word, [getattr(Flow, word)])
        for name, parameter in list(inspect.signature(method).parameters.items())[1:]
    }
    told = options(word)
    assert sorted(told) == sorted(parameters)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty:
            assert told[name] == "required" or (parameter.kind is parameter.VAR_KEYWORD and told[name] == "none"), name
        else:
            default = parameter.default.__name__ if inspect.isclass(parameter.default) else repr(parameter.default)
            assert told[name] in (default, default.replace("'", '"')), name


def test_every_word_stands_in_one_chapter() -> None:
    """The index has the chapters in their order, and each word in one of them, with a line about it."""
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == CHAPTERS
    listed = re.findall(r"^- \[\w+\]\((\w+)\.md\): \S.+$", text, flags=re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(WORDS) <= set(listed)


def test_the_alphabet_of_the_language_is_whole() -> None:
    """The tour leads to the page of every word, in the order of the alphabet."""
    text = (DOCS.parent / "language.md").read_text(encoding="utf-8")
    listed = re.findall(r"\[(\w+)\]\(patterns/\w+\.md\)", text.partition("## The alphabet")[2].partition("\n## ")[0])
    assert listed == sorted(listed)
    assert set(WORDS) <= set(listed)


def test_the_chapters_are_in_order() -> None:
    """Within a chapter of the index, words stand in the order of the alphabet."""
    for chapter in (DOCS / "index.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        words = [page for page in re.findall(r"^- \[.+?\]\((\w+)\.md\)", chapter, flags=re.MULTILINE) if page in WORDS]
        assert words == sorted(words), chapter.splitlines()[0]
