"""Cases of a sink: what is secret is told to nobody."""

import anyio

from ....message import Message
from ....tasks import together
from ..applying import given, trial
from ..bench import Bench
from ..contract import proxy_of
from ..lives import SinkLife, outcome
from .given import SinkGiven


class Telling(SinkGiven):
    """Logs, events and errors."""

    @trial(given("secrets"))
    async def test_a_secret_is_not_told(self, bench: Bench) -> None:
        """No secret is in a log, however detailed, nor in an event, an error or a dead letter.

        Libraries log URLs and put them into their errors: word your own, and raise them `from None` if need be.
        """
        with bench.listening_to_logs():
            async with self.life(bench, troubled=True) as life:
                await life.send(self.message(1))
                if self.has("poison") and (error := await outcome(life.send(Message(self.poison(), id="kit-poison")))):
                    bench.hear(error)
                await self._disturb(bench, life)
        for text in bench.heard:
            self.keep_secret(text, "what was told")

    async def _disturb(self, bench: Bench, life: SinkLife) -> None:
        """Send while the other side is away."""
        away, restarts = self.has("server"), self.has("stop_server", "start_server")
        if away:
            proxy_of(bench).refuse()
        elif restarts:
            await self.stop_server()
        if away or restarts:
            with anyio.move_on_after(self.quiet * 5):
                if error := await outcome(life.send(self.message(2))):
                    bench.hear(error)
        if away:
            proxy_of(bench).heal()
        elif restarts:
            await self.start_server()

    @trial(given("with_secret"))
    async def test_a_wrong_secret_is_not_told(self, bench: Bench) -> None:
        """With a wrong secret nothing is delivered, and whoever reads why does not read the secret.

        Raise from `open` or `send` when you are not let in; name the user, not the password.
        """
        wrong = "kit-wrong-7d20"
        errors: list[Exception | None] = []

        async def send(life: SinkLife) -> None:
            errors.append(await outcome(life.send(self.message(1))))

        with bench.listening_to_logs():
            async with (
                bench.sink_life(self.with_secret(wrong), self.options(), troubled=True) as life,
                together() as tasks,
            ):
                tasks.start_soon(send, life)
                await bench.soon(lambda: bool(errors or life.degraded), "a wrong secret to be refused")
                tasks.cancel_scope.cancel()
        assert errors != [None], "with a wrong secret, a message was delivered"
        for error in filter(None, errors):
            bench.hear(error)
        for text in bench.heard:
            self.keep_secret(text, "what was told of a wrong secret", wrong)
