"""What the contracts of sources and sinks have in common: what the author gives, and the bench that it is tried on."""

import gc
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from ...endpoint import Capabilities, Endpoint
from ...flow import Flow
from ...message import Message
from ...options import MASK
from ...tasks import together
from ..faults import FaultProxy, fault_proxy
from ..virtual import Loop, virtual
from .applying import hook, inapplicable, is_given, trials
from .bench import Bench

BODIES: Mapping[str, Any] = {
    "plain": b"plain",
    "empty": b"",
    "unicode": "Grüße, Ωμέγα, 你好, 🐿".encode(),
    "binary": bytes(range(256)),
    "lines": b"one\r\ntwo\n\n",
}
"""Bodies that every endpoint of bytes has to bring whole."""

HEADERS: Mapping[str, Any] = {"kit.plain": "plain", "kit.empty": "", "kit.unicode": "Grüße, 你好"}
"""Headers of texts, for endpoints that bring headers."""


class Contract:
    """What an author gives to try an endpoint. `SourceContract` and `SinkContract` say what else.

    A subclass whose name begins with `Test` is collected by pytest, with those cases that apply to its `kind`.
    """

    pytestmark = pytest.mark.anyio

    kind: ClassVar[type[Endpoint]]
    """The class of the endpoint that is tried."""
    modules: ClassVar[Sequence[Any]] = ()
    """Plugins that are not installed, as for `Catalog`."""
    promised: ClassVar[Capabilities]
    """What is tried; else the `capabilities` of `kind`. To be given if the options promise something else."""
    loops: ClassVar[Sequence[Loop]] = ("asyncio", "trio")
    """The event loops that it runs on."""
    in_virtual_time: ClassVar[bool] = False
    """For endpoints that know nothing outside of this process."""
    patience: ClassVar[float] = 10.0
    """Seconds after which something that has not happened counts as never."""
    quiet: ClassVar[float] = 0.1
    """Seconds within which it would have happened if it could."""
    bodies: ClassVar[Mapping[str, Any]] = BODIES
    """Bodies to be brought whole, by name: empty, with letters of all alphabets, and None where it can be."""
    headers: ClassVar[Mapping[str, Any]] = {}
    """Headers that come along unchanged, such as HEADERS; none if it has no place for them."""
    large: ClassVar[int] = 100 << 20
    """Bytes of the largest body that is tried, unless the endpoint promises less."""
    many: ClassVar[int] = 100
    """Messages that are brought at once."""
    cancels: ClassVar[int] = 40
    """At how many awaits it is cancelled at most; if there are more, at so many of them."""
    secrets: ClassVar[Sequence[str]] = ()
    """What is secret in the options and settings that are given: passwords, tokens. Nobody may ever read them."""

    address: tuple[str, int] = ("", 0)
    """Where the endpoint, or who calls it, has to connect: a proxy for the `server`, which does wrong in some tests."""

    not_tried: ClassVar[Mapping[str, str]] = {}
    """Made by the kit: the cases that do not apply, with the reason."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not hasattr(cls, "kind"):
            return
        if not hasattr(cls, "promised"):
            cls.promised = cls.kind.capabilities
        reasons = {name: (test, inapplicable(cls, test)) for name, test in trials(cls).items()}
        cls.not_tried = {name: why for name, (_, why) in reasons.items() if why}
        for name, (test, why) in reasons.items():
            setattr(cls, name, None if why else test)

    @pytest.fixture
    def anyio_backend(self, kit_loop: Loop) -> Any:
        """The event loop of the test."""
        return virtual(kit_loop) if self.in_virtual_time else kit_loop

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each loop, each body; what is large on one loop only."""
        if "kit_loop" in metafunc.fixturenames:
            large = "large" in metafunc.function.__name__
            metafunc.parametrize("kit_loop", self.loops[:1] if large else self.loops)
        if "sample" in metafunc.fixturenames:
            metafunc.parametrize("sample", list(self.bodies))

    # What the author gives besides.

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        """What is there before the endpoint: a folder, tables, an empty queue; `folder` is new for each test."""
        yield

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        """What stands under `[table.name]` in `routekit.toml`."""
        return None

    def beside(self) -> Sequence[Flow[Any]]:
        """Other routes of the same service, for endpoints within a process."""
        return ()

    def body(self, number: int) -> Any:
        """A body that differs from those of other numbers."""
        return f"body {number}".encode()

    def large_body(self, size: int) -> Any:
        """A body of that size."""
        numbers = b"".join(b"%015d\n" % number for number in range(4096))
        return (numbers * (size // len(numbers) + 1))[: size - 1] + b"!"

    def expected(self, body: Any) -> Any:
        """How that body arrives at the other side; else as it is."""
        return body

    @hook
    def server(self) -> tuple[str, int]:
        """Host and port of the server that it speaks to; of a listener: where it listens. Then `address` is a proxy."""
        raise NotImplementedError

    @hook
    async def stop_server(self) -> None:
        """Stop the server; what it has been told, it has on disk."""
        raise NotImplementedError

    @hook
    async def start_server(self) -> None:
        """Start it again, with what it has on disk; return when it answers."""
        raise NotImplementedError

    @hook
    def with_secret(self, secret: str) -> str | Endpoint:
        """The endpoint with another secret, one that is wrong."""
        raise NotImplementedError

    def tried(self) -> str | Endpoint:
        """The endpoint that is tried."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Wait until a listener listens; by itself this waits for the port of `server`."""
        if not self.has("server"):
            return
        with anyio.move_on_after(self.patience):
            while True:
                try:
                    async with await anyio.connect_tcp(*self.server()):
                        return
                except OSError:
                    await anyio.sleep(0.005)

    async def put(self, message: Message[Any]) -> Message[Any] | None:
        """For sources; see there."""
        raise NotImplementedError

    # The bench.

    async def on_bench(self, folder: Path, test: Callable[[Bench], Awaitable[None]]) -> None:
        """Run a test with what is outside, for a limited time."""
        gc.freeze()  # what is there already need not be looked at when what a life has left is collected
        with anyio.move_on_after(self.patience * 12) as scope:
            async with AsyncExitStack() as stack:
                stack.callback(_collected)
                await stack.enter_async_context(self.outside(folder))
                bench = Bench(self, folder, self.modules, self.patience, virtual=self.in_virtual_time)
                if self.has("server"):
                    bench.proxy = await stack.enter_async_context(fault_proxy(*self.server()))
                    self.address = bench.proxy.address
                await test(bench)
        assert not scope.cancelled_caught, f"not done within {self.patience * 12:g} seconds"

    def has(self, *names: str) -> bool:
        """Whether these hooks are given."""
        return all(is_given(self, name) for name in names)

    def message(self, number: int) -> Message[Any]:
        """A message that differs from those of other numbers."""
        return Message(self.body(number), id=f"kit-{number}")

    def messages(self, count: int, first: int = 1) -> list[Message[Any]]:
        """Several of them."""
        return [self.message(number) for number in range(first, first + count)]

    def keep_secret(self, text: str, what: str, *others: str) -> None:
        """Fail if a text tells a secret."""
        for secret in (*self.secrets, *others):
            assert secret not in text, f"a secret is in {what}: {shown(text.replace(secret, MASK))}"


def _collected() -> None:
    """What a test has left open is collected with it, so that its warning is about that test."""
    gc.collect()
    gc.unfreeze()


def shown(value: Any) -> str:
    """A value in a line of a message."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"


def whole(found: Any, wanted: Any, what: str) -> None:
    """The body that has arrived is the one that was given."""
    same = bool(found == wanted)  # pytest is not to compare 100 MiB line by line
    assert same, f"{what} has changed on the way: {shown(wanted)} has become {shown(found)}"


def proxy_of(bench: Bench) -> FaultProxy:
    """The proxy, where `server` is given."""
    assert bench.proxy is not None
    return bench.proxy


@asynccontextmanager
async def in_time(bench: Bench, what: str) -> AsyncGenerator[None]:
    """Fail if the block takes longer than patience; then the line is cut, so that it ends."""
    late: list[bool] = []

    async def give_up() -> None:
        await anyio.sleep(bench.patience * 1.5)
        late.append(True)
        proxy_of(bench).heal()
        proxy_of(bench).cut()

    async with together() as watching:
        watching.start_soon(give_up)
        yield
        watching.cancel_scope.cancel()
    assert not late, f"{what} has not ended after {bench.patience * 1.5:g} seconds"
