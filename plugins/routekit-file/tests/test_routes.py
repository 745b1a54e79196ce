"""Files in whole routes, as their authors write them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio.testing

from routekit import Message, Policy, Progress, Records, Refused, Retry, RouteDegraded, Tally, Unavailable, from_
from routekit.testing import Sink, run_routes

pytestmark = pytest.mark.anyio

VIRTUAL = ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@dataclass(frozen=True)
class Lead:
    email: str
    budget: int


def two_files(inbox: Path) -> None:
    (inbox / "a.csv").write_text("email,budget\na@x,1\nb@x,many\n")
    (inbox / "b.csv").write_text("email,budget\nc@x,3\n")


async def test_records_are_checked_and_bad_ones_become_letters(inbox: Path, tree: Any) -> None:
    """A row that does not fit is a dead letter with its row; the file is handled all the same."""
    two_files(inbox)
    sink = Sink()
    run = await run_routes(from_(f"file:{inbox}?after=move&read=records", Lead).to(sink))
    assert sink.bodies == [Lead("a@x", 1), Lead("c@x", 3)]
    [letter] = run.letters
    assert letter.headers["row"] == 2
    assert "row 2" in letter.reason
    assert set(tree(inbox)) == {".done/a.csv", ".done/b.csv"}
    assert [event.name for event in run.of(Progress) if event.finished] == ["a.csv", "b.csv"]


async def test_a_file_whose_handling_fails_goes_to_the_failed_ones(inbox: Path, tree: Any) -> None:
    """Whole files go back to the source by default: no letter, but the file with its reason."""
    (inbox / "a.json").write_text('{"email": "a@x"}')
    run = await run_routes(from_(f"file:{inbox}?after=move", Lead).to(Sink()))
    assert list(run.letters) == []
    assert len(run.of(Refused)) == 1
    files = tree(inbox)
    assert set(files) == {".failed/a.json", ".failed/a.json.error.json"}
    assert "budget" in json.loads(files[".failed/a.json.error.json"])["reason"]


async def test_a_codec_given_to_the_route_reads_the_files(inbox: Path) -> None:
    """`codec=` beside the URI is the option of the endpoint."""
    (inbox / "a.txt").write_text('{"email": "a@x", "budget": 1}')
    sink = Sink()
    await run_routes(from_(f"file:{inbox}?after=delete", Lead, codec="json").to(sink))
    assert sink.bodies == [Lead("a@x", 1)]


async def test_large_files_are_streamed_from_their_path(inbox: Path, tmp_path: Path, tree: Any) -> None:
    """read=path with `for_each(Records(...))`: good rows are written, bad ones are kept, the file is moved."""
    two_files(inbox)

    def line(tally: Tally, message: Message[Tally]) -> str:
        return f"{message.headers['file.name']} {tally.total} {tally.failed}\n"

    flow = (
        from_(f"file:{inbox}?after=move&read=path", Path, policy=Policy(concurrency=2))
        .for_each(
            Records(Lead),
            lambda rows: rows.to(f"file:{tmp_path}/out?name=all.jsonl&exists=append"),
            parallel=8,
            on_error="dead_letter_items",
        )
        .transform(line)
        .to(f"file:{tmp_path}/out?name=summary.txt&exists=append")
    )
    run = await run_routes(flow)
    assert len(run.letters) == 1
    written = (tmp_path / "out" / "all.jsonl").read_text().splitlines()
    assert sorted(json.loads(row)["email"] for row in written) == ["a@x", "c@x"]
    assert sorted((tmp_path / "out" / "summary.txt").read_text().splitlines()) == ["a.csv 2 1", "b.csv 1 0"]
    assert set(tree(inbox)) == {".done/a.csv", ".done/b.csv"}


async def test_many_files_are_handled_at_once(inbox: Path, tmp_path: Path, tree: Any) -> None:
    """With eight slots each file is handled once and moved, and its copy is there."""
    for n in range(100):
        (inbox / f"{n}").write_text(str(n))
    flow = from_(f"file:{inbox}?after=move", bytes, policy=Policy(concurrency=8)).to(
        f"file:{tmp_path}/out", name=lambda body: f"copy-{body.decode()}"
    )
    run = await run_routes(flow)
    assert run.counts["route-1"].done == 100
    assert len(tree(inbox)) == len(tree(tmp_path / "out")) == 100


async def test_a_computed_name_that_leaves_the_directory_refuses_the_message(inbox: Path, tmp_path: Path) -> None:
    """What a body says never leads out: the file that said it fails, and nothing is written."""
    (inbox / "a").write_text("../../etc/passwd")
    flow = from_(f"file:{inbox}?after=move", str).to(f"file:{tmp_path}/out", name=lambda body: body)
    await run_routes(flow)
    reason = json.loads((inbox / ".failed" / "a.error.json").read_text())["reason"]
    assert "'../../etc/passwd' cannot be the name of a file" in reason
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("anyio_backend", [VIRTUAL], ids=["virtual"])
async def test_a_route_whose_file_cannot_be_moved_is_degraded_and_does_not_repeat_itself(
    inbox: Path, tmp_path: Path
) -> None:
    """The message is handled once; the route tells the trouble, starts again and goes on with what is new."""
    (tmp_path / "wall").touch()
    (inbox / "a").write_text("1")
    sink = Sink()
    run = await run_routes(from_(f"file:{inbox}?after=move&done_to={tmp_path}/wall/done", bytes).to(sink))
    assert sink.bodies == [b"1"]
    [degraded] = run.of(RouteDegraded)
    assert isinstance(degraded.error, Unavailable)
    assert "only the moving is tried again" in str(degraded.error)


async def test_a_file_is_retried_by_the_policy_before_it_fails(inbox: Path, tree: Any) -> None:
    """Retries happen while the file stays where it is; success after a failure is success."""
    (inbox / "a").write_text("1")
    sink = Sink(fail={1: Unavailable("away")})
    await run_routes(from_(f"file:{inbox}?after=delete", bytes, policy=Policy(retry=Retry(2, first=0))).to(sink))
    assert sink.bodies == [b"1"]
    assert tree(inbox) == {}
