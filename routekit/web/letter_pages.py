"""Pages about dead letters: what is alike together, and each with its body to edit, try, replay or discard."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ..errors import BodyError, Unavailable
from ..lettering.selecting import Selection
from ..operating.letter_desk import LetterDesk
from ..operating.letter_sights import LetterDetail, ReplaySight
from .formats import pretty
from .message_pages import compared
from .visit import Page, Visit

SHOWN = 100


def _desk(visit: Visit) -> LetterDesk:
    desk = visit.console.letters
    if desk is None:
        raise Unavailable("this console has no dead letters")
    return desk


async def clusters(visit: Visit) -> Response:
    """All letters by what is alike, or those of one cluster, route or text."""
    desk = _desk(visit)
    asked = {name: visit.query(name) for name in ("cluster", "route", "text")}
    selection = _selection(asked)
    return await visit.page(
        "letters.html",
        asked=asked,
        clusters=await desk.clusters(route=asked["route"] or None, by=visit.who),
        page=await desk.list(selection, limit=SHOWN, by=visit.who) if any(asked.values()) else None,
        replays=[one for one in await desk.replays(by=visit.who) if _is_new(one, visit.console.clock())],
    )


def _is_new(replay: ReplaySight, now: float) -> bool:
    return replay.running or (replay.ended or 0.0) > now - 600


def _selection(asked: Mapping[str, str]) -> Selection:
    """What a form or an address means by letters; all of them if it says nothing."""
    cluster, route, text = (asked.get(name) or None for name in ("cluster", "route", "text"))
    return Selection(cluster=cluster, route=route, text=text)


async def letter(visit: Visit) -> Response:
    """All about one letter."""
    detail = await _desk(visit).get(visit.request.path_params["id"], by=visit.who)
    return await _letter(visit, detail)


async def _letter(visit: Visit, detail: LetterDetail, *, status: int = 200, **more: Any) -> Response:
    """The page of a letter; `more` is the `trial` of it, or the `draft` of an edit that was refused, with its `why`."""
    came, now = pretty(detail.came_body), pretty(detail.body)
    edited = compared(came.splitlines(), now.splitlines()) if came != now else []
    context: dict[str, Any] = {
        "detail": detail,
        "letter": detail.letter,
        "trial": None,
        "edited": edited,
        "draft": json.dumps(detail.body, indent=2, ensure_ascii=False),
        "why": "",
        "path": f"/letters/{detail.letter.id}",
        "live_at": f"/letters/{detail.letter.id}",
    }
    return await visit.page("letter.html", status=status, **{**context, **more})


async def edit(visit: Visit) -> Response:
    """Change what a letter will be replayed with; what is refused is shown again, as it was written."""
    desk, name, form = _desk(visit), visit.request.path_params["id"], visit.form
    try:
        body = _json(form.get("body", ""))
        await desk.edit(name, body=body, why=_why(visit, "an edit"), by=visit.who)
    except BodyError as error:
        written = {"draft": form.get("body", ""), "why": form.get("why", ""), "said": str(error), "said_well": False}
        return await _letter(visit, await desk.get(name, by=visit.who), status=400, **written)
    return visit.back("edited; try it before you replay it", to=f"/letters/{name}")


def _why(visit: Visit, what: str) -> str:
    """The reason that a form gives; raises BodyError without one."""
    why = visit.form.get("why", "").strip()
    if not why:
        raise BodyError(f"{what} needs a reason", hint="write why, for those who read it later")
    return why


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BodyError(f"the body is not JSON: {error}", hint="a text is written in quotes") from error


async def try_(visit: Visit) -> Response:
    """Say what a replay would send where."""
    desk, name = _desk(visit), visit.request.path_params["id"]
    trial = await desk.try_(name, by=visit.who)
    return await _letter(visit, await desk.get(name, by=visit.who), trial=trial)


async def replay(visit: Visit) -> Response:
    """Send one letter through its route again."""
    found = await _desk(visit).replay(Selection(ids=(visit.request.path_params["id"],)), by=visit.who)
    gone = found.done and not found.failed
    return visit.back(_told(found), to="/letters" if gone else "", well=bool(gone or found.running))


async def replay_those(visit: Visit) -> Response:
    """Send the letters of a cluster, route or text through their route again."""
    text = visit.form.get("rate", "")
    if text and (not text.isdecimal() or not int(text)):
        raise BodyError(f"a rate cannot be '{text}'", hint="write how many letters in a second, from 1 on")
    found = await _desk(visit).replay(_meant(visit), rate=float(text) if text else None, patience=2.0, by=visit.who)
    return visit.back(_told(found), to="/letters", well=not found.failed and not found.error)


def _meant(visit: Visit) -> Selection:
    selection = _selection(visit.form)
    if selection == Selection():
        raise BodyError("this would be all letters", hint="choose a cluster or a route")
    return selection


def _told(found: ReplaySight) -> str:
    """What became of a replay, in a sentence."""
    if found.error:
        return f"broken off: {found.error}"
    if found.running:
        return f"replaying {found.total} letters: {found.done} done so far"
    reasons = "; ".join(f"{one.error}: {one.reason}" for one in found.outcomes[:1])
    failed = f", {found.failed} failed again ({reasons})" if found.failed else ""
    skipped = f", {found.skipped} skipped ({reasons})" if found.skipped and not failed else ""
    return f"{found.done} replayed{failed}{skipped}{f', {found.stopped}' if found.stopped else ''}"


async def stop(visit: Visit) -> Response:
    """Break a replay off."""
    await _desk(visit).stop_replay(visit.form.get("id", ""), by=visit.who)
    return visit.back("the replay stops; what is not done stays a letter")


async def discard(visit: Visit) -> Response:
    """Take one letter away."""
    await _discard(visit, Selection(ids=(visit.request.path_params["id"],)))
    return visit.back("discarded; it can be restored for 30 days", to="/letters")


async def discard_those(visit: Visit) -> Response:
    """Take the letters of a cluster, route or text away."""
    count = await _discard(visit, _meant(visit))
    return visit.back(f"{count} discarded; they can be restored for 30 days", to="/letters")


async def _discard(visit: Visit, selection: Selection) -> int:
    return await _desk(visit).discard(selection, why=_why(visit, "to discard"), by=visit.who)


async def discarded(visit: Visit) -> Response:
    """Those that can be brought back."""
    return await visit.page("discarded.html", rows=await _desk(visit).discarded(by=visit.who))


async def restore(visit: Visit) -> Response:
    """Bring one back."""
    detail = await _desk(visit).restore(visit.form.get("id", ""), by=visit.who)
    return visit.back("restored", to=f"/letters/{detail.letter.id}")


PAGES: Mapping[str, Page] = {"/letters": clusters, "/letters/discarded": discarded, "/letters/{id}": letter}
FORMS: Mapping[str, Page] = {
    "/letters/replay": replay_those,
    "/letters/discard": discard_those,
    "/letters/restore": restore,
    "/letters/stop": stop,
    "/letters/{id}/edit": edit,
    "/letters/{id}/try": try_,
    "/letters/{id}/replay": replay,
    "/letters/{id}/discard": discard,
}
