"""The check of a remote: each case is tried on a live system or one in memory, and says what may be relied on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from random import Random
from typing import Final

from routekit import Runtime
from routekit.remotes import Creating, Feed, Remote, RemoteError

from . import claims, feeds
from .claims import Case, Claimed
from .trial import PATIENCE, Broken, Sample, Trial, Untried, told
from .verdicts import Guarantee, Verdict


@dataclass(frozen=True, slots=True)
class Claim:
    """One guarantee: its name, the case that tries it, and when a system does not claim it."""

    name: str
    case: Case
    missing: Claimed = lambda trial: None
    wish: bool = False
    """Whether nobody claims it: without it the verdict is `cannot`, and not `broken`."""


def _unless(can: Callable[[Trial], object], why: str) -> Claimed:
    return lambda trial: None if can(trial) else why


_MAKING: Final = _unless(lambda trial: trial.abilities.can_create, "records cannot be made")
_CHANGING: Final = _unless(lambda trial: trial.abilities.can_update, "records cannot be changed")
_DELETING: Final = _unless(lambda trial: trial.abilities.can_delete, "records cannot be deleted")
_FEEDING: Final = _unless(lambda trial: trial.abilities.feed is not Feed.NONE, "no feed: all is read and compared")
_STAMPING: Final = _unless(lambda trial: trial.abilities.feed is Feed.STAMP, "no feed by stamp")

CLAIMS: Final[Sequence[Claim]] = (
    Claim("create", claims.creates, _MAKING),
    Claim("update", claims.updates, _CHANGING),
    Claim("clear", claims.clears, _CHANGING),
    Claim("kept as written", claims.keeps, _MAKING, wish=True),
    Claim("answers", claims.answers, _unless(lambda trial: trial.abilities.answers, "what was written is read back")),
    Claim(
        "compare and set",
        claims.holds_versions,
        _unless(lambda trial: trial.abilities.compare_and_set, "what somebody else writes at that moment is lost"),
    ),
    Claim("delete", claims.deletes, _DELETING),
    Claim("gone", claims.says_gone, _DELETING),
    Claim(
        "archive",
        claims.archives,
        _unless(lambda trial: trial.abilities.archive is not None, "nothing puts a record out of use"),
    ),
    Claim(
        "create once",
        claims.makes_once,
        _unless(
            lambda trial: trial.abilities.creating is not Creating.NONE,
            "a create without an answer is looked up, and may not be found out",
        ),
    ),
    Claim("scan", claims.scans),
    Claim("many", claims.reads_many),
    Claim(
        "find",
        claims.finds,
        _unless(lambda trial: trial.abilities.findable or trial.abilities.external_key, "nothing can be searched"),
    ),
    Claim("feed", feeds.tells_changes, _FEEDING),
    Claim("order of the feed", feeds.stamps_in_order, _STAMPING),
    Claim("granularity", feeds.stamps_as_fine, _STAMPING),
    Claim(
        "tombstones",
        feeds.tells_deletions,
        _unless(lambda trial: trial.abilities.tombstones, "a deletion is found by a full comparison"),
    ),
    Claim("clock", feeds.tells_time, wish=True),
)
"""All that is tried, in this order."""


async def check(
    remote: Remote,
    runtime: Runtime,
    sample: Sample | None = None,
    *,
    only: Sequence[str] = (),
    patience: float = PATIENCE,
    report: Callable[[Guarantee], None] = lambda guarantee: None,
) -> Sequence[Guarantee]:
    """What may be relied on, as tried on the system itself.

    It makes, changes and deletes only records that it made of the `sample`; without one it only reads. `patience` is
    for how many seconds more than is claimed it waits for something to show. Each guarantee is reported as it is known;
    the last one, `tidy`, names what could not be removed.
    """
    chance = Random(runtime.random.getrandbits(64))
    found: list[Guarantee] = []
    async with remote.open(runtime) as session:
        trial = Trial(session, remote.abilities, sample, lambda: f"rk{chance.getrandbits(48):012x}", patience)
        try:
            for claim in CLAIMS:
                if not only or claim.name in only:
                    found.append(await _tried(claim, trial))
                    report(found[-1])
        finally:
            left = await trial.tidy()
        found.append(_tidied(left))
        report(found[-1])
    return found


async def _tried(claim: Claim, trial: Trial) -> Guarantee:
    says = " ".join((getdoc(claim.case) or "").split())
    missing = claim.missing(trial)
    if missing is not None:
        return Guarantee(claim.name, says, Verdict.CANNOT, missing)
    try:
        return Guarantee(claim.name, says, Verdict.HOLDS, await claim.case(trial))
    except Untried as untried:
        return Guarantee(claim.name, says, Verdict.UNTRIED, str(untried))
    except Broken as broken:
        return Guarantee(claim.name, says, Verdict.CANNOT if claim.wish else Verdict.BROKEN, str(broken))
    except RemoteError as error:
        return Guarantee(claim.name, says, Verdict.BROKEN, told(error))


def _tidied(left: Sequence[str]) -> Guarantee:
    says = "What the check made is removed, or out of use."
    if not left:
        return Guarantee("tidy", says, Verdict.HOLDS)
    return Guarantee("tidy", says, Verdict.CANNOT, f"these stay: {', '.join(left)}")
