"""`send` and `receive`: one message to an endpoint and from one, without a daemon."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

pytest.importorskip("routekit_file")
pytest.importorskip("routekit_http")

PATIENCE = 30.0


def bodies(folder: Path) -> list[str]:
    """What is in the files of a folder, but for what the endpoint itself keeps there."""
    return sorted(file.read_text() for file in folder.iterdir() if file.is_file())


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def posted(url: str, data: bytes) -> int:
    """The status of a POST, once somebody listens there."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=data)) as answer:
                return answer.status
        except URLError:
            assert time.monotonic() < end, "nobody listens"
            time.sleep(0.02)


def test_send_says_what_became_of_it(routekit: Any) -> None:
    """A message is there when the command has ended; the answer's headers are told, its body only if it is another."""
    done = routekit("send", "file:out?name=a.txt", "--body", "hello")
    assert done.code == 0
    assert (routekit.folder / "out" / "a.txt").read_text() == "hello"
    first, *rest = done.out.splitlines()
    assert ": sent to file:out?name=a.txt in " in first
    assert rest == ["  file.name: a.txt", "  file.path: a.txt"]


def test_send_as_json(routekit: Any) -> None:
    """With --json what became of each message is one line."""
    done = routekit("send", "file:out?name=a.txt", "--body", "hello", "--json")
    (told,) = lines(done.out)
    assert told["seconds"] >= 0
    assert {name: told[name] for name in ("number", "to", "sent", "answer")} == {
        "number": 1,
        "to": "file:out?name=a.txt",
        "sent": True,
        "answer": None,
    }
    assert told["headers"] == {"file.name": "a.txt", "file.path": "a.txt"}


def test_send_reads_by_a_codec_and_the_sink_writes_by_its_own(routekit: Any) -> None:
    """--codec makes data of the text; how that is written is said by the endpoint."""
    routekit.write("two.csv", "a,b\n1,2\n3,4\n")
    assert routekit("send", "file:out?codec=json&name=x.json", "--codec", "csv", "--file", "two.csv").code == 0
    assert json.loads((routekit.folder / "out/x.json").read_text()) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_send_headers_are_json_or_text(routekit: Any) -> None:
    """A header is what its text is as JSON, else the text."""
    routekit.write(
        "shows.py",
        """
from contextlib import asynccontextmanager
from routekit import Message, Producer, hookimpl

class Shows(Producer):
    scheme = "shows"
    name: str = "x"

    @asynccontextmanager
    async def open(self, runtime):
        async def send(message):
            return Message({"got": message.body, **message.headers})
        yield send

@hookimpl
def register_endpoints():
    return [Shows]
""",
    )
    info = routekit.folder / "shows-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shows\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routekit]\nshows = shows\n")
    given = ("--header", "n=1", "--header", "who=Ada", "--header", 'tags=["a"]')
    done = routekit("send", "shows:x", "--body", "hi", *given, "--json", PYTHONPATH=str(routekit.folder))
    assert lines(done.out)[0]["answer"] == {"got": "hi", "n": 1, "who": "Ada", "tags": ["a"]}


def test_send_each_line(routekit: Any) -> None:
    """With --lines each line of the input is a message; empty ones are none."""
    routekit.write("two.txt", "one\n\ntwo\n")
    done = routekit("send", "file:out", "--lines", "--file", "two.txt", "--json")
    assert [(one["number"], one["sent"]) for one in lines(done.out)] == [(1, True), (2, True)]
    assert bodies(routekit.folder / "out") == ["one", "two"]


def test_send_lines_as_they_come(routekit: Any) -> None:
    """A line is sent when it is there, not when the input ends."""
    process = subprocess.Popen(
        [routekit.script, "send", "file:out", "--lines", "--file", "-"],
        cwd=routekit.folder,
        env=routekit.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    routekit.started.append(type("Beside", (), {"process": process}))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert b"sent to file:out" in process.stdout.readline()
    assert bodies(routekit.folder / "out") == ["one"]
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


def test_send_each_record_until_one_is_broken(routekit: Any) -> None:
    """With --lines and --codec each record is a message; at the first that cannot be read it ends with exit code 1."""
    routekit.write("two.jsonl", '{"a": 1}\n{"a": 2}\n{"a": \n{"a": 4}\n')
    done = routekit("send", "file:out?codec=json", "--lines", "--codec", "jsonl", "--file", "two.jsonl")
    assert done.code == 1
    assert "row 3" in done.err
    assert "nothing from there on was sent" in done.err
    assert bodies(routekit.folder / "out") == ['{"a":1}', '{"a":2}']


def test_send_stops_at_the_first_that_is_not_taken(routekit: Any) -> None:
    """What a sink does not take is told with the reason; later lines are not sent, and the exit code is 1."""
    routekit.write("out/x.txt", "there")
    done = routekit("send", "file:out?name=x.txt&exists=fail", "--lines", "--file", "-", input="one\ntwo\n")
    assert done.code == 1
    assert done.out == ""
    assert "not sent to file:out" in done.err
    assert "there is a file 'x.txt' with other content" in done.err
    told = routekit("send", "file:out?name=x.txt&exists=fail", "--body", "x", "--json")
    assert told.code == 1
    (one,) = lines(told.out)
    assert one["sent"] is False
    assert one["reason"] == "there is a file 'x.txt' with other content"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("timer:x", "--body", "x"), "cannot be sent to"),
        (("direct:x", "--body", "x"), "'direct:' is within the process that runs the routes"),
        (("queue:x?durable=true", "--body", "x"), "'queue:' is within the process"),
        (("fil:x", "--body", "x"), "did you mean 'file'?"),
        (("file:x?nme=y", "--body", "x"), "did you mean 'name'?"),
        (("log:x", "--body", "x", "--file", "y"), "--body and --file both"),
        (("log:x", "--file", "nowhere"), "cannot read nowhere: No such file"),
        (("log:x", "--body", "x", "--header", "n"), "--header 'n' has no '='"),
        (("log:x", "--body", "x", "--codec", "jso"), "did you mean 'json'?"),
        (("log:x",), "the standard input is empty"),
        (("log:${NOWHERE}", "--body", "x"), "no value for ${NOWHERE}"),
    ],
)
def test_send_refuses_what_cannot_be(routekit: Any, arguments: tuple[str, ...], said: str) -> None:
    """What is asked in a way that cannot work is exit code 2, with what to do; nothing is sent."""
    done = routekit("send", *arguments)
    assert done.code == 2, done.said
    assert said in done.err
    assert done.out == ""


def test_send_to_nobody(routekit: Any) -> None:
    """A sink that is away is said at once, with exit code 1: nobody waits here until it is back."""
    routekit.write("routekit.toml", f'[http.shop]\nurl = "http://127.0.0.1:{free_port()}"\n')
    done = routekit("send", "http:shop/orders?method=PUT", "--body", "x")
    assert done.code == 1, done.said
    assert "http:shop/orders" in done.err


def test_receive_takes_what_it_prints(routekit: Any) -> None:
    """A message that was printed is acknowledged: its file is gone; the others are there still."""
    for name in ("a", "b"):
        routekit.write(f"in/{name}.txt", f"this is {name}\n")
    done = routekit("receive", "file:in?after=delete")
    assert done.code == 0
    assert "  file.name: a.txt" in done.out.splitlines()
    assert done.out.splitlines()[-1] == "this is a"
    assert bodies(routekit.folder / "in") == ["this is b\n"]


def test_receive_can_keep(routekit: Any) -> None:
    """With --keep all are printed and none is taken: they come again."""
    for name in ("a", "b"):
        routekit.write(f"in/{name}.txt", name)
    for _ in range(2):
        done = routekit("receive", "file:in?after=delete", "--keep", "--count", "2", "--json")
        assert done.code == 0, done.said
        assert sorted(one["body"] for one in lines(done.out)) == ["a", "b"]
    assert bodies(routekit.folder / "in") == ["a", "b"]


def test_receive_does_not_keep_what_would_be_lost(routekit: Any) -> None:
    """--keep of a source that brings nothing again is refused."""
    done = routekit("receive", "timer:x", "--keep")
    assert (done.code, done.out) == (2, "")
    assert "timer:x does not bring again what is not acknowledged" in done.err


def test_receive_bodies_alone(routekit: Any) -> None:
    """With --body a body is written as it is, bytes too; data is JSON."""
    routekit.folder.joinpath("in").mkdir()
    routekit.folder.joinpath("in/a.bin").write_bytes(b"\xff\x00\n")
    routekit.folder.joinpath("in/b.csv").write_bytes(b"a\n1\n")
    raw = subprocess.run(
        [routekit.script, "receive", "file:in?after=delete", "--body"],
        cwd=routekit.folder,
        env=routekit.environ,
        capture_output=True,
        check=True,
    )
    assert raw.stdout == b"\xff\x00\n"
    assert routekit("receive", "file:in?after=delete", "--codec", "csv", "--body").out == '[{"a":"1"}]\n'


def test_receive_as_json_and_for_people_of_bytes(routekit: Any) -> None:
    """Bytes that are no text are base64 in JSON, and a number for people."""
    routekit.folder.joinpath("in").mkdir()
    routekit.folder.joinpath("in/a.bin").write_bytes(b"\xff\x00")
    keeping = ("receive", "file:in?after=delete", "--keep")
    assert lines(routekit(*keeping, "--json").out)[0]["body"] == {"base64": "/wA="}
    assert "(2 bytes that are no text; --body writes them)" in routekit(*keeping).out


def test_receive_steers_no_terminal(routekit: Any) -> None:
    """What a message holds cannot steer the terminal of who looks at it."""
    routekit.write("in/a.txt", "good\x1b[2Jevil\n")
    assert routekit("receive", "file:in?after=delete").out.splitlines()[-1] == "good\\x1b[2Jevil"


def test_receive_gives_up(routekit: Any) -> None:
    """Nothing within --timeout is exit code 1, and says so; fewer than asked for too."""
    routekit.write("in/a.txt", "a")
    some = routekit("receive", "file:in?after=delete", "--count", "3", "--timeout", "3")
    assert some.code == 1
    assert "error: 1 of 3 messages came from file:in?after=delete within 3 s" in some.err
    none = routekit("receive", "file:in?after=delete", "--timeout", "0.3")
    assert (none.code, none.out) == (1, "")
    assert "no message came from file:in?after=delete within 0.3 s" in none.err


def test_receive_all_that_come(routekit: Any) -> None:
    """With --count 0 it goes on until it is interrupted, and that is no failure."""
    running = routekit.start("receive", "timer:x?every=10ms", "--count", "0", "--body")
    running.until("\n3\n")
    running.signal(signal.SIGINT)
    assert running.ended() == 0
    assert "Traceback" not in running.log


def test_receive_ends_with_its_reader(routekit: Any) -> None:
    """When nobody reads any more, it ends without noise, and what could not be printed is not taken."""
    for number in range(20):
        routekit.write(f"in/{number:02}.txt", f"{number:02}" * 50_000)
    done = subprocess.run(
        ["bash", "-c", f"{routekit.script} receive 'file:in?after=delete' --count 0 --body | head -c 100"],
        cwd=routekit.folder,
        env=routekit.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("00" * 50, "")
    assert len(bodies(routekit.folder / "in")) >= 15


def test_receive_says_why_a_source_is_away(routekit: Any) -> None:
    """A source that cannot be read is said at once, with exit code 1."""
    done = routekit("receive", "file:nowhere?after=delete&create=false", "--timeout", "20")
    assert done.code == 1, done.said
    assert "nowhere" in done.err
    assert "no message came" not in done.err


def test_receive_catches_calls(routekit: Any) -> None:
    """A source that is called is served until the messages have come, one after the other; each caller is answered."""
    url = f"127.0.0.1:{free_port()}/hook"
    running = routekit.start("receive", f"http:{url}", "--count", "2", "--json")
    assert [posted(f"http://{url}", data) for data in (b"one", b"two")] == [204, 204]
    assert running.ended() == 0
    told = [json.loads(line) for line in running.log.splitlines() if line.startswith("{")]
    assert [one["body"] for one in told] == ["one", "two"]


def test_receive_leaves_the_store_as_it_is(routekit: Any) -> None:
    """Neither command makes a store where there is none."""
    routekit.write("in/a.txt", "a")
    assert routekit("receive", "file:in?after=delete").code == 0
    assert routekit("send", "log:x", "--body", "x").code == 0
    assert not (routekit.folder / "data").exists()


@pytest.mark.parametrize("command", ["send", "receive"])
def test_beside_a_daemon(routekit: Any, command: str) -> None:
    """Both work while a daemon has the store."""
    routekit.write("routes/a.py", 'from routekit import from_\nticks = from_("timer:t?every=1h").to("log:x")\n')
    daemon = routekit.start("serve")
    daemon.until("a.ticks: running")
    routekit.write("in/a.txt", "a")
    asked: dict[str, Callable[[], Any]] = {
        "send": lambda: routekit("send", "file:out", "--body", "x"),
        "receive": lambda: routekit("receive", "file:in?after=delete"),
    }
    done = asked[command]()
    assert done.code == 0, done.said
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
