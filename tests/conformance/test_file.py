"""The file endpoint, Camel's reference adapter: what becomes of a file, and what must never happen to one."""

from pathlib import Path

import pytest

from routekit import BadOption, Policy, Retry, from_
from routekit.plugins import Catalog
from routekit.step import Target
from routekit.testing import Sink, run_routes

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("hello")
    return folder


def test_what_becomes_of_a_file_must_be_said() -> None:
    """Departure: Camel moves files to `.camel` unless told otherwise; here `after` has no default."""
    with pytest.raises(BadOption, match="after"):
        Catalog().source(Target("file:in"))


@pytest.mark.parametrize(("after", "left"), [("move", {".done/a.txt"}), ("delete", set()), ("keep", {"a.txt"})])
async def test_a_file_is_settled_when_its_message_is_acknowledged(inbox: Path, after: str, left: set[str]) -> None:
    """As the unit of work's completion: moved, deleted or remembered, and not before."""
    out = Sink()

    def seen_in_place(body: str) -> str:
        assert (inbox / "a.txt").exists()
        return body

    await run_routes(from_(f"file:{inbox}?after={after}", str).transform(seen_in_place).to(out))
    assert out.bodies == ["hello"]
    assert {str(path.relative_to(inbox)) for path in inbox.rglob("*.txt")} == left


async def test_a_failed_file_is_put_aside_with_the_reason(inbox: Path) -> None:
    """Departure: unless `moveFailed` is set, a failed file is tried again at every poll, for ever."""
    tries: list[str] = []

    def fail(body: str) -> None:
        tries.append(body)
        raise ValueError("no good")

    await run_routes(from_(f"file:{inbox}?after=move", str, policy=Policy(retry=Retry(1, first=0))).transform(fail))
    assert tries == ["hello", "hello"]
    assert not (inbox / "a.txt").exists()
    assert (inbox / ".failed" / "a.txt").read_text() == "hello"
    assert "no good" in (inbox / ".failed" / "a.txt.error.json").read_text()


async def test_a_name_from_a_message_cannot_leave_the_directory(tmp_path: Path) -> None:
    """As `jailStartingDirectory`; the name is computed by the author, and what it is computed from is data."""
    flow = from_("timer:t?every=1ms&repeat=1", int).transform(lambda n: "x")
    run = await run_routes(flow.to(f"file:{tmp_path}/out", name=lambda body: "../evil.txt"))
    assert not (tmp_path / "evil.txt").exists()
    assert len(run.letters) == 1


async def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    """As `tempPrefix`, by default: a file has its name only when it is whole and on disk."""
    seen: list[set[str]] = []
    flow = from_("timer:t?every=1ms&repeat=3", int).transform(lambda n: "x" * n)
    looked = flow.to(f"file:{tmp_path}/out", name=lambda body: f"{len(body)}.txt")
    await run_routes(
        looked.tap(lambda f: f.transform(lambda _: seen.append({p.name for p in (tmp_path / "out").glob("*")})))
    )
    assert seen == [{"1.txt"}, {"1.txt", "2.txt"}, {"1.txt", "2.txt", "3.txt"}]


async def test_a_file_that_is_there_is_not_overwritten_by_default(tmp_path: Path) -> None:
    """Departure: `fileExist=Override` is Camel's default."""
    (tmp_path / "a.txt").write_text("mine")
    flow = from_("timer:t?every=1ms&repeat=1", int).transform(lambda n: "other")
    run = await run_routes(flow.to(f"file:{tmp_path}", name="a.txt"))
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert len(run.letters) == 1
