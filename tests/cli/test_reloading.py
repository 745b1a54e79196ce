"""`routekit serve --reload` and POST /api/reload: the daemon follows the files of its routes."""

import json
import signal
from pathlib import Path
from time import monotonic, sleep
from urllib.request import Request, urlopen

from .conftest import PATIENCE, Command, Running

SLOW = """
from pathlib import Path
import anyio
from routekit import from_

async def wait(name):
    Path("taken").touch()
    while not Path("go").exists():
        await anyio.sleep(0.02)
    return name

slow = from_("file:in?poll=50ms&after=delete", str).transform(wait).to("file:out?codec=text", name="VERSION")
"""
BEAT = 'from routekit import from_\nbeat = from_("timer:t?every=1h&delay=0", int).to("log:beat-1")\n'


def reload(folder: Path) -> list[str]:
    """The lines that POST /api/reload gives."""
    daemon = json.loads((folder / "data" / "daemon.json").read_text())
    asked = Request(
        f"{daemon['url']}/api/reload", method="POST", headers={"Authorization": f"Bearer {daemon['token']}"}
    )
    with urlopen(asked, timeout=PATIENCE) as answer:
        return json.load(answer)["lines"]


def there(file: Path) -> None:
    """Wait for a file."""
    end = monotonic() + PATIENCE
    while not file.exists():
        assert monotonic() < end
        sleep(0.01)


def stopped(running: Running) -> None:
    running.signal(signal.SIGTERM)
    assert running.ended() == 0


def test_a_saved_module_exchanges_its_routes(routekit: Command) -> None:
    """What is in flight is finished by the old version; the others, and a broken module, run on."""
    routekit.write("in/a.txt", "a")
    routekit.write("routes/slow.py", SLOW.replace("VERSION", "first.txt"))
    routekit.write("routes/beat.py", BEAT)
    running = routekit.start("serve", "--reload")
    running.until("beat-1: 1")
    running.until("slow.slow: running")
    there(routekit.folder / "taken")
    routekit.write("routes/slow.py", SLOW.replace("VERSION", "second.txt"))
    routekit.write("routes/beat.py", BEAT.replace("beat-1", "beat-2"))
    running.until("beat-2: ")
    assert not list((routekit.folder / "out").glob("*.txt"))
    routekit.write("go", "")
    running.until("reloaded slow.slow: exchanged")
    assert [file.name for file in (routekit.folder / "out").glob("*.txt")] == ["first.txt"]
    routekit.write("routes/beat.py", "beat = (\n")
    running.until("not reloaded, the version before runs on: routes/beat.py:1: module 'beat' cannot be imported")
    routekit.write("in/b.txt", "b")
    there(routekit.folder / "out" / "second.txt")
    assert (routekit.folder / "out" / "second.txt").read_text() == "b"
    stopped(running)
    assert running.log.count("beat.beat: running") == 2


def test_a_reload_can_be_asked_for(routekit: Command) -> None:
    """Also of a daemon that does not watch its files; the answer says what was done, and so does the log."""
    routekit.write("routes/beat.py", BEAT)
    running = routekit.start("serve")
    running.until("beat-1: 1")
    assert reload(routekit.folder) == []
    routekit.write("routes/beat.py", BEAT.replace("beat-1", "beat-2"))
    assert reload(routekit.folder) == ["beat.beat: exchanged"]
    routekit.write("routes/beat.py", BEAT.replace("beat-1", "nowhere"))
    routekit.write("routes/beat.py", BEAT.replace("log:beat-1", "nowhere:"))
    [broken] = reload(routekit.folder)
    assert broken.startswith(
        "not reloaded, the version before runs on: routes/beat.py:2: beat.beat: no installed plugin"
    )
    running.until(broken)
    stopped(running)
