"""The proof: the real daemon bridges two queues while broker and daemon are killed, and no message is lost.

As it stands it is small, one kill of each; `ROUTEKIT_PROOF=full` bridges 100,000 messages, with three kills of the
broker and two of the daemon, and prints what it found.
"""

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aio_pika
import anyio
import anyio.to_thread
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(3000)]

FULL = os.environ.get("ROUTEKIT_PROOF") == "full"
MESSAGES = 100_000 if FULL else 5_000
KILLS = ("broker", "daemon", "broker", "daemon", "broker") if FULL else ("broker", "daemon")
IN_FLIGHT = 100
QUIET = 3.0
"""Seconds without a message after which a queue is believed to be empty."""

ROUTES = """
from routekit import Policy, Retry, from_

patient = Policy(concurrency={most}, retry=Retry(1000, first=0.05, most=0.5))
bridge = from_("rabbitmq:{queue}?prefetch={most}", bytes, policy=patient).to("rabbitmq:{queue}-to")
"""


@dataclass
class Daemon:
    """`routekit serve` in a folder, which can be killed and started again."""

    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it."""
        with (self.folder / "daemon.log").open("ab") as log:
            command = (Path(sys.executable).parent / "routekit", "serve", "routes")
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    @property
    def log(self) -> str:
        """The end of what it has written."""
        return (self.folder / "daemon.log").read_text()[-3000:]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it orderly; its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def serving(folder: Path, server: Any, queue: str) -> Generator[Daemon]:
    """A daemon that bridges from `queue` to `queue-to`."""
    (folder / "routes").mkdir()
    (folder / "routes" / "proof.py").write_text(ROUTES.format(queue=queue, most=IN_FLIGHT))
    (folder / "routekit.toml").write_text(f'[rabbitmq.default]\nurl = "{server.url}"\n')
    daemon = Daemon(folder)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.kill()


async def filled(outside: Any, queue: str) -> None:
    """So many messages, each confirmed."""
    channel = await outside.channel()
    properties = {"delivery_mode": aio_pika.DeliveryMode.PERSISTENT}

    async def publish(first: int) -> None:
        for number in range(first, MESSAGES, 200):
            message = aio_pika.Message(b"%d" % number, message_id=str(number), **properties)
            await channel.default_exchange.publish(message, queue)

    async with anyio.create_task_group() as tasks:
        for first in range(200):
            tasks.start_soon(publish, first)
    await channel.close()


async def waiting(outside: Any, queue: str) -> int:
    """How many messages wait in a queue; -1 while the broker does not tell."""
    try:
        channel = await outside.channel()
        declared = await channel.declare_queue(queue, passive=True)
        await channel.close()
    except (aio_pika.exceptions.AMQPException, OSError, RuntimeError):
        return -1
    return declared.declaration_result.message_count or 0


async def reached(outside: Any, queue: str, count: int, daemon: Daemon) -> None:
    """So many have arrived; fails when none come for a while."""
    before, since = -1, anyio.current_time()
    while (found := await waiting(outside, f"{queue}-to")) < count:
        if found > before:
            before, since = found, anyio.current_time()
        assert daemon.process.poll() is None, f"the daemon has ended: {daemon.log}"
        assert anyio.current_time() - since < 60, f"stuck at {found} of {count}: {daemon.log}"
        await anyio.sleep(0.05)


async def killed(what: str, outside: Any, daemon: Daemon) -> None:
    """Kill one of the two, and start it again."""
    if what == "daemon":
        await anyio.to_thread.run_sync(daemon.kill)
        daemon.start()
    else:
        await anyio.to_thread.run_sync(outside.server.kill)
        await anyio.to_thread.run_sync(outside.server.start)


async def arrived(outside: Any, queue: str) -> list[bytes]:
    """What is in the queue, in its order: until no more comes, since the broker's own count lags behind."""
    found: list[bytes] = []
    channel = await outside.channel()
    await channel.set_qos(prefetch_count=1000)
    sender, receiver = anyio.create_memory_object_stream[bytes](math.inf)

    async def take(message: Any) -> None:
        sender.send_nowait(message.body)
        await message.ack()

    with sender, receiver:
        tag = await (source := await channel.get_queue(queue)).consume(take)
        more = True
        while more:
            with anyio.move_on_after(QUIET) as waiting:
                found.append(await receiver.receive())
            more = not waiting.cancelled_caught
        await source.cancel(tag)
        await channel.close()
    return found


def told(bodies: Sequence[bytes], left: Sequence[bytes], seconds: float) -> tuple[Counter[bytes], str]:
    """The messages that came more than once, with how often too many; and a line for people."""
    twice = Counter({body: count - 1 for body, count in Counter(bodies).items() if count > 1})
    lost = MESSAGES - len({*bodies, *left})
    kills = f"{KILLS.count('broker')} kills of the broker, {KILLS.count('daemon')} of the daemon"
    return twice, f"{MESSAGES} messages in {seconds:.0f} s, {kills}: {lost} lost, {twice.total()} arrived once more"


async def test_nothing_is_lost_though_broker_and_daemon_are_killed(
    server: Any, outside: Any, queue: str, tmp_path: Path, capsys: Any
) -> None:
    """All messages arrive, and no more come twice than were in flight at the kills."""
    await outside.declare(queue)
    await outside.declare(f"{queue}-to")
    young = anyio.current_time() + 7  # a younger quorum queue of this broker does not survive to be killed
    await filled(outside, queue)
    await anyio.sleep_until(young)
    start = monotonic()
    with serving(tmp_path, server, queue) as daemon:
        for number, what in enumerate(KILLS, 1):
            await reached(outside, queue, MESSAGES * number // (len(KILLS) + 1), daemon)
            await killed(what, outside, daemon)
        await reached(outside, queue, MESSAGES, daemon)
        with anyio.fail_after(300):
            while await waiting(outside, queue):
                await anyio.sleep(0.1)
        seconds = monotonic() - start
        code = await anyio.to_thread.run_sync(daemon.stop)
    bodies, left = await arrived(outside, f"{queue}-to"), await arrived(outside, queue)
    twice, line = told(bodies, left, seconds)
    with capsys.disabled():
        if FULL:
            print(f"\n{line}")
    assert {*bodies, *left} == {b"%d" % number for number in range(MESSAGES)}, line
    assert len(left) <= IN_FLIGHT, "what the daemon had not done when it was stopped is delivered again, and no more"
    # At a kill of the broker a message is both tried again by its route and delivered again by its queue.
    most = IN_FLIGHT * (2 * KILLS.count("broker") + KILLS.count("daemon"))
    assert twice.total() <= most, line
    assert code == 0, daemon.log
