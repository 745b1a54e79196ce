"""Pages: what describes itself, as Markdown for the reference."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from .reference import Entry, Meaning, Option

T = TypeVar("T")


def page(title: str, entries: Sequence[Entry], *lead: str) -> str:
    """A whole page: the title, the paragraphs of `lead`, and a section for each entry."""
    parts = [f"# {title}", *lead]
    for entry in entries:
        parts += [f"## {_heading(entry, entries)}", *section(entry)]
    return "\n\n".join(parts) + "\n"


def section(entry: Entry) -> list[str]:
    """All that an entry says of itself, in paragraphs; what it says nothing about is left out."""
    usage = f"`{entry.usage}`" + (f", or typed: `{entry.written}(...)`" if entry.written else "")
    return [
        usage,
        *([entry.doc] if entry.doc else []),
        *_told("Options", entry.options, table),
        *_told("Promises", [*entry.promises, *entry.remarks], _sentences),
        *_told("Headers that it gives", entry.headers, _meanings("header")),
        *_told("Headers that it looks at", entry.reads, _meanings("header")),
        *_told("Errors", entry.raises, _meanings("error")),
        *_told("Figures", entry.figures, _meanings("figure")),
        *[part for settings in entry.settings for part in _settings(settings)],
        *_told("Example", entry.example, _program),
    ]


def table(options: Iterable[Option]) -> str:
    """Options as a table."""
    rows = [(f"`{each.name}`", _type(each), default(each), each.doc) for each in options]
    return _table(("option", "type", "default", "meaning"), rows)


def default(option: Option) -> str:
    """The default as it is shown; a delimiter is a tab, not a gap."""
    if option.required:
        return "required"
    return f"`{option.default}`" if option.default else "empty"


def _type(option: Option) -> str:
    return f"`{option.type}`" + (f", {option.limits}" if option.limits else "")


def _heading(entry: Entry, entries: Sequence[Entry]) -> str:
    """What tells the entries of a page apart: their kind if they have one name, else the name."""
    if len({each.name for each in entries}) == 1:
        return f"As a {entry.kind}"
    return entry.name.rpartition(".")[2]


def _told(title: str, content: T, drawn: Callable[[T], str]) -> list[str]:
    return [f"### {title}", drawn(content)] if content else []


def _sentences(texts: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(text.split())}" for text in texts)


def _meanings(of: str) -> Callable[[Iterable[Meaning]], str]:
    return lambda those: _table((of, "meaning"), [(f"`{each.name}`", each.doc) for each in those])


def _settings(entry: Entry) -> list[str]:
    return [f"### Settings `{entry.usage}`", *([entry.doc] if entry.doc else []), table(entry.options)]


def _program(text: str) -> str:
    return f"```python\n{text}\n```"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [head, *([" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows)]
    lines = [f"| {' | '.join(line)} |" for line in cells]
    return "\n".join([lines[0], f"|{'---|' * len(head)}", *lines[1:]])
