"""Wrong routes, which pyright must refuse.

Each mistake is marked with the rule that catches it; an ignore that is not needed is an error, so a mistake that goes
unnoticed one day fails the check. Never run; `make types` checks it.
"""

from dataclasses import dataclass
from pathlib import Path

from routekit import Act, Flow, Message, Policy, Records, Retry, Runs, Tally, dead_letters, from_, grouped, rescue
from routekit.eip.filter import Filter
from routekit.endpoints.log import Log
from routekit.endpoints.timer import Timer
from routekit_file import FileSource


@dataclass(frozen=True)
class Order:
    id: int
    customer: str
    lines: list[str]


def length(text: str) -> int:
    return len(text)


def three(order: Order, message: Message[Order], more: int) -> str:
    return f"{order} {message} {more}"


def shipped(flow: Flow[str], prefix: str) -> Flow[str]:
    return flow.transform(lambda line: prefix + line)


def counted(flow: Flow[Order]) -> Flow[int]:
    return flow.transform(lambda order: order.id)


def named(flow: Flow[Order]) -> Flow[str]:
    return flow.transform(lambda order: order.customer)


def texts(text: str) -> bool:
    return bool(text)


orders = from_("file:orders?after=move", Order)

# 1: an attribute that the body does not have
orders.filter(lambda order: order.totl)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 2: a step for another body
orders.transform(length)  # pyright: ignore[reportArgumentType]

# 3: the type that a step left behind
orders.transform(lambda order: order.id).transform(lambda number: number.customer)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 4: a function that wants more than body and message
orders.transform(three)  # pyright: ignore[reportArgumentType]

# 5: branches of a choice that disagree
orders.choice().when(lambda order: order.id > 1, lambda big: big.transform(lambda order: order.id)).otherwise(
    lambda rest: rest.transform(lambda order: order.customer)  # pyright: ignore[reportArgumentType]
)

# 6: a choice that is not closed, used as a flow
orders.choice().when(lambda order: True, lambda big: big).to("log:x")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

# 7: a choice without a branch
orders.choice().otherwise(lambda rest: rest)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 8: an option of a typed endpoint, misspelt
Timer(name="tick", evry=5)  # pyright: ignore[reportCallIssue]

# 9: an option of a typed endpoint, of the wrong type
Timer(name="tick", every=[5])  # pyright: ignore[reportArgumentType]

# 10: an option that may only be one of some words
FileSource(directory=Path("in"), after="remove")  # pyright: ignore[reportArgumentType]

# 11: an option that must be given
FileSource(directory=Path("in"))  # pyright: ignore[reportCallIssue]

# 12: parts of something that has none
orders.split(lambda order: order.id)  # pyright: ignore[reportArgumentType]

# 13: a rescue branch of another type
orders.attempt(counted, rescue={ValueError: named})  # pyright: ignore[reportArgumentType]

Policy(rescue={ValueError: lambda failed: failed})  # pyright: ignore[reportArgumentType, reportUnknownLambdaType]
rescue(shipped, then="go on")  # pyright: ignore[reportArgumentType]

# 14: an option of a policy, misspelt
from_("timer:tick", int, policy=Policy(concurency=4))  # pyright: ignore[reportCallIssue]

# 15: a retry that counts in words
Policy(retry=Retry("three"))  # pyright: ignore[reportArgumentType]
Policy(runs=Runs(start="never"))  # pyright: ignore[reportArgumentType]

# 16: a fragment for another body
orders.apply(shipped, "to ")  # pyright: ignore[reportArgumentType]

# 17: a fragment without its argument
orders.split(lambda order: order.lines).apply(shipped)  # pyright: ignore[reportCallIssue]

# 18: parsing into something that is no type
orders.parse("Order")  # pyright: ignore[reportArgumentType]

# 19: a word for failing parts that does not exist
orders.split(lambda order: order.lines, on_error="ignore")  # pyright: ignore[reportArgumentType]

# 20: records of something that is no type
from_("file:in", Path).split(Records[Order]("Order"))  # pyright: ignore[reportArgumentType]

# 21: a step of another body
orders.then(Filter[str](texts))  # pyright: ignore[reportArgumentType]

# 22: the tally is not the body that was split
orders.for_each(lambda order: order.lines, lambda line: line).transform(lambda tally: tally.customer)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 23: dead letters are letters
dead_letters(lambda letters: letters.transform(lambda letter: letter.total))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 24: a level that no log has
Log(name="x", level="loud")  # pyright: ignore[reportArgumentType]

# 25: a message cannot be changed
Message(1).body = 2  # pyright: ignore[reportAttributeAccessIssue]


# 26: an option computed from something that the body does not have
orders.to("file:out", name=lambda order: order.number)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]


# 27: a list of results is no tally
def tallied(flow: Flow[Order]) -> Flow[Tally]:
    return flow.gather(lambda order: order.lines, lambda line: line)  # pyright: ignore[reportReturnType]


# 28: an action of a saga that makes another type of body
orders.saga("book", Order, [Act("pay", do=lambda f: f.transform(str), undo=None)])  # pyright: ignore[reportArgumentType]

# 29: a saga of another body
orders.saga("book", str, [])  # pyright: ignore[reportArgumentType]

# 30: a branch that reads what the body does not have
orders.multicast(lambda copy: copy.filter(lambda order: order.totl))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 31: a stop that makes another type of body
orders.routing_slip(lambda order: ["a"], {"a": lambda stop: stop.transform(lambda order: order.id)})  # pyright: ignore[reportArgumentType]

# 32: branches of which one answers with something else
orders.failover(counted, named)  # pyright: ignore[reportArgumentType]

# 33: recipients that are no names
orders.recipients(lambda order: order.id, {"a": counted})  # pyright: ignore[reportArgumentType]

# 34: a loop that changes the type of the body
orders.loop(counted, times=3)  # pyright: ignore[reportArgumentType]

# 35: a way of balancing that does not exist
orders.load_balance(counted, counted, by="sticky")  # pyright: ignore[reportArgumentType]

# 36: leaving out, where the message goes on whatever happens
orders.multicast(counted, on_error="leave_out")  # pyright: ignore[reportArgumentType]

# 37: groups of parts are lists
orders.split(grouped(lambda order: order.lines, 3)).transform(lambda group: group.upper())  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 38: an answer that is no type
orders.enrich("direct:price", answer="Line")  # pyright: ignore[reportArgumentType]

# 39: a merge that asks the answer for something it has not
orders.enrich("direct:price", answer=Order, merge=lambda order, other: other.nothing)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]

# 40: waiting without a time limit
orders.poll_enrich("queue:rates", answer=Order)  # pyright: ignore[reportCallIssue]

# 41: an answer that may be missing is used as if it were there
orders.enrich("direct:price", answer=Order, missing=None, merge=lambda order, other: other.id)  # pyright: ignore[reportOptionalMemberAccess]

# 42: a body that has no elements is sorted
orders.sort()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

# 43: a rate that is a text
orders.throttle(rate="5 per second")  # pyright: ignore[reportArgumentType]

# 44: a fallback that gives something else than the call
orders.circuit_breaker(counted, name="crm", fallback=named)  # pyright: ignore[reportArgumentType]

# 45: a timeout without a time
orders.timeout(counted)  # pyright: ignore[reportCallIssue]

# 46: a time to expire that is a text
orders.expire(at=lambda order: order.customer)  # pyright: ignore[reportArgumentType]

# 47: messages that are kept as another type than they have
orders.delay("x", int, by=60)  # pyright: ignore[reportArgumentType]

# 48: a delay that is a text
orders.delay("x", Order, by="an hour")  # pyright: ignore[reportArgumentType]

# 49: a time to wait for that is a text
orders.delay("x", Order, until=lambda order: order.customer)  # pyright: ignore[reportArgumentType]

# 50: a number that is a text
orders.resequence("x", Order, number=lambda order: order.customer, gap=60)  # pyright: ignore[reportArgumentType]

# 51: a gap that is waited for without end
orders.resequence("x", Order, number=lambda order: order.id)  # pyright: ignore[reportCallIssue]

# 52: what a late message does, misspelt
orders.resequence("x", Order, number=lambda order: order.id, gap=60, late="new")  # pyright: ignore[reportArgumentType]

# 53: a transaction without a name
orders.transaction("sql:crm", lambda order: order)  # pyright: ignore[reportCallIssue]
