"""The table `[control]` of the settings, read where a daemon starts."""

from collections.abc import Mapping
from typing import Any, cast

from ..access import Access
from ..errors import BadOption
from ..options import made
from ..placeholders import filled
from ..secrecy import keep_secret
from ..settings import Settings

TABLE = "control"


def access_of(given: Settings) -> Access:
    """Where the daemon listens, and who may ask; raises BadOption for what is wrong, or open to everybody."""
    table: Any = given.tables.get(TABLE, {})
    if not isinstance(table, Mapping):
        raise BadOption(f"[{TABLE}] is no table", hint=f"write [{TABLE}] and lines below it")
    values = {name: _filled(value, given) for name, value in cast("Mapping[str, Any]", table).items()}
    try:
        access = made(Access, values, TABLE)
    except BadOption as error:
        raise BadOption(f"[{TABLE}]{error.message.removeprefix(TABLE + ':')}", hint=_hint(error)) from None
    for token in (access.token, access.reader_token):
        if token is not None:
            keep_secret(token.get_secret_value())
    problem = access.problem()
    if problem is not None:
        raise problem
    return access


def _hint(error: BadOption) -> str:
    return error.hint if error.hint.startswith("did you mean") else f"see [{TABLE}] in docs/settings.md"


def _filled(value: Any, given: Settings) -> Any:
    return filled(value, given.lookup) if isinstance(value, str) else value
