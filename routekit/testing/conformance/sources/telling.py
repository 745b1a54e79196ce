"""Cases of a source: what is secret is told to nobody."""

import anyio

from ....errors import Rejected
from ..applying import given, trial
from ..bench import Bench
from ..contract import proxy_of
from .given import SourceGiven, pulled


class Telling(SourceGiven):
    """Logs, events, errors and dead letters."""

    @trial(given("secrets"))
    async def test_a_secret_is_not_told(self, bench: Bench) -> None:
        """No secret is in a log, however detailed, nor in an event, an error or a dead letter.

        Libraries log URLs and put them into their errors: word your own, and raise them `from None` if need be.
        """
        with bench.listening_to_logs():
            async with bench.source_life(self.source(), dead_letter="store", troubled=True) as life:
                await life.give(self.message(1))
                (await life.next()).refuse(Rejected("refused by the kit"))
                await life.settled()
                await self._disturb(bench)
                bench.heard += [repr(letter) for letter in await life.letters()]
        for text in bench.heard:
            self.keep_secret(text, "what was told")

    async def _disturb(self, bench: Bench) -> None:
        """Let the other side be away for a moment."""
        if self.has("server"):
            proxy_of(bench).refuse()
            await anyio.sleep(self.quiet)
            proxy_of(bench).heal()
        elif self.has("stop_server", "start_server"):
            await self.restart()

    @trial(given("with_secret"), pulled)
    async def test_a_wrong_secret_is_not_told(self, bench: Bench) -> None:
        """A wrong secret degrades the route, and whoever reads why does not read the secret.

        Raise from `consume` when you are not let in; name the user, not the password.
        """
        wrong = "kit-wrong-7d20"
        with bench.listening_to_logs():
            async with bench.source_life(self.with_secret(wrong), troubled=True) as life:
                await bench.soon(lambda: bool(life.degraded), "a wrong secret to degrade the route")
        for text in bench.heard:
            self.keep_secret(text, "what was told of a wrong secret", wrong)
