"""What is to be made is checked before anything is written."""

import tomllib
from pathlib import Path

import pytest

from routekit import BadOption, RouteKitError, UnknownName
from routekit.scaffold.plan import KINDS, LONGEST, Plan, kinds_of
from routekit.scaffold.rendering import rendered, write


def pyproject(plan: Plan) -> dict[str, object]:
    return tomllib.loads(rendered(plan, year=2026, version="0.1.0")["pyproject.toml"])["project"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Acme", "write acme"),
        ("acme_crm", "write acme-crm"),
        ("acme crm", "write acme-crm"),
        ("routekit-acme", "write acme"),
        ("-acme-", "write acme"),
        ("7up", "write up"),
        ("a--b", "write a-b"),
        ("sftp+ssh", "write sftp-ssh"),
        ("../../etc/passwd", "write etc-passwd"),
        ("", "begin with a letter"),
        ("Ω", "begin with a letter"),
        ("acme\n", "write acme"),
    ],
)
def test_a_name_that_cannot_begin_a_uri_is_refused(name: str, hint: str) -> None:
    """Nor one that cannot name a distribution; the nearest that can is told."""
    with pytest.raises(BadOption, match="cannot be the name of a plugin") as caught:
        Plan(name, ("source",))
    assert caught.value.hint.startswith(hint)


def test_a_name_has_an_end() -> None:
    """It is part of the names of modules and classes."""
    assert Plan("a" * LONGEST, ("sink",)).package == "routekit_" + "a" * LONGEST
    with pytest.raises(BadOption, match="has 25 letters"):
        Plan("a" * (LONGEST + 1), ("sink",))


def test_the_names_of_routekit_itself_are_taken() -> None:
    """`routekit-eip` is the core."""
    with pytest.raises(BadOption, match="'routekit-eip' is RouteKit's own"):
        Plan("eip", ("sink",))


def test_kinds_are_read_as_people_write_them() -> None:
    """With commas or spaces, in any order, each once."""
    assert kinds_of("sink, source,SINK") == ("source", "sink")
    assert kinds_of("") == ()


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    """And none is told with all of them."""
    with pytest.raises(UnknownName, match="'sorce'") as caught:
        Plan("acme", kinds_of("sorce,sink"))
    assert caught.value.hint == "did you mean 'source'?"
    with pytest.raises(BadOption, match="no kind is given") as none:
        Plan("acme", ())
    assert all(kind in none.value.hint for kind in KINDS)


def test_a_scheme_has_one_source() -> None:
    """Pulled or called: the catalog could not tell them apart."""
    with pytest.raises(BadOption, match="a scheme has one source"):
        Plan("acme", ("source", "listener"))


def test_an_unknown_licence_is_told_with_the_nearest() -> None:
    """As any other name."""
    with pytest.raises(UnknownName) as caught:
        Plan("acme", ("sink",), license="Apache-2")
    assert caught.value.hint == "did you mean 'Apache-2.0'?"


def test_an_author_may_be_called_anything_that_can_be_printed() -> None:
    """Quotes, backslashes and every alphabet stay what they are in pyproject.toml."""
    name = 'Ωμέγα "O\'Hara" \\ 🐿'
    assert pyproject(Plan("acme", ("sink",), author=name))["authors"] == [{"name": name}]
    whole = pyproject(Plan("acme", ("sink",), author="Ann", email="ann@example.org"))
    assert whole["authors"] == [{"name": "Ann", "email": "ann@example.org"}]
    assert "authors" not in pyproject(Plan("acme", ("sink",)))
    with pytest.raises(BadOption, match="the author is"):
        Plan("acme", ("sink",), author='Ann"\n[tool.evil]')
    with pytest.raises(BadOption, match="no address for mail"):
        Plan("acme", ("sink",), email="ann at example")


def test_each_licence_has_its_text() -> None:
    """With year and holder, and an expression that packaging knows."""
    for name in ("MIT", "BSD-3-Clause"):
        plan = Plan("acme", ("sink",), license=name, author="Ann Example")
        text = rendered(plan, year=2031, version="0.1.0")["LICENSE"]
        assert "2031" in text
        assert "Ann Example" in text
        assert pyproject(plan)["license"] == name
    assert "Apache License" in rendered(Plan("acme", ("sink",)), year=2026, version="0.1.0")["LICENSE"]


def test_what_is_nobodys_business_is_not_published() -> None:
    """A proprietary plugin has no job that publishes it, and an index would refuse it."""
    files = rendered(Plan("acme", ("sink",), license="proprietary"), year=2026, version="0.1.0")
    assert "publish:" not in files[".github/workflows/ci.yml"]
    assert "Private :: Do Not Upload" in files["pyproject.toml"]
    assert "All rights reserved" in files["LICENSE"]
    assert "publish:" in rendered(Plan("acme", ("sink",)), year=2026, version="0.1.0")[".github/workflows/ci.yml"]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder may be there if it is empty; else it is named, and stays as it was."""
    write(tmp_path / "a", {"x/y.txt": "new"})
    assert (tmp_path / "a/x/y.txt").read_text(encoding="utf-8") == "new"
    with pytest.raises(BadOption, match="is not empty"):
        write(tmp_path / "a", {"x/y.txt": "newer"})
    assert (tmp_path / "a/x/y.txt").read_text(encoding="utf-8") == "new"
    with pytest.raises(BadOption, match="is a file"):
        write(tmp_path / "a/x/y.txt", {"z": ""})
    (tmp_path / "b").mkdir()
    write(tmp_path / "b", {"x": ""})


def test_what_the_system_refuses_is_told(tmp_path: Path) -> None:
    """With the path, and without a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(RouteKitError, match=r"cannot write .*file"):
        write(tmp_path / "file" / "below", {"x": ""})
