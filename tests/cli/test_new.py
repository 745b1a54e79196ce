"""`routekit new plugin`: what is made, and what is refused."""

from pathlib import Path

from .conftest import Command


def test_a_plugin_is_made(routekit: Command) -> None:
    """In a folder of its name; every file is listed, and what to do next."""
    done = routekit("new", "plugin", "acme", "--kind", "source,sink", "--author", "Ann Example", "--license", "MIT")
    assert done.code == 0, done.said
    lines = done.out.splitlines()
    folder = routekit.folder / "routekit-acme"
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert lines[0] == f"routekit-acme: {len(files)} files of routekit-acme"
    assert {line.strip() for line in lines[1 : lines.index("next:")]} == files
    assert {"pyproject.toml", "src/routekit_acme/py.typed", "tests/test_source.py", "docs/acme.md"} <= files
    assert "Ann Example" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_it_may_go_elsewhere(routekit: Command) -> None:
    """With `--folder`, also into one that is there and empty."""
    (routekit.folder / "here").mkdir()
    assert routekit("new", "plugin", "acme", "--kind", "codec", "--folder", "here").code == 0
    assert (routekit.folder / "here/src/routekit_acme/codec.py").exists()


def test_nothing_is_written_over(routekit: Command) -> None:
    """A second time, the folder is not empty."""
    routekit("new", "plugin", "acme", "--kind", "hook")
    mine = routekit.write("routekit-acme/README.md", "mine")
    again = routekit("new", "plugin", "acme", "--kind", "sink")
    assert again.code == 2
    assert again.err == "error: routekit-acme is not empty\n  name another one: --folder PATH\n"
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_name_that_somebody_offers_is_refused(routekit: Command) -> None:
    """Whatever the kind: two that offer the same name cannot be used together."""
    for name, kind, offered in (("timer", "sink", "timer"), ("csv", "codec", "codec.csv")):
        done = routekit("new", "plugin", name, "--kind", kind)
        assert done.code == 2
        assert done.err.startswith(f"error: '{offered}' is offered by routekit-eip ")
        assert "--force" in done.err
        assert not (routekit.folder / f"routekit-{name}").exists()


def test_a_name_of_another_kind_is_free(routekit: Command) -> None:
    """A codec may be called as a scheme is."""
    assert routekit("new", "plugin", "timer", "--kind", "codec").code == 0


def test_it_can_be_asked_for_all_the_same(routekit: Command) -> None:
    """With `--force`, for one that takes the place of another."""
    assert routekit("new", "plugin", "timer", "--kind", "sink", "--force").code == 0
    assert (routekit.folder / "routekit-timer/src/routekit_timer/sink.py").exists()


def test_what_cannot_be_made_is_told_with_what_to_do(routekit: Command) -> None:
    """Exit code 2, one line for what is wrong and one for what to do, and nothing is written."""
    for arguments, wrong, todo in (
        (["Acme"], "'Acme' cannot be the name of a plugin", "write acme"),
        (["acme", "--kind", "sorce"], "no kind of plugin is called 'sorce'", "did you mean 'source'?"),
        (["acme", "--kind", ""], "no kind is given", "source"),
        (["acme", "--kind", "source,listener"], "a scheme has one source", "two plugins"),
        (["acme", "--license", "GPL"], "no licence 'GPL' is known", "MIT"),
        (["acme", "--email", "ann"], "'ann' is no address for mail", "ann@example.org"),
    ):
        done = routekit("new", "plugin", *arguments)
        assert done.code == 2, done.said
        assert wrong in done.err
        assert todo in done.err
    assert not list(routekit.folder.iterdir())


def test_what_the_system_refuses_is_a_failure(routekit: Command) -> None:
    """Exit code 1, with the path."""
    routekit.write("file", "")
    done = routekit("new", "plugin", "acme", "--folder", str(Path("file", "below")))
    assert done.code == 1
    assert "cannot write file/below" in done.err


def test_a_project_and_more_routes(routekit: Command) -> None:
    """A folder that runs, and a route more in it; what was made is listed, and what to do next."""
    made = routekit("new", "project", "shop", "--route", "orders")
    assert made.code == 0, made.said
    files = {str(file.relative_to(routekit.folder / "shop")) for file in (routekit.folder / "shop").rglob("*.*")}
    lines = [line.strip() for line in made.out.splitlines()]
    assert set(lines[1 : lines.index("next:")]) == files
    more = routekit("new", "route", "leads", "--from", "cron", "--to", "mock:crm", "--folder", "shop")
    assert more.out.splitlines()[:3] == ["shop/routes/leads.py", "shop/tests/test_leads.py", "shop/README.md"]
    assert "2 routes, no problems" in routekit("check", "shop/routes").out


def test_a_project_or_route_that_is_there(routekit: Command) -> None:
    """Is left as it is."""
    routekit("new", "route", "orders")
    mine = routekit.write("routes/orders.py", "mine")
    again = routekit("new", "route", "orders")
    assert (again.code, mine.read_text(encoding="utf-8")) == (2, "mine")
    assert again.err.startswith("error: routes/orders.py is there already\n")
    routekit.write("shop/mine", "")
    there = routekit("new", "project", "shop")
    assert (there.code, there.err.partition("\n")[0]) == (2, "error: shop is not empty")


def test_a_route_that_cannot_be_made(routekit: Command) -> None:
    """Is told with what to do, and nothing is written."""
    for arguments, said in (
        (["route", "Orders"], "write orders"),
        (["route", "orders", "--from", "timr"], "did you mean 'timer'?"),
        (["project", "shop", "--to", "control"], "--to control:NAME"),
        (["project", "import"], "choose another name"),
    ):
        done = routekit("new", *arguments)
        assert (done.code, said in done.err) == (2, True), done.said
    assert not list(routekit.folder.iterdir())
