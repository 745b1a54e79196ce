"""`doctor`: what it looks at, what it says to do, and its exit code."""

import resource
import socket
import sys
from functools import partial
from importlib.metadata import PathDistribution
from pathlib import Path
from time import time
from typing import Any

import anyio
import pytest

from routekit.operating.doctor.examination import examined
from routekit.operating.doctor.keeping import apart
from routekit.operating.doctor.machine import clock, limits, space
from routekit.operating.doctor.plugins import extras_of
from routekit.operating.doctor.running import Running
from routekit.operating.doctor.running import daemon as daemon_findings
from routekit.operating.sights import About, Health, PartHealth
from routekit.plugins import Catalog
from routekit.runtime.service import Setup
from routekit.settings import load_settings

SOUND = 'from routekit import from_\nticks = from_("timer:t?every=1h").to("log:x")\n'


def verdicts(told: list[dict[str, str]]) -> dict[str, str]:
    """The worst verdict of each thing that was looked at."""
    found: dict[str, str] = {}
    for one in told:
        found[one["what"]] = max(found.get(one["what"], "ok"), one["verdict"], key=["ok", "warn", "fail"].index)
    return found


def looked(folder: Path, *sets: str) -> list[dict[str, str]]:
    """What is found in a folder, which is the working directory; in this process, where all plugins are imported."""
    file = folder / "routekit.toml"
    given = load_settings(file if file.exists() else None, sets)
    options = given.options
    setup = Setup(
        Catalog(given.lookup), options.store, options.data, policy=given.policy(), settings=given.table, now=time
    )

    async def all_of_it() -> list[dict[str, str]]:
        return [finding.model_dump() async for finding in examined(given, setup, Path("routes"))]

    return anyio.run(all_of_it)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a sound route."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "routes/a.py", SOUND)
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def the(told: list[dict[str, str]], what: str) -> dict[str, str]:
    """The one finding about a thing."""
    (found,) = [one for one in told if one["what"] == what]
    return found


def test_all_is_well(routekit: Any) -> None:
    """A sound folder is fine line by line, the exit code is 0, and nothing is made by looking."""
    routekit.write("routes/a.py", SOUND)
    before = sorted(routekit.folder.rglob("*"))
    done = routekit("doctor")
    assert done.code == 0, done.said
    *lines, last = done.out.splitlines()
    assert all(line.startswith(("ok   ", "warn ", "     ")) for line in lines)
    assert f"ok   python: {sys.version.split()[0]}" in done.out
    assert "ok   routekit: " in done.out
    assert f"ok   settings: no routekit.toml in {routekit.folder}, so all has its default" in lines
    assert "ok   data: data will be made" in lines
    assert "ok   store: data/routekit.db will be made" in lines
    assert "ok   routes: 1 route, no problems" in lines
    assert "things looked at: " in last
    assert sorted(path for path in routekit.folder.rglob("*") if "__pycache__" not in str(path)) == before


def test_as_json(routekit: Any) -> None:
    """As JSON each finding has its verdict, what was looked at, what was found and what to do."""
    routekit.write("routes/a.py", SOUND)
    told = routekit("doctor", "--json").json
    assert {tuple(one) for one in told} == {("verdict", "what", "found", "hint")}
    assert {"python", "routekit", "built in", "settings", "data", "store", "clock", "disk", "files"} <= set(
        verdicts(told)
    )
    assert "interface" in the(told, "built in")["found"]


def test_what_fails(routekit: Any) -> None:
    """What keeps routes from running is a failure with what to do about it, and exit code 1; the rest is looked at."""
    routekit.write("routes/a.py", 'from routekit import from_\none = from_("tmier:x").to("log:x")\n')
    routekit.write("routekit.toml", "[routekit]\ndrain = 3 x\n")
    done = routekit("doctor")
    assert done.code == 1
    assert "fail settings: routekit.toml is not TOML" in done.out
    assert "fail routes: routes/a.py:2: a.one: no installed plugin offers 'tmier:'" in done.out
    assert "     did you mean 'timer'?" in done.out
    assert "ok   clock: " in done.out
    assert "things looked at: 2 failed" in done.out.splitlines()[-1]


def test_what_the_other_sides_say(folder: Path) -> None:
    """Each endpoint is asked; a port that somebody else has is a failure."""
    pytest.importorskip("routekit_http")
    pytest.importorskip("routekit_file")
    folder.joinpath("in").mkdir()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = f"http:127.0.0.1:{other.getsockname()[1]}"
        written(
            folder / "routes/a.py",
            f'from routekit import from_\nfiles = from_("file:in?after=delete").log("x")\n'
            f'web = from_("{where}/x").log("y")\n',
        )
        told = looked(folder)
    assert the(told, "a.files: file:in?after=delete")["verdict"] == "ok"
    taken = the(told, f"a.web: {where}/x")
    assert (taken["verdict"], "Address already in use" in taken["found"]) == ("fail", True)
    assert taken["hint"]


def test_beside_a_daemon(routekit: Any) -> None:
    """A daemon that runs is told of; the ports that it serves are taken by it, and that is no failure."""
    pytest.importorskip("routekit_http")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"http:127.0.0.1:{probe.getsockname()[1]}/x"
    routekit.write("routes/a.py", f'from routekit import from_\nweb = from_("{where}").log("y")\n')
    daemon = routekit.start("serve")
    daemon.until("a.web: running")
    done = routekit("doctor", "--json")
    assert done.code == 0, done.said
    found = the(done.json, "daemon")
    assert (found["verdict"], f"process {daemon.process.pid} runs at http://127.0.0.1:" in found["found"]) == (
        "ok",
        True,
    )
    assert the(done.json, f"a.web: {where}")["found"] == "the daemon that runs here has it"


def test_what_is_wrong_with_a_daemon() -> None:
    """An older daemon than what is installed is a warning, and so is each of its parts that is ill."""
    about = About(version="0.0.1", pid=7, started=1000.0, routes="routes", store="memory:")
    ill = PartHealth(kind="route", name="a.b", ok=False, state="degraded", reason="the broker is away", since=1.0)
    well = PartHealth(kind="route", name="a.c", ok=True, state="running", since=1.0)
    running = Running("http://x", about, Health(ready=False, parts=[ill, well]), ())
    _, older, part = daemon_findings(running, "0.1.0")
    assert (older.verdict, older.found) == ("warn", "it is RouteKit 0.0.1, and 0.1.0 is installed")
    assert (part.verdict, part.what, part.found) == ("warn", "route a.b", "degraded: the broker is away")


def test_no_routes(folder: Path) -> None:
    """A folder without routes is a failure, and all else is looked at."""
    folder.joinpath("routes/a.py").unlink()
    told = looked(folder)
    assert the(told, "routes")["verdict"] == "fail"
    assert "disk" in verdicts(told)


def test_settings_that_miss_a_value(folder: Path) -> None:
    """A placeholder of the settings without a value is a failure with its place."""
    written(folder / "routekit.toml", '[sql.crm]\nurl = "${NOWHERE}"\n')
    wrong = [one for one in looked(folder) if one["verdict"] == "fail"]
    assert [one["what"] for one in wrong] == ["settings"]
    assert "routekit.toml:2: [sql.crm] url: no value for ${NOWHERE}" in wrong[0]["found"]


def test_secrets_are_masked(folder: Path) -> None:
    """What is told of a store's address has no password in it."""
    told = the(looked(folder, "store=nowhere://me:hunter2@db/x"), "store")
    assert (told["verdict"], told["found"].partition(": ")[0]) == ("fail", "nowhere://me:***@db/x")
    assert "hunter2" not in str(told)


def test_a_store_that_is_none(folder: Path) -> None:
    """A file that is no store is a failure, and stays as it is."""
    file = written(folder / "data/routekit.db", "this is a letter to my aunt, and not a database at all\n" * 100)
    before = file.read_bytes()
    assert verdicts(looked(folder))["store"] == "fail"
    assert file.read_bytes() == before


def test_a_store_with_letters_that_others_may_read(routekit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead letters that wait, and a store that everybody may read, are warnings."""
    routekit.write(
        "routes/a.py",
        'from routekit import from_\nx = from_("timer:t?every=1ms&repeat=1").validate(lambda n: False or "never")\n',
    )
    assert routekit("run").code == 1
    monkeypatch.chdir(routekit.folder)
    store = routekit.folder / "data/routekit.db"
    store.chmod(0o644)
    told = looked(routekit.folder)
    assert "fail" not in verdicts(told).values()
    open_, opens = [one for one in told if one["what"] == "store"]
    assert (open_["verdict"], open_["hint"]) == ("warn", "chmod 600 data/routekit.db")
    assert (opens["verdict"], ", schema " in opens["found"]) == ("ok", True)
    letters = the(told, "letters")
    assert (letters["verdict"], letters["found"]) == ("warn", "a dead letter waits for somebody")
    store.chmod(0o600)
    assert verdicts(looked(routekit.folder))["store"] == "ok"


def test_a_store_in_memory(folder: Path) -> None:
    """A store in memory is a warning."""
    assert the(looked(folder, "store=memory:"), "store")["verdict"] == "warn"


def test_a_data_folder_that_is_none(folder: Path) -> None:
    """A file where the data folder should be is a failure."""
    written(folder / "data", "")
    assert verdicts(looked(folder))["data"] == "fail"


def test_a_broken_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that cannot be imported is named, whether a route uses it or not; so is one of another interface."""
    written(folder / "shaky.py", "import no_such_module\n")
    written(folder / "future.py", "routekit_interface = 99\n")
    for name in ("shaky", "future"):
        written(folder / f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        written(folder / f"{name}-1.0.dist-info/entry_points.txt", f"[routekit]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(str(folder))
    told = looked(folder)
    assert "No module named 'no_such_module'" in the(told, "plugin shaky")["found"]
    assert "is written for interface 99" in the(told, "plugin future")["found"]


def test_few_files() -> None:
    """Fewer open files than routes and connections need are a warning that says how to have more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        (found,) = limits(3)
        (many,) = limits(1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (found.verdict, found.found) == ("warn", "only 512 may be open, connections among them")
    assert "LimitNOFILE=1024 in the unit" in found.hint
    assert "LimitNOFILE=10000" in many.hint


@pytest.mark.parametrize(("free", "verdict"), [(5_000_000_000, "ok"), (500_000_000, "warn"), (50_000_000, "fail")])
def test_little_space(free: int, verdict: str) -> None:
    """Below 1 GB the disk is a warning, below 100 MB a failure."""
    assert space(free, "").verdict == verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(0.3, "ok"), (-0.3, "ok"), (7.0, "warn"), (-7200.0, "warn")])
def test_clocks_apart(seconds: float, verdict: str) -> None:
    """A server whose clock tells another time is a warning that says which is ahead."""
    found = apart(seconds)
    assert found.verdict == verdict
    assert verdict == "ok" or ("7.0 s ahead of" if seconds > 0 else "7,200.0 s behind") in found.found


@pytest.mark.parametrize(("start", "step", "verdict"), [(2e9, 0.0, "ok"), (2e9, 5.0, "warn"), (1e9, 0.0, "fail")])
def test_a_clock_that_jumps(start: float, step: float, verdict: str) -> None:
    """A clock that is set while it is looked at is a warning, one that is years behind a failure."""
    wall = iter([start, start + step, start + step])
    found = anyio.run(partial(clock, lambda: next(wall), lambda: 0.0))
    assert found.verdict == verdict


def test_extras(tmp_path: Path) -> None:
    """An extra is missing if any library of it is, but for those that this Python does not need."""
    info = tmp_path / "x-1.0.dist-info"
    info.mkdir()
    lines = [
        "Metadata-Version: 2.1",
        "Name: x",
        "Version: 1.0",
        "Provides-Extra: there",
        "Provides-Extra: away",
        "Provides-Extra: old",
        "Requires-Dist: anyio>=4",
        "Requires-Dist: pydantic>=2; extra == 'there'",
        "Requires-Dist: anyio; extra == 'away'",
        "Requires-Dist: no-such-library>=2; extra == 'away'",
        "Requires-Dist: no-such-library; python_version < '3.9' and extra == 'old'",
    ]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    assert extras_of(PathDistribution(info)) == {"away": ["no-such-library"], "old": [], "there": []}
