"""Pages about the daemon itself: its log, what operators did, its store and its settings."""

from collections.abc import Mapping

from starlette.responses import Response

from .message_pages import FORMS as WORK
from .visit import Page, Visit

LINES = 500


async def log(visit: Visit) -> Response:
    """The newest lines of the log, the last one first."""
    q, level = visit.query("q"), visit.query("level")
    lines = [
        line
        for line in await visit.desk.log(limit=10_000)
        if (not level or line.level.lower() in _FROM.get(level, (level,)))
        and all(word in f"{line.text} {line.route} {line.step} {line.message}".lower() for word in q.lower().split())
    ]
    return await visit.page("log.html", lines=lines[: -LINES - 1 : -1], count=len(lines), q=q, level=level)


_FROM = {"warning": ("warning", "error", "critical"), "error": ("error", "critical")}


async def audit(visit: Visit) -> Response:
    """What operators did, the newest first."""
    return await visit.page("audit.html", deeds=await visit.desk.audit(limit=500))


async def store(visit: Visit) -> Response:
    """What the store holds."""
    return await visit.page("store.html", held=await visit.desk.store(), about=await visit.desk.about())


async def settings(visit: Visit) -> Response:
    """All settings, and where each came from."""
    return await visit.page("settings.html", settings=await visit.desk.settings(), about=await visit.desk.about())


async def reload(visit: Visit) -> Response:
    """Load changed modules anew."""
    done = await visit.desk.reload(by=visit.who)
    return visit.back("; ".join(done) or "nothing has changed")


PAGES: Mapping[str, Page] = {"/log": log, "/audit": audit, "/store": store, "/settings": settings}
FORMS: Mapping[str, Page] = {**WORK, "/reload": reload}
