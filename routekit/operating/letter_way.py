"""The way of a dead letter through its route as it runs in this daemon: with its connections, limits and groups."""

from ..errors import Unavailable
from ..letter import Letter, kind_named, unpacked
from ..lettering.replaying import Taking
from ..message import Message
from ..replay import Confirm
from ..runtime.runner import Runner
from ..runtime.service import Service


class LetterWay:
    """Takes letters of a route that runs."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def take(self, letter: Letter, confirm: Confirm) -> Exception | None:
        """Run the route on a letter; None once it is done and `confirm` has returned, else what failed."""
        headers = {name: unpacked(value) for name, value in letter.headers.items()}
        message = Message(unpacked(letter.body), headers, letter.message_id)
        kind = kind_named(letter.kind) if letter.entry else None
        try:
            await self._runner.again(message, letter.entry, kind)
            await confirm()
        except Exception as error:  # of whatever kind: who replays the letter keeps it, with what happened
            return error
        return None


def way_of(letter: Letter, service: Service) -> Taking | None:
    """The way of a letter, if its route runs here and takes letters; raises Unavailable when the service stops."""
    if service.stopping:
        raise Unavailable("the daemon is stopping", hint="the letter stays")
    runner = next((runner for runner in service.runners if runner.route.name == letter.route), None)
    return LetterWay(runner) if runner is not None and runner.takes_again else None
