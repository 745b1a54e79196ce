"""Dead letters as plain data: what RouteKit wrote is masked, a message is as it came, unless a reader asks."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, cast

from ..letter import Cluster, Letter
from ..lettering.discarding import Discarded
from ..lettering.editing import original
from ..lettering.replaying import Outcome
from ..options import MASK, masked, sounds_secret
from .letter_sights import (
    ClusterSight,
    DiscardedSight,
    EditSight,
    LetterDetail,
    LetterSight,
    OutcomeSight,
    TriedSight,
)


def as_sight(letter: Letter) -> LetterSight:
    """A letter in a line of a table."""
    return LetterSight(
        id=letter.id,
        message=letter.message_id,
        route=letter.route,
        step=masked(letter.step),
        place=letter.place,
        error=letter.error,
        reason=masked(letter.reason),
        attempts=letter.attempts,
        when=letter.when,
        cluster=letter.cluster,
        edited=bool(letter.edits),
        replays=len(letter.replays),
    )


def as_detail(letter: Letter, *, hidden: bool = False) -> LetterDetail:
    """All about a letter; `hidden`: with what sounds secret masked in bodies and headers."""
    show = _hidden if hidden else _shown
    body, headers = original(letter)
    return LetterDetail(
        letter=as_sight(letter),
        source=masked(letter.source),
        causes=[masked(cause) for cause in letter.causes],
        body=show(letter.body),
        headers=show(letter.headers),
        came_body=show(body),
        came_headers=show(headers),
        step_body=show(letter.current),
        step_headers=show(letter.current_headers),
        masked=hidden,
        entry=letter.entry,
        kind=letter.kind,
        history=[{**one, "step": masked(str(one.get("step", "")))} for one in letter.history],
        effects={name: masked(result) for name, result in letter.effects.items()} if not hidden else {},
        edits=[_edit(edit) for edit in letter.edits],
        replays=[_tried(tried) for tried in letter.replays],
    )


def as_cluster(cluster: Cluster) -> ClusterSight:
    """A cluster, with what it says masked."""
    told: dict[str, Any] = {"text": masked(cluster.text), "step": masked(cluster.step)}
    return ClusterSight(**{**asdict(cluster), **told})


def as_outcome(outcome: Outcome) -> OutcomeSight:
    """What became of a letter that was not done."""
    return OutcomeSight(
        letter=outcome.letter,
        message=outcome.message_id,
        route=outcome.route,
        result="failed" if outcome.result == "failed" else "skipped",
        error=outcome.error,
        reason=outcome.reason,
        step=outcome.step,
    )


def as_discarded(one: Discarded) -> DiscardedSight:
    """A letter that can be brought back."""
    return DiscardedSight(
        id=one.id,
        route=one.route,
        message=one.message_id,
        error=one.error,
        reason=masked(one.reason),
        who=one.who,
        when=one.when,
        why=one.why,
    )


def _edit(edit: Mapping[str, Any]) -> EditSight:
    names: tuple[Literal["body", "headers"], ...] = ("body", "headers")
    what: list[Literal["body", "headers"]] = [name for name in names if name in edit]
    return EditSight(when=edit["when"], who=edit["who"], why=masked(edit["why"]), what=what)


def _tried(tried: Mapping[str, Any]) -> TriedSight:
    return TriedSight(
        when=tried["when"],
        who=tried["who"],
        step=masked(tried["step"]),
        error=tried["error"],
        reason=masked(tried["reason"]),
        attempts=tried["attempts"],
    )


def _shown(data: Any) -> Any:
    return data


def _hidden(data: Any) -> Any:
    """Plain data with the values of names that sound secret masked."""
    if isinstance(data, dict):
        items = cast("dict[str, Any]", data).items()
        return {name: MASK if sounds_secret(name) else _hidden(value) for name, value in items}
    if isinstance(data, list):
        return [_hidden(one) for one in cast("list[Any]", data)]
    return masked(data) if isinstance(data, str) else data
