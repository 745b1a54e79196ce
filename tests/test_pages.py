"""Pages: what describes itself, as Markdown."""

from routekit.pages import page, section, table
from routekit.reference import Entry, Meaning, Option

SINK = Entry(
    name="pigeon",
    kind="sink",
    usage="pigeon:LOFT?option=value",
    doc="Sends a pigeon.",
    options=(Option("loft", "str | None", "", "where | it\nstarts", True), Option("tag", "str", "", "")),
    promises=("ordered: they fly in order",),
    written="routekit_pigeon.Pigeon",
    remarks=("With rain\nnone.",),
    headers=(Meaning("pigeon.ring", "its number"),),
    raises=(Meaning("Unavailable", "at night"),),
    settings=(Entry("pigeon.NAME", "table of settings", "[pigeon.NAME]", "A loft."),),
    example="print(1)",
)


def test_a_page_has_all_that_an_entry_says() -> None:
    """Each thing that is said has its heading, and what is not said has none."""
    text = page("pigeon:", [SINK], "Lead.")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# pigeon:",
        "## As a sink",
        "### Options",
        "### Promises",
        "### Headers that it gives",
        "### Errors",
        "### Settings `[pigeon.NAME]`",
        "### Example",
    ]
    assert "\n\nLead.\n\n" in text
    assert "- With rain none.\n" in text
    assert text.endswith("```python\nprint(1)\n```\n")


def test_entries_of_several_names_are_told_apart() -> None:
    """On a page of codecs the name is the heading."""
    entries = [Entry("codec.csv", "codec", "codec=csv", "Rows."), Entry("codec.text", "codec", "codec=text", "Text.")]
    text = page("Codecs", entries)
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## csv", "## text"]


def test_nothing_in_a_table_breaks_its_cells() -> None:
    """Bars and line breaks stay inside their cell."""
    assert table(SINK.options).splitlines()[2:] == [
        "| `loft` | `str \\| None` | required | where \\| it starts |",
        "| `tag` | `str` | empty |  |",
    ]


def test_an_entry_without_anything_is_its_usage() -> None:
    """Little is said of what says little."""
    assert section(Entry("x", "sink", "x:", "")) == ["`x:`"]
