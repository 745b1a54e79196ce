"""The options of the source: what is refused when a route is written, and with which words."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from routekit import BadOption
from routekit_file import FileSource


def test_what_becomes_of_a_file_must_be_said() -> None:
    """Without `after` the source is refused, and the three choices are listed."""
    with pytest.raises(BadOption, match=r"after=move.*after=delete.*after=keep"):
        FileSource.of("in", {})


def test_a_typed_source_must_say_it_too() -> None:
    """The constructor asks for `after` with the same words."""
    with pytest.raises(ValidationError, match="after=move"):
        FileSource(directory=Path("in"))  # pyright: ignore


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"after": "shred"}, "'move', 'delete' or 'keep'"),
        ({"after": "delete", "done_to": "done"}, "done_to is for after=move, but after=delete"),
        ({"after": "keep", "done_to": "done"}, "done_to is for after=move"),
        ({"after": "keep", "read": "path", "max_bytes": "5MB"}, "max_bytes is for read=whole"),
        ({"after": "keep", "read": "path", "codec": "csv"}, "read=path gives the path"),
        ({"after": "move", "done_to": "x", "failed_to": "x"}, "both 'x'"),
        ({"after": "move", "done_to": "."}, "other folders than the directory"),
        ({"after": "move", "done_to": "{size}"}, "the placeholders are {date}, {time}, {name}"),
        ({"after": "move", "done_to": "{stem}.done"}, "it must begin with a folder, such as done/{stem}.done"),
        ({"after": "move", "done_to": "/{stem}/x"}, "its last part is the name of the file"),
        ({"after": "move", "done_to": "./{name}"}, "it must begin with a folder"),
        ({"after": "move", "done_to": f"{Path.cwd()}/in/{{stem}}.done"}, "other folders than the directory"),
        ({"after": "delete", "known_by": "name"}, "known_by is for after=keep, but after=delete"),
        ({"after": "keep", "depth": "2"}, "depth is for recursive=true"),
        ({"after": "keep", "min_size": "2KB", "max_size": "1KB"}, "no file has min_size=2048 and max_size=1024"),
        ({"after": "keep", "min_age": "1h", "max_age": "30m"}, "max_age=1800 is over before min_age and stable are"),
        ({"after": "keep", "max_files": "0"}, "greater than or equal to 1"),
        ({"after": "move", "done_to": "../x"}, "write an absolute path"),
        ({"after": "move", "done_file": "READY"}, "named after its file"),
        ({"after": "move", "done_file": "../{name}.ok"}, "beside its file"),
        ({"after": "move", "sort": "random"}, "'name', 'modified'"),
        ({"after": "move", "poll": "0"}, "greater than 0"),
        ({"after": "move", "inclde": "*"}, "did you mean 'include'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, str], words: str) -> None:
    """A contradiction is an error at check, which says what to do."""
    with pytest.raises(BadOption) as refused:
        FileSource.of("in", options)
    assert words in str(refused.value)


def test_watching_names_the_package_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, `watch` is refused with the command that installs it."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(BadOption, match=r"pip install 'routekit-file\[watch\]'"):
        FileSource.of("in", {"after": "keep", "watch": "true"})


def test_durations_and_sizes_are_written_as_people_do() -> None:
    """Options take units."""
    source = FileSource.of("in", {"after": "keep", "poll": "2m", "stable": "500ms", "max_bytes": "1KB"})
    assert (source.poll, source.stable, source.max_bytes) == (120, 0.5, 1024)


def test_whole_files_go_back_and_records_do_not() -> None:
    """A refused file belongs to `failed_to`; a refused record becomes a dead letter and does not fail its file."""
    assert FileSource(directory=Path("in"), after="move").takes_back()
    assert not FileSource(directory=Path("in"), after="move", read="records").takes_back()
