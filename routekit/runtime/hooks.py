"""Hooks of a policy: the author's functions that hear of failures. What they raise never hides a failure."""

from typing import Any

from ..callables import Coro, name_of
from ..discretion import concerns
from ..events import Logged
from ..letter import Letter
from ..message import Message
from ..rescuing import judged, judging, noted
from ..route import Policy
from ..step import Runtime


class Hooks:
    """Calls the hooks of a policy; an error in one is noted on the failure that it was told of, and logged."""

    def __init__(self, policy: Policy, runtime: Runtime) -> None:
        self._on_failure = None if policy.on_failure is None else judging(policy.on_failure, "on_failure")
        self._before_letter: Any = policy.before_letter
        self._runtime = runtime
        self.watches = self._on_failure is not None

    async def failed(self, error: Exception, message: Message[Any]) -> None:
        """A try has failed."""
        if self._on_failure is None:
            return
        try:
            await judged(self._on_failure, error, message)
        except Exception as worse:  # the author's function
            concerns(worse, message)
            noted(error, "on_failure", worse, self._warn)

    async def letter(self, letter: Letter, error: Exception) -> Letter:
        """The letter to keep: as the hook makes it, or as it is if that fails."""
        if self._before_letter is None:
            return letter
        try:
            made = self._before_letter(letter)
            made = await made if type(made) is Coro else made
        except Exception as worse:  # as above
            noted(error, "before_letter", worse, self._warn)
            return letter
        if isinstance(made, Letter):
            return made
        text = f"{name_of(self._before_letter)} gave {type(made).__name__}, no letter"
        noted(error, "before_letter", TypeError(text), self._warn)
        return letter

    def _warn(self, text: str) -> None:
        self._runtime.emit(Logged(self._runtime.route, "warning", text))
