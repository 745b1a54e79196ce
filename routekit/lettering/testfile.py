"""The text of a test that a capture writes."""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path
from pprint import pformat
from textwrap import fill
from typing import Any

from ..letter import unpacked
from .capturing import Answer, Captured

WIDTH = 100


def text_of(incident: Captured, file: Path, folder: Path) -> str:
    """The test of an incident, for a file that stands there and routes in that folder."""
    return (
        "\n".join(
            [
                *_head(incident),
                *_imports(incident),
                *_classes(incident),
                *_data(incident, file, folder),
                *_test(incident),
            ]
        )
        + "\n"
    )


def _head(incident: Captured) -> Iterator[str]:
    """The docstring of the module."""
    yield f'"""{_fit(" ".join(_what(incident)))}'
    for paragraph in _remarks(incident):
        yield ""
        yield _fit(paragraph)
    yield '"""'
    yield ""


def _what(incident: Captured) -> Iterator[str]:
    letter = incident.letter
    when = _moment(letter.when)
    yield f"Message {_quoted(letter.message_id)} of {letter.route},"
    if not incident.failed:
        yield f"on its way since {when}."
        return
    reason = _quoted(letter.reason.partition("\n")[0][:160])
    yield f"a dead letter of {when}: {letter.error}: {reason}"


def _remarks(incident: Captured) -> Iterator[str]:
    letter = incident.letter
    if incident.failed:
        yield (
            f"It failed at {_quoted(letter.step)} ({letter.place}). This test fails as it did. When the route is "
            "mended it passes: then say at its end what is to become of such a message, and keep it."
        )
    if incident.differs:
        yield (
            f"It does not fail as the message did: {_quoted(incident.differs)}. What some sinks answered is not known: "
            "say it in `answers`."
        )
    if incident.private:
        names = ", ".join(map(_quoted, incident.private))
        yield (
            f"It holds the message as it came, with {names}: look for secrets and personal data before it goes into a "
            "repository."
        )


def _fit(text: str) -> str:
    return fill(text, width=WIDTH, break_long_words=False, break_on_hyphens=False)


def _imports(incident: Captured) -> Iterator[str]:
    if _has_bytes(incident):
        yield "import base64"
    yield "import random"
    yield "from pathlib import Path"
    yield "from typing import Any"
    yield ""
    yield "import pytest"
    yield ""
    failures = {one.error for one in incident.answers if one.error and one.error.module not in ("", "?")}
    for module in sorted({"routekit", *(one.module for one in failures)}):
        mine = {"Message"} if module == "routekit" else set[str]()
        names = sorted({one.name for one in failures if one.module == module} | mine)
        yield f"from {module} import {', '.join(names)}"
    entering = ", entering" if incident.letter.entry else ""
    yield f"from routekit.testing import Clock{entering}, replace_endpoints, run_route, virtual"
    yield ""


def _classes(incident: Captured) -> Iterator[str]:
    for one in incident.answers:
        if one.error is not None and one.error.module == "?":
            yield ""
            yield f"class {one.error.name}(Exception):"
            yield '    """Called as the one that the sink failed with; import that one, if a rescue names it."""'
            yield ""


def _data(incident: Captured, file: Path, folder: Path) -> Iterator[str]:
    letter = incident.letter
    yield f"ROUTES = Path(__file__).parent / {relpath(folder.resolve(), file.resolve().parent)!r}"
    headers = {name: unpacked(value) for name, value in letter.headers.items()}
    yield f"MESSAGE = Message(\n    {_value(letter.body)},\n    {_indented(headers)},\n    id={letter.message_id!r},\n)"
    yield ""
    yield ""
    for number, one in enumerate(incident.answers, 1):
        yield from _sink(number, one)
    yield "@pytest.fixture"
    yield "def anyio_backend() -> Any:"
    yield '    """Virtual time: nothing waits."""'
    yield "    return virtual()"
    yield ""
    yield ""


def _sink(number: int, answer: Answer) -> Iterator[str]:
    """What an endpoint answers, as a function."""
    if answer.bodies:
        yield f"_answers_{number}: list[Any] = {_indented([unpacked(body) for body in answer.bodies], 0)}"
        yield ""
        yield ""
    yield f"def answer_{number}(body: Any) -> Any:"
    yield f'    """What {_quoted(answer.to)} answered, or did."""'
    if answer.bodies:
        yield f"    if len(_answers_{number}) > 1:" if answer.error is None else f"    if _answers_{number}:"
        yield f"        return _answers_{number}.pop(0)"
    if answer.error is not None:
        yield f"    raise {answer.error.name}({answer.error.text!r})"
    else:
        yield f"    return _answers_{number}[0]"
    yield ""
    yield ""


def _test(incident: Captured) -> Iterator[str]:
    letter = incident.letter
    yield "@pytest.mark.anyio"
    yield f"async def test_{_name(letter.route)}_{_name(letter.id)}() -> None:"
    what = f"{letter.error} at {_quoted(letter.step)}" if incident.failed else "what becomes of it"
    yield f'    """{what}."""'
    yield "    random.seed(1)"
    for to in incident.silent:
        yield f"    # {to}: no answer is recorded; a twin in memory takes what is sent there, and answers nothing"
    values = ", ".join(f"{name!r}: {value!r}" for name, value in sorted(incident.values.items()))
    lookup = f", lookup={{{values}}}.get" if values else ""
    sinks = [(one.to, f"answer_{number}") for number, one in enumerate(incident.answers, 1)]
    yield f"    answers: dict[Any, Any] = {_dict_of(sinks)}"
    yield f'    clock = Clock("{datetime.fromtimestamp(letter.when, UTC).isoformat()}")'
    yield f"    with replace_endpoints(answers, clock=clock{lookup}):"
    if letter.entry:
        yield f"        route = entering({letter.route!r}, {letter.entry}, {letter.kind!r}, folder=ROUTES)"
        route = "route"
    else:
        route = repr(letter.route)
    beside = f", beside={list(incident.beside)!r}" if incident.beside else ""
    yield f"        run = await run_route({route}, [MESSAGE], folder=ROUTES{beside})"
    yield "    for error in run.errors:"
    yield "        raise error"
    yield '    # once it passes: run["sink:address"].expect([...]), assert run.filtered == [], ...'


def _has_bytes(incident: Captured) -> bool:
    texts = [
        incident.letter.body,
        *incident.letter.headers.values(),
        *[b for one in incident.answers for b in one.bodies],
    ]
    return any(isinstance(data := unpacked(one), bytes) and not _readable(data) for one in texts)


def _value(data: Any) -> str:
    return _indented(unpacked(data))


def _indented(data: Any, by: int = 4) -> str:
    if isinstance(data, bytes) and _readable(data):
        return repr(data)
    if isinstance(data, bytes):
        return f"base64.b64decode({base64.b64encode(data).decode()!r})"
    return pformat(data, width=WIDTH, sort_dicts=False).replace("\n", "\n" + " " * by)


def _readable(data: bytes) -> bool:
    """Whether people can read bytes as Python writes them."""
    return data.isascii() and (data.decode().replace("\n", "").isprintable() or not data)


def _dict_of(items: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in items) + "}"


def _name(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_").lower() or "message"


def _quoted(text: str) -> str:
    """A text inside a docstring."""
    return text.replace("\\", "\\\\").replace('"""', "'''").replace("\n", " ").rstrip('"')


def _moment(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
