"""Dead letters as plain data: what RouteKit wrote is masked, a message is as it came, unless a reader asks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal, cast

from ..letter import Cluster, Letter, unpacked
from ..lettering.discarding import Discarded
from ..lettering.editing import original
from ..lettering.replaying import Outcome
from ..options import masked
from ..sensitive import masked_body, scrubbed, sensitive_texts
from .letter_sights import (
    ClusterSight,
    DiscardedSight,
    EditSight,
    LetterDetail,
    LetterSight,
    OutcomeSight,
    TriedSight,
)

LONGEST = 64_000
"""Characters of a body that are shown to somebody for whom it is masked."""


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


def as_detail(letter: Letter, kind: Any = None, keys: Sequence[str] = (), *, hidden: bool = False) -> LetterDetail:
    """All about a letter; `hidden`: with what is sensitive masked in bodies and headers.

    `kind` is the type of its body, by whose fields it is masked, if that is known; `keys` are further names. What the
    failing step got is masked by the same names, and wherever it has a sensitive value of the body that came.
    """

    def show(data: Any, kind: Any = None) -> Any:
        return masked_body(unpacked(data), kind, keys=keys, most=LONGEST) if hidden else data

    def step(data: Any, kind: Any = None) -> Any:
        return _without(show(data, kind), sensitive_texts(unpacked(body), came, keys=keys)) if hidden else data

    came = kind
    body, headers = original(letter)
    return LetterDetail(
        letter=as_sight(letter),
        source=masked(letter.source),
        causes=[masked(cause) for cause in letter.causes],
        body=show(letter.body, kind),
        headers=show(letter.headers),
        came_body=show(body, kind),
        came_headers=show(headers),
        step_body=step(letter.current, kind),
        step_headers=None if letter.current_headers is None else step(letter.current_headers),
        masked=hidden,
        entry=letter.entry,
        kind=letter.kind,
        history=[{**one, "step": masked(str(one.get("step", "")))} for one in letter.history],
        effects={name: masked(result) for name, result in letter.effects.items()} if not hidden else {},
        edits=[_edit(edit) for edit in letter.edits],
        replays=[_tried(tried) for tried in letter.replays],
    )


def _without(data: Any, texts: Mapping[str, str]) -> Any:
    """Data in whose texts these are masked."""
    if isinstance(data, str):
        return scrubbed(data, texts)
    if isinstance(data, dict):
        return {name: _without(value, texts) for name, value in cast("dict[str, Any]", data).items()}
    return [_without(one, texts) for one in cast("list[Any]", data)] if isinstance(data, list) else data


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
