"""Layers: files, profiles and where each value came from."""

import doctest
from pathlib import Path

import pytest

from routekit import layers
from routekit.errors import BadOption, DefinitionError, UnknownName
from routekit.layers import lines_of, profiles_of
from routekit.settings import Settings, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file with a profile in it, and one beside it."""
    file = tmp_path / "routekit.toml"
    file.write_text(
        '[routekit]\ndrain = "5s"\nretries = 1\n\n[sql.crm]\nurl = "file"\nhosts = ["a", "b"]\n'
        "[profile.test.routekit]\nretries = 2\n"
    )
    (tmp_path / "routekit.prod.toml").write_text(
        '[routekit]\nretries = 3\n[sql.crm]\nhosts = ["c"]\npool = 4\n[values]\n'
    )
    return file


def test_what_it_says() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(layers).failed == 0


def test_a_profile_lies_over_the_file(file: Path) -> None:
    """Its tables are merged with those of the file, and its lists take the place of others."""
    settings = load_settings(file, profile="prod")
    assert (settings.options.drain, settings.options.retries, settings.profile) == (5.0, 3, "prod")
    assert settings.table("sql", "crm") == {"url": "file", "hosts": ["c"], "pool": 4}


def test_a_profile_may_be_tables_of_the_file(file: Path) -> None:
    """`[profile.test.routekit]` holds for that profile alone, and is no table for a plugin."""
    assert load_settings(file, profile="test").options.retries == 2
    assert load_settings(file).options.retries == 1
    assert "profile" not in load_settings(file).tables


def test_the_environment_may_name_the_profile(file: Path) -> None:
    """What is asked for on the command line goes before it."""
    environ = {"ROUTEKIT_PROFILE": "prod"}
    assert load_settings(file, environ=environ).options.retries == 3
    assert load_settings(file, environ=environ, profile="test").options.retries == 2


def test_the_order_of_all_places(file: Path) -> None:
    """Default, file, profile, environment, --set: each wins over those before it, and is told as the origin."""
    environ = {"ROUTEKIT_RETRIES": "4"}
    chain = [
        (load_settings(None), 0, "default"),
        (load_settings(file), 1, f"{file}:3"),
        (load_settings(file, profile="prod"), 3, f"{file.parent / 'routekit.prod.toml'}:2"),
        (load_settings(file, profile="prod", environ=environ), 4, "environment ROUTEKIT_RETRIES"),
        (load_settings(file, ["retries=5"], environ, "prod"), 5, "--set"),
    ]
    for settings, retries, origin in chain:
        assert (settings.options.retries, settings.origin("retries")) == (retries, origin)


def test_the_origin_of_values_and_tables(file: Path) -> None:
    """A placeholder comes from the environment, `[values]` or --set; what lies in a list came where the list did."""
    file.write_text('[values]\nWHO = "w"\nHOW = """\ntwo\nlines"""\nWHEN = 1\n[a.b]\nkeys = [{ x = 1 }]\n')
    settings = load_settings(file, ["WHEN=2"], {"WHO": "me", "HOME": "h"})
    names = ("WHO", "HOW", "values.WHEN", "HOME", "NOBODY", "a.b.keys", "a.b.keys.1.x")
    lines = [f"{file}:3", f"{file}:8"]
    assert [settings.origin(name) for name in names] == [
        "environment WHO", lines[0], "--set", "environment HOME", "default", lines[1], lines[1],
    ]  # fmt: skip


def test_an_unknown_profile(file: Path) -> None:
    """Is refused with those that there are, and what to do."""
    with pytest.raises(UnknownName, match=r"no profile 'prdo'; did you mean 'prod'\?; make .*routekit\.prdo\.toml"):
        load_settings(file, profile="prdo")
    with pytest.raises(UnknownName, match="known: prod, test"):
        load_settings(file, profile="zzzzz")
    with pytest.raises(UnknownName, match=r"no routekit\.toml here"):
        load_settings(None, profile="prod")
    assert profiles_of(file) == ["prod", "test"]


@pytest.mark.parametrize("name", ["../prod", "/etc/passwd", "a.b", "a b", "-x"])
def test_a_profile_is_a_plain_name(file: Path, name: str) -> None:
    """It cannot lead to a file elsewhere."""
    with pytest.raises(BadOption, match="cannot be a profile"):
        load_settings(file, profile=name)


def test_a_profile_has_no_profiles(file: Path) -> None:
    """The file of a profile says what it sets, and not for whom."""
    (file.parent / "routekit.prod.toml").write_text("[profile.prod.routekit]\nretries = 1\n")
    with pytest.raises(BadOption, match=r"\[profile\] in .*routekit\.prod\.toml"):
        load_settings(file, profile="prod")
    file.write_text("[profile]\nprod = 3\n")
    with pytest.raises(BadOption, match=r"\[profile\.prod\] in .* is no table"):
        load_settings(file)


def test_a_table_without_lines_takes_nothing_away(file: Path) -> None:
    """A header alone, in a profile, leaves what the file has below it."""
    (file.parent / "routekit.prod.toml").write_text("[sql.crm]\n")
    assert load_settings(file, profile="prod").table("sql", "crm") == load_settings(file).table("sql", "crm")


def test_mistakes_are_told_with_their_line(file: Path) -> None:
    """Of the file in which they are: what is no TOML, no text, has no end, or is no good value."""
    beside = file.parent / "routekit.prod.toml"
    for text, said in (
        (b"[routekit]\n\ndrain = 5s\n", "prod.toml is not TOML: .*line 3"),
        (b"[routekit]\nlog = '\xff'\n", r"prod.toml is not TOML: no UTF-8 \(at line 2\)"),
        (b"[a]\nb = 1\nc = [\n1,\n", "prod.toml is not TOML: .*begins at line 3 and has no end"),
        (b"[a]\nb = 1\n[a]\n", "prod.toml is not TOML: .*line 3"),
        (b"[routekit]\n\ndrain = 'soon'\n", r"prod\.toml:3: routekit: 'drain'"),
        (b"[retention]\naudit = 'x'\n", r"prod\.toml:2: retention: 'audit'"),
        (b"[log]\n'a.b' = 'loud'\n", r"prod\.toml:2: \[log\] a.b: 'loud' is no level"),
        (b"[log]\na.b = 'loud'\n", r"prod\.toml:2: \[log\] a.b: 'loud' is no level"),
        (b"[values]\nA = [1]\n", "A is a list"),
    ):
        beside.write_bytes(text)
        with pytest.raises(DefinitionError, match=said):
            load_settings(file, profile="prod")


def test_a_wrong_value_of_the_environment_is_told_as_that(file: Path) -> None:
    """And not with the line of a file, which says something else."""
    with pytest.raises(BadOption, match=r"^environment ROUTEKIT_DRAIN: routekit: 'drain'"):
        load_settings(file, environ={"ROUTEKIT_DRAIN": "soon"})


def test_lines_of_every_form() -> None:
    """Dotted and quoted keys, inline tables, texts and lists of several lines, tables in lists, comments."""
    text = (
        '# one\na.b = 1\n[x."y.z"]  # a [comment]\nt = """\n[no]\nu = 2\n"""\nl = [\n  1, # ]\n  2,\n]\n'
        "i = { p = 1, q = 2 }\n"
        "[[r]]\ns = 1\n"
    )
    assert dict(lines_of(text)) == {
        ("a", "b"): 2,
        ("x", "y.z"): 3,
        ("x", "y.z", "t"): 4,
        ("x", "y.z", "l"): 8,
        ("x", "y.z", "i", "p"): 12,
        ("x", "y.z", "i", "q"): 12,
        ("r",): 13,
        ("r", "s"): 14,
    }


def test_without_settings_there_is_an_origin_all_the_same() -> None:
    """Settings that nobody loaded are defaults."""
    assert Settings().origin("drain") == "default"
