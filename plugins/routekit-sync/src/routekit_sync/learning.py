"""Learning: what a plan says beside its writes is kept with the link, once, however often it is planned."""

from typing import Any

from routekit import ValueChange

from . import planning
from .bench import Bench, Dirty
from .kept import Conflict
from .ledger import Known, digest, document
from .plans import Dispute, LinkPlan
from .state import Link


def count(bench: Bench, made: LinkPlan) -> None:
    """Count what a plan lists."""
    done = bench.summary
    done.conflicts += len(made.disputes)
    done.manual += sum(each.outcome == "manual" for each in made.disputes)
    done.drift += len(made.drift)
    done.blocked += len(made.blocked)
    done.problems += len(made.problems)
    done.waiting += bool(made.waits_for)


def noticed(bench: Bench, dirty: Dirty, made: LinkPlan) -> Link:
    """The link with what the plan learned; it is due again only if it waits for a parent."""
    link = planning.noticed(dirty.known.link, made, dirty.a, dirty.b, now=bench.now())
    due = bench.now() or 1e-9
    return link.model_copy(update={"due": due if made.waits_for else 0.0})


def unlinked(link: Link, made: LinkPlan) -> Link:
    """A link that is none any more; its records are known by it still, so that neither is taken for a new one.

    What they said is forgotten: if it comes back, they are compared as when they were first matched.
    """
    plain: dict[str, Any] = {"fields": {}}
    a = link.a.model_copy(update=plain) if link.a else None
    b = link.b.model_copy(update=plain) if link.b else None
    return link.model_copy(update={"state": "outside", "why": made.why, "a": a, "b": b})


def news(known: Known, link: Link) -> bool:
    """Whether a link differs from what is kept, other than by when it was read."""
    unread: dict[str, Any] = {"seen": 0.0}

    def plain(each: Link) -> Link:
        a = each.a.model_copy(update=unread) if each.a else None
        b = each.b.model_copy(update=unread) if each.b else None
        due = {"due": 1.0} if each.due and each.waits_for else {}
        return each.model_copy(update={"a": a, "b": b, **due})

    return known.version == 0 or plain(known.link) != plain(link)


def disputed(bench: Bench, dirty: Dirty, made: LinkPlan) -> list[ValueChange]:
    """The conflicts of a plan, each kept once, however often it is planned."""
    link = dirty.known.link
    return [
        document(
            f"conflict/{_named(link, each)}",
            Conflict(
                id=_named(link, each), link=link.id, unit=each.unit,
                id_a=link.a.id if link.a else "", id_b=link.b.id if link.b else "",
                base_a=each.base_a, base_b=each.base_b, value_a=each.value_a, value_b=each.value_b,
                stamp_a=each.stamp_a, stamp_b=each.stamp_b, outcome=each.outcome, why=each.why, at=bench.now(),
            ),
        )
        for each in made.disputes
    ]  # fmt: skip


def _named(link: Link, dispute: Dispute) -> str:
    return digest(
        link.id, dispute.unit, dispute.base_a, dispute.base_b,
        dispute.value_a, dispute.value_b, dispute.stamp_a, dispute.stamp_b,
    )  # fmt: skip


def frozen(link: Link, made: LinkPlan, dirty: Dirty) -> Link:
    """The link with the units that wait for a person."""
    waiting = {each.unit: _named(dirty.known.link, each) for each in made.disputes if each.outcome == "manual"}
    return link.model_copy(update={"conflicts": {**link.conflicts, **waiting}}) if waiting else link
