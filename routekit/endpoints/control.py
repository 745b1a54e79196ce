"""control: the control bus. Messages that start, stop, pause and ask routes and steps while they run."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from ..about import About
from ..endpoint import PER_MESSAGE, Capabilities, Endpoint, PathField, Producer
from ..errors import BadOption, DefinitionError, UnknownName
from ..hookspecs import hookimpl
from ..keys import key_text
from ..message import Message
from ..offers import ROUTE_ACTIONS, Offer, unknown, wrong_option
from ..step import Runtime, Send


class Control(Producer):
    """Asks a route or a step of this service to do something: `control:pause?route=orders.new`.

    Routes can `start`, `stop`, `pause`, `resume` and give their `stats`; steps what they offer, such as `flush` for the
    groups of an aggregate, `open` and `close` for a circuit breaker. The action is always the author's. The answer is
    what was asked for, plain data; to an order of a route it is the state in which the route is then. Delivered when
    the order is taken, not when the last message in flight is done: that may be the one that brings the order.
    """

    scheme = "control"
    capabilities = Capabilities(ordered=True, idempotent=True)
    about = About(
        raises={
            UnknownName: "nothing of that name, or nothing that does that",
            BadOption: "an option that the action does not have",
        },
        example="""
            from routekit import from_

            evening = from_("cron:0 22 * * *").to("control:pause?route=orders")
            orders = from_("timer:order", int).to("log:orders")
        """,
    )
    raises = (UnknownName, BadOption)
    action: PathField = Field(description="what to do")
    route: Annotated[str | None, PER_MESSAGE] = Field(
        default=None,
        description="the route that is asked, else the one that asks; written in the URI it may be a pattern, `crm.*`",
    )
    name: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="the steps that are asked, by the name of their state"
    )
    key: Annotated[str | int | None, PER_MESSAGE] = Field(
        default=None, description="the key of the group that is meant, else all"
    )
    on: Annotated[bool | None, PER_MESSAGE] = Field(default=None, description="how a switch is turned")
    options: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="further options of the action, written `options.NAME=...`"
    )

    @model_validator(mode="after")
    def _either_or(self) -> Self:
        if self.route is not None and self.name is not None:
            raise ValueError("a route and a step are asked apart; give route or name")
        if self.route is not None and self.given():
            raise ValueError(f"a route takes no {' and no '.join(self.given())}; give the name of a step")
        return self

    def given(self) -> dict[str, Any]:
        """The options that go with the action."""
        found = {"key": self.key, "on": self.on, **self.options}
        return {name: value for name, value in found.items() if value is not None}

    def wrong(
        self, computed: Collection[str], routes: Collection[str], offers: Sequence[Offer]
    ) -> DefinitionError | None:
        """What is wrong with it among these routes and offers of steps; `computed` are options of each message."""
        of_steps = {(action, name) for action, name, _ in offers}
        of_routes = {(action, route) for action in ROUTE_ACTIONS for route in routes}
        actions = {action for action, _ in of_steps | of_routes}
        asks_route = self.route is not None or "route" in computed
        asks_step = self.name is not None or "name" in computed
        if self.action not in actions:
            return unknown(self.action, "", of_steps | of_routes)
        if asks_route and asks_step:
            return BadOption("control: a route and a step are asked apart", hint="give route or name")
        if not asks_step:
            return self._wrong_route(computed, routes, of_routes)
        if self.action not in {action for action, _ in of_steps}:
            return BadOption(f"control:{self.action} is asked of a route", hint="give its name: route=...")
        if self.name is not None and (self.action, self.name) not in of_steps:
            return unknown(self.action, self.name, of_steps)
        options = {*self.given(), *computed} - {"name"}
        those = [command for action, name, command in offers if action == self.action and self.name in (None, name)]
        return next(filter(None, (wrong_option(self.action, command, options) for command in those)), None)

    def _wrong_route(
        self, computed: Collection[str], routes: Collection[str], of_routes: Collection[tuple[str, str]]
    ) -> DefinitionError | None:
        if self.action not in ROUTE_ACTIONS:
            return BadOption(f"control:{self.action} is asked of a step", hint="give its name: name=...")
        if self.given() or set(computed) - {"route"}:
            return BadOption(f"control:{self.action} of a route takes no options", hint="give the name of a step")
        if self.route is None or any(fnmatchcase(route, self.route) for route in routes):
            return None
        return unknown(self.action, self.route, of_routes)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any], **computed: Any) -> Message[Any]:
            names = [computed.pop(option) for option in ("route", "name") if option in computed]
            if names and (not names[0] or "*" in names[0]):  # never the route itself, and never several
                hint = "one that is computed is exactly one; only the URI may have a pattern"
                raise UnknownName(f"no route or step is called '{names[0] or ''}'", hint=hint)
            given = {**self.given(), **{option: value for option, value in computed.items() if value is not None}}
            name = names[0] if names else self.name or self.route or runtime.route
            if "key" in given:
                given["key"] = key_text(given["key"], key_text)
            answer = await runtime.control(self.action, name, **given)
            return message.with_body(answer)

        yield send


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`control:` as a sink."""
    return [Control]
