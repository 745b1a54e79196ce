"""Cases of every endpoint: what it says of itself, what a probe finds, and the figures that it shows."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from math import isfinite

import anyio
import anyio.lowlevel
from pydantic import SecretStr

from ...endpoint import Consumer, Producer
from ...errors import RouteKitError
from ...figures import Figure
from ...options import sounds_secret
from .applying import either, given, has_own, look, of_kind, trial
from .bench import Bench
from .contract import Contract, proxy_of, shown
from .lives import TRIED, Life, outcome

CANARY = "kit-canary-5e1f"
"""Stands for a secret."""

connects = either(of_kind(Consumer, "Consumer"), of_kind(Producer, "Producer"))

_NOT_BASIC = re.compile(r"_(ms|millis|milliseconds|micros|minutes|hours|days|kb|kib|mb|mib|gb|bits)(_total)?$")
_TAKEN = re.compile(r"_(count|sum|bucket|created|info)$")


class Looking(Contract):
    """What is seen from outside, without a message."""

    def lived(self, bench: Bench, *, troubled: bool = False) -> AbstractAsyncContextManager[Life]:
        """A life in which the endpoint is at work."""
        raise NotImplementedError

    async def used(self, life: Life) -> None:
        """Let a message pass."""
        raise NotImplementedError

    async def unchanged(self, bench: Bench, doing: Callable[[], Awaitable[None]]) -> None:
        """Fail if doing it takes or sends anything."""
        raise NotImplementedError

    # What it says of itself.

    @look
    def test_it_says_what_it_is(self) -> None:
        """The class has a docstring, every option a description, and its `scheme` can stand in a URI.

        `routekit describe` shows them: write `Field(description=...)` for each option.
        """
        doc = inspect.getdoc(self.kind) or ""
        assert self.kind.__doc__, f"{self.kind.__name__} has no docstring: `routekit describe` shows it"
        first = doc.splitlines()[0].rstrip()
        assert first.endswith((".", ":")), f"the first line of the docstring is no sentence: {first!r}"
        silent = [name for name, field in self.kind.model_fields.items() if not field.description]
        assert not silent, f"without a description=...: {', '.join(silent)}"
        assert re.fullmatch(r"[a-z][a-z0-9+-]*", self.kind.scheme), f"'{self.kind.scheme}' cannot begin a URI"

    @look
    def test_secret_options_are_declared(self) -> None:
        """An option whose name says that it is secret is a `SecretStr`, which is masked wherever it is printed.

        Change the type of the field, and call `get_secret_value()` where it is used.
        """
        open_ = [
            name
            for name, field in self.kind.model_fields.items()
            if sounds_secret(name) and "SecretStr" not in str(field.annotation)
        ]
        assert not open_, f"these sound secret, and are no SecretStr: {', '.join(open_)}"

    @trial()
    async def test_a_secret_is_not_printed(self, bench: Bench) -> None:
        """No secret is in the URI, the repr or the text of an endpoint.

        A `__repr__`, `__str__` or `uri` of your own prints it; those of `Endpoint` mask.
        """
        endpoint = bench.endpoint(self.tried(), self.kind)
        fields = [name for name, field in self.kind.model_fields.items() if "SecretStr" in str(field.annotation)]
        filled = endpoint.model_copy(update={name: SecretStr(CANARY) for name in fields})
        for text in (repr(filled), str(filled), filled.uri(), str(filled.model_dump(mode="json"))):
            self.keep_secret(text, "what is printed of the endpoint", CANARY)
        for text in (repr(endpoint), str(endpoint), endpoint.uri()):
            self.keep_secret(text, "what is printed of the endpoint")

    @trial()
    async def test_it_promises_what_is_tried(self, bench: Bench) -> None:
        """With the options that are given, the endpoint promises what the kit tries, no more and no less.

        Write `promised = Capabilities(...)` in the test class, or correct `promises()`.
        """
        promises = bench.endpoint(self.tried(), self.kind).promises()
        largest = self.promised.largest or promises.largest
        same = promises == self.promised.model_copy(update={"largest": largest})
        assert same, f"it promises {promises!r}, and the kit tries {self.promised!r}"

    # What a probe finds.

    @trial(has_own("probe"))
    async def test_a_probe_says_what_is_there(self, bench: Bench) -> None:
        """`probe` returns one short line when the other side is there.

        `routekit check --connect` prints it: a name, a version, how much waits.
        """
        found = await bench.probed(self.tried(), self.kind)
        assert found.strip(), "the other side is there, and the probe says nothing"
        assert "\n" not in found, f"a probe is one line, found {shown(found)}"
        assert len(found) <= 200, f"a probe is one short line, found {shown(found)}"
        self.keep_secret(found, "what the probe says")

    @trial(has_own("probe"))
    async def test_a_probe_changes_nothing(self, bench: Bench) -> None:
        """A probe neither takes nor sends a message, however often it is asked.

        Open a connection, ask for the state, close it; do not subscribe, and do not send a test message.
        """

        async def probing() -> None:
            for _ in range(2):
                await bench.probed(self.tried(), self.kind)

        await self.unchanged(bench, probing)

    @trial(has_own("probe"), connects, either(given("server"), given("stop_server", "start_server")))
    async def test_a_probe_of_what_is_away_raises(self, bench: Bench) -> None:
        """When the other side is away, `probe` raises one of RouteKit's errors, soon and without a secret.

        Raise `Unavailable` from the error of the library, and give the probe a timeout.
        """
        through_proxy = self.has("server")  # that is quicker than a restart
        if through_proxy:
            proxy_of(bench).refuse()
        else:
            await self.stop_server()
        error: Exception | None = None
        ended = False
        with bench.listening_to_logs(), anyio.move_on_after(bench.patience):
            error = await outcome(bench.probed(self.tried(), self.kind))
            ended = True
        if through_proxy:
            proxy_of(bench).heal()
        else:
            await self.start_server()
        assert ended, f"the other side is away, and the probe has not ended after {bench.patience:g} seconds"
        assert error is not None, "the other side is away, and the probe found nothing wrong"
        assert isinstance(error, RouteKitError), f"a probe raises Unavailable or another RouteKitError, found {error!r}"
        bench.hear(error)
        for text in bench.heard:
            self.keep_secret(text, "what a failing probe tells")

    @trial(has_own("probe"), connects, given("with_secret"))
    async def test_a_probe_with_a_wrong_secret_raises(self, bench: Bench) -> None:
        """With a wrong secret `probe` raises, and does not tell it.

        Log in as the endpoint itself does, and word the error yourself: libraries put URLs into theirs.
        """
        wrong = "kit-wrong-7d20"
        with bench.listening_to_logs():
            error = await outcome(bench.probed(self.with_secret(wrong), self.kind))
        assert isinstance(error, RouteKitError), f"the secret is wrong, and the probe gave {error!r}"
        bench.hear(error)
        for text in bench.heard:
            self.keep_secret(text, "what a failing probe tells", wrong)

    # What it counts.

    @trial()
    async def test_figures_are_named_and_documented(self, bench: Bench) -> None:
        """Figures are named by the habits of OpenMetrics, documented in `about`, and counters never fall.

        Counters end with `_total`, units are `_seconds` and `_bytes`; `about = About(figures={...})` explains each.
        """
        async with self.lived(bench) as life:
            await self.used(life)
            before = self._figures(life)
            await self.used(life)
            after = self._figures(life)
            documented = set(bench.endpoint(self.tried(), self.kind).about.figures)
        _well_named(before)
        names = {figure.name for figure in before}
        assert names == documented, f"shown are {sorted(names)}, and about.figures has {sorted(documented)}"
        values = {figure.name: figure.value for figure in before}
        for figure in after:
            self.keep_secret(figure.endpoint, "the name of the endpoint of a figure")
            if figure.name.endswith("_total"):
                assert figure.value >= values[figure.name], f"the counter {figure.name} has fallen"

    @trial()
    async def test_figures_go_with_the_endpoint(self, bench: Bench) -> None:
        """A figure can be read while its endpoint is open, and is gone when that is closed, also by a crash.

        Write `with runtime.metered(self, {...}):` around the loop of `consume`, the `yield` of `open`, or `listen`.
        """
        async with self.lived(bench) as life:
            await self.used(life)
        left = [figure.name for figure in self._figures(life)]
        assert not left, f"the endpoint is closed, and still shows {', '.join(left)}"
        async with self.lived(bench, troubled=True) as life:
            life.kill()
            await anyio.lowlevel.checkpoint()
        left = [figure.name for figure in self._figures(life)]
        assert not left, f"the endpoint has ended by a crash, and still shows {', '.join(left)}"

    def _figures(self, life: Life) -> Sequence[Figure]:
        return [figure for figure in life.service.figures() if figure.route == TRIED]


def _well_named(figures: Sequence[Figure]) -> None:
    for figure in figures:
        assert isfinite(figure.value), f"the figure {figure.name} is {figure.value}"
        assert not _NOT_BASIC.search(figure.name), f"{figure.name}: units are seconds and bytes"
        assert not _TAKEN.search(figure.name), f"{figure.name}: OpenMetrics keeps that ending for itself"
    names = [(figure.endpoint, figure.name) for figure in figures]
    assert len({*names}) == len(names), f"a figure is shown twice: {shown(sorted(names))}"
