"""template"""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from routekit import BodyError, DefinitionError, Message, Policy, Retry, from_, template
from routekit.callables import arity, name_of
from routekit.events import Logged
from routekit.testing import Feed, Sink, run_routes


class Order(BaseModel):
    id: int = 7
    customer: str = "ann"
    lines: list[str] = ["x", "y"]
    _secret: str = "s"

    def shout(self) -> str:
        return self.customer.upper()


MESSAGE = Message(Order(), {"file.name": "in.csv"}, "m1")


def made(text: str, **options: Any) -> str:
    return template(text, **options)(MESSAGE.body, MESSAGE)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Hello {{ body.customer }}!", "Hello ann!"),
        ("{{ id }} of {{ headers['file.name'] }}", "m1 of in.csv"),
        ("{% for line in body.lines %}{{ loop.index }}{{ line }} {% endfor %}", "1x 2y "),
        ("{% set n = 2 %}{% for i in range(n) %}{{ i }}{% endfor %}", "01"),
        ("{{ body.note | default('none') }}", "none"),
        ("{{ body.lines | join(', ') }}\n", "x, y\n"),
        ("{{ body.shout() }}", "ANN"),
        ("<{{ '<b>' }}>", "<<b>>"),
        ("", ""),
    ],
)
def test_a_template_makes_text_of_a_message(text: str, result: str) -> None:
    """Of the body, the headers and the id; the last line end stays."""
    assert made(text) == result


def test_html_escapes_what_is_put_in() -> None:
    """If it is asked for, and not what the author wrote."""
    assert made("<p>{{ '<b>' }}</p>", html=True) == "<p>&lt;b&gt;</p>"


def test_a_template_may_be_in_a_file(tmp_path: Path) -> None:
    """It is read where it is written down."""
    file = tmp_path / "mail.txt"
    file.write_text("Hello {{ body.customer }}", encoding="utf-8")
    mail = template(file)
    file.unlink()
    assert mail(MESSAGE.body, MESSAGE) == "Hello ann"
    assert name_of(mail) == "template(mail.txt)"
    with pytest.raises(DefinitionError, match=r"mail\.txt cannot be read"):
        template(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ bod.customer }}", "asks for 'bod', at line 1; did you mean 'body'?"),
        ("{{ body }}\n{{ nobody_knows }}", "asks for 'nobody_knows', at line 2; known: body, headers, id"),
        ("\n{% if %}", "is no template: Expected an expression, got 'end of statement block', at line 2"),
        ("{{ body", "is no template"),
        ("{{ body | shuot }}", "No filter named 'shuot'"),
        ("{% include 'other' %}", "includes another one"),
        ("{% extends 'other' %}", "includes another one"),
        ("{% import body.name as x %}", "includes another one"),
    ],
)
def test_what_cannot_work_is_found_where_it_is_written(text: str, said: str) -> None:
    """With the line; names that no message has too."""
    with pytest.raises(DefinitionError) as error:
        template(text)
    assert said in str(error.value)


ESCAPES = [
    "{{ body.__class__ }}",
    "{{ body['__class__'] }}",
    "{{ body | attr('__class__') }}",
    "{{ body._secret }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ body.shout.__globals__ }}",
    "{{ body.shout.__func__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ namespace.__init__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ '{0.__class__}'.format(body) }}",
    "{{ '{0._secret}'.format_map({0: body}) }}",
    "{{ ('{0._secret}' | attr('format'))(body) }}",
    "{% set f = '{0.__class__}'.format %}{{ f(body) }}",
    "{{ ['{0._secret}'] | map('format', body) | list | first | attr('format') }}",
    "{{ body.lines.append('z') }}",
    "{{ body.lines.__setitem__(0, 'z') }}",
    "{{ headers.update(a=1) }}",
    "{% set body.customer = 'eve' %}",
    "{{ range(1000000) }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_the_sandbox_holds(text: str) -> None:
    """Nothing private is reached, nothing is changed, nothing grows without limit."""
    try:
        result = made(text)
    except BodyError:
        result = ""
    assert "class" not in result
    assert "<function" not in result
    assert result != "s"
    assert MESSAGE.body == Order()
    assert dict(MESSAGE.headers) == {"file.name": "in.csv"}


@pytest.mark.parametrize("text", ["{{ body.note }}", "{{ headers['no'] }}", "{{ body.id + 'x' }}", "{{ 1 / 0 }}"])
@pytest.mark.anyio
async def test_what_is_not_there_rejects_the_message(text: str) -> None:
    """With the template's name; it is not retried."""
    run = await run_routes(from_(Feed([MESSAGE]), Order, policy=Policy(retry=Retry(2))).transform(template(text)))
    (letter,) = run.letters
    assert (letter.error, letter.attempts) == ("BodyError", 1)
    assert letter.reason.startswith(f"{name_of(template(text))} does not fit the message: ")


@pytest.mark.anyio
async def test_text_in_a_message_is_never_a_template() -> None:
    """What comes from outside is put in as it is."""
    sink = Sink()
    await run_routes(from_(Feed(["{{ id }}"]), str).transform(template("{{ body }}")).to(sink))
    assert sink.bodies == ["{{ id }}"]


@pytest.mark.anyio
async def test_it_stands_wherever_a_function_does() -> None:
    """As a header, as a line of the log."""
    sink = Sink()
    flow = (
        from_(Feed([Order()]), Order)
        .set_header("subject", template("Order {{ body.id }}"))
        .log(template("{{ headers.subject }} for {{ body.customer }}"))
        .to(sink)
    )
    run = await run_routes(flow)
    assert sink.messages[0].headers["subject"] == "Order 7"
    assert [event.text for event in run.of(Logged)] == ["Order 7 for ann"]


def test_it_is_a_value_with_a_name() -> None:
    """Equal templates are equal; it takes body and message."""
    assert template("a") == template("a") != template("a", html=True)
    assert (name_of(template("a")), arity(template("a"))) == ("template('a')", 2)
