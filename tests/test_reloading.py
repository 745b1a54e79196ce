"""A running service follows the files of its routes; what is broken leaves the old version running and is told."""

import logging
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from routekit import Route
from routekit.loader import load
from routekit.plugins import Catalog
from routekit.reloading import Reloading, reloading
from routekit.runtime.service import Service
from routekit.settings import Settings, load_settings
from routekit.testing import Run, setup_for

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]

FLOW = 'from routekit import from_\nflow = from_("timer:t?every=1h", int).to("log:a")\n'
CALLED = 'from routekit import from_\nflow = from_("direct:b", int).to("log:a")\n'
CALLS = 'from routekit import from_\nflow = from_("timer:t?every=1h", int).to("direct:b")\n'


@pytest.fixture(autouse=True)
def _forgets() -> Iterator[None]:
    """What a test imports is gone after it."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "routes").mkdir()
    return tmp_path / "routes"


class Served:
    """A service and what reloads it; `state` gives each route's state and the object that runs it."""

    def __init__(self, service: Service, reloading: Reloading) -> None:
        self.service = service
        self.reloading = reloading

    async def reload(self) -> Sequence[str]:
        return await self.reloading.reload()

    async def until_running(self) -> None:
        with anyio.fail_after(30):
            while any(runner.state != "running" for runner in self.service.runners):
                await anyio.sleep(0.01)

    @property
    def routes(self) -> dict[str, Route]:
        return {runner.route.name: runner.route for runner in self.service.runners}


@asynccontextmanager
async def serving(
    folder: Path, settings: Settings | None = None, choose: Callable[[Sequence[Route]], Sequence[Route]] = list
) -> AsyncGenerator[Served]:
    catalog = Catalog()
    given = settings or Settings()
    following = reloading(folder, given, catalog, choose)
    routes = load(folder).routes
    service = Service(choose(routes), setup_for(Run(), catalog=catalog, policy=given.policy()))
    following.found(routes)
    following.serves(service)
    async with service.started():
        served = Served(service, following)
        await served.until_running()
        yield served


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_changed_module_reloads_its_routes_alone(folder: Path) -> None:
    """The others are not even compared with what they were: they are the same objects."""
    (folder / "a.py").write_text(FLOW)
    (folder / "b.py").write_text(FLOW.replace("log:a", "log:b"))
    async with serving(folder) as served:
        before = served.routes
        assert await served.reload() == []
        (folder / "a.py").write_text(FLOW.replace("log:a", "log:c"))
        assert await served.reload() == ["a.flow: exchanged"]
        await served.until_running()
        assert served.routes["b.flow"] is before["b.flow"]
        (folder / "c.py").write_text(FLOW)
        (folder / "b.py").unlink()
        assert await served.reload() == ["c.flow: started", "b.flow: ended"]


async def test_what_only_looks_changed_goes_on(folder: Path) -> None:
    """A comment is no change of a route."""
    (folder / "a.py").write_text(FLOW)
    async with serving(folder) as served:
        runner = served.service.runners[0]
        (folder / "a.py").write_text("# a comment\n" + FLOW)
        assert await served.reload() == []
        assert served.service.runners[0] is runner


async def test_a_module_that_does_not_import_leaves_its_old_version(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once for each change of it; others are reloaded meanwhile."""
    (folder / "a.py").write_text(FLOW)
    (folder / "b.py").write_text(FLOW)
    async with serving(folder) as served:
        runner = served.service.runners[0]
        (folder / "a.py").write_text(FLOW + "1 / 0\n")
        (folder / "b.py").write_text(FLOW.replace("log:a", "log:b"))
        [broken, done] = await served.reload()
        assert "a.py:3: module 'a' cannot be imported: ZeroDivisionError: division by zero" in broken
        assert broken.startswith("not reloaded, the version before runs on: ")
        assert done == "b.flow: exchanged"
        assert await served.reload() == [broken]
        assert errors(caplog) == [broken]
        assert served.service.runners[0] is runner
        (folder / "a.py").write_text(FLOW + "1 / 0  # still\n")
        await served.reload()
        assert errors(caplog) == [broken, broken]
        (folder / "a.py").write_text(FLOW.replace("log:a", "log:z"))
        assert await served.reload() == ["a.flow: exchanged"]
        assert len(errors(caplog)) == 2


@pytest.mark.parametrize(
    ("was", "became", "said"),
    [
        ("log:a", "nowhere:a", "no installed plugin offers 'nowhere:'"),
        ("log:a", "log:a?colour=red", "has no option 'colour'"),
        ("every=1h", "every=never", "every"),
        ("log:a", "direct:nobody", "nobody"),
    ],
)
async def test_routes_that_check_refuses_leave_their_old_version(
    folder: Path, caplog: pytest.LogCaptureFixture, was: str, became: str, said: str
) -> None:
    """As at the start, where they would not be started; a module beside them is reloaded."""
    (folder / "a.py").write_text(FLOW)
    (folder / "b.py").write_text(FLOW)
    async with serving(folder) as served:
        runner = served.service.runners[0]
        (folder / "a.py").write_text(FLOW.replace(was, became))
        (folder / "b.py").write_text(FLOW.replace("log:a", "log:b"))
        [broken, done] = await served.reload()
        assert "a.flow: " in broken
        assert said in broken
        assert done == "b.flow: exchanged"
        assert served.service.runners[0] is runner
        (folder / "b.py").write_text(FLOW)
        assert await served.reload() == [broken, done]
        assert errors(caplog) == [broken]


async def test_what_does_not_fit_to_what_has_not_changed_is_not_reloaded(folder: Path) -> None:
    """A route that others call cannot be taken out while they call it."""
    (folder / "a.py").write_text(CALLS)
    (folder / "b.py").write_text(CALLED)
    async with serving(folder) as served:
        before = served.routes
        (folder / "b.py").write_text(FLOW)
        [broken] = await served.reload()
        assert "a.flow: " in broken
        assert "direct:b" in broken
        assert served.routes == before
        (folder / "a.py").write_text(FLOW)
        assert sorted(await served.reload()) == ["a.flow: exchanged", "b.flow: exchanged"]


async def test_routes_of_a_package_that_does_not_import_stay(folder: Path) -> None:
    """All of them: none could be read."""
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text(FLOW)
    async with serving(folder) as served:
        (folder / "__init__.py").write_text("1 / 0\n")
        [broken] = await served.reload()
        assert "ZeroDivisionError" in broken
        assert list(served.routes) == ["a.flow"]


async def test_only_the_routes_that_were_asked_for_run(folder: Path) -> None:
    """Those that were left out at the start are left out after a change, too."""
    (folder / "a.py").write_text(FLOW)
    (folder / "b.py").write_text(FLOW)
    async with serving(folder, choose=lambda routes: [one for one in routes if one.name == "a.flow"]) as served:
        (folder / "b.py").write_text(FLOW.replace("log:a", "log:b"))
        assert await served.reload() == []
        (folder / "a.py").write_text(FLOW.replace("log:a", "log:b"))
        assert await served.reload() == ["a.flow: exchanged"]


async def test_a_change_of_the_settings_asks_for_a_restart(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are read at the start only; it is said once for each change."""
    file = tmp_path / "routekit.toml"
    file.write_text("[values]\nA = 'a'\n")
    (folder / "a.py").write_text(FLOW)
    async with serving(folder, load_settings(file)) as served:
        file.write_text("[values]\nA = 'b'\n")
        said = "routekit.toml has changed: settings are read at the start, so restart for them"
        assert await served.reload() == [said]
        assert await served.reload() == []
        assert errors(caplog) == [said]


async def test_files_are_followed_while_they_change(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A saved file is enough; several that are saved together are one change."""
    caplog.set_level(logging.INFO, "routekit.reloading")
    (folder / "a.py").write_text(FLOW)
    (folder / "b.py").write_text(FLOW)

    def target(name: str) -> str:
        return str(served.routes[name].chain.steps[0].label)

    async with serving(folder) as served, anyio.create_task_group() as tasks:
        tasks.start_soon(served.reloading.watch)
        with anyio.fail_after(60):
            count = 0
            while "log:x" not in target("a.flow") or "log:x" not in target("b.flow"):
                count += 1  # until it watches: nobody says when it does
                for name in ("a", "b"):
                    (folder / f"{name}.py").write_text(FLOW.replace("log:a", f"log:x{count}"))
                await anyio.sleep(0.5)
            await served.until_running()
            (folder / "a.py").write_text("flow = (\n")
            while not errors(caplog):
                await anyio.sleep(0.05)
            assert "SyntaxError" in errors(caplog)[0]
            (folder / "a.py").write_text(FLOW.replace("log:a", "log:end"))
            while "log:end" not in target("a.flow"):
                await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
