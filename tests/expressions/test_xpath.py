"""xpath"""

from math import isnan
from typing import Any

import pytest

from routekit import BodyError, DefinitionError, Policy, Retry, from_, xpath
from routekit.callables import arity, name_of
from routekit.testing import Feed, Sink, run_routes

BODY = '<o xmlns:x="urn:x" no="7"><line sku="a">9</line> tail<line sku="b">4</line><x:note>hi</x:note><!--c--></o>'
LINE = '<line xmlns:x="urn:x" sku="b">4</line>'


@pytest.mark.parametrize("body", [BODY, BODY.encode(), bytearray(BODY.encode()), BODY.encode("utf-16")])
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/o/@no", ["7"]),
        ("//line/@sku", ["a", "b"]),
        ("//line/text()", ["9", "4"]),
        ("//line[2]", [LINE]),
        ("//line[. > 5]/@sku", ["a"]),
        ("//nothing", []),
        ("count(//line)", 2.0),
        ("string(/o/@no)", "7"),
        ("//line/@sku = 'b'", True),
        ("//x:note/text()", ["hi"]),
        ("//comment()", ["<!--c-->"]),
        ("//line[contains(@sku, 'y:z(')]", []),
    ],
)
def test_a_path_finds_texts_and_elements(body: Any, path: str, found: Any) -> None:
    """Elements as XML of their own, numbers, texts and truths as they are."""
    assert xpath(path, namespaces={"x": "urn:x"})(body) == found


def test_an_element_can_be_asked_again() -> None:
    """It is a document, with its namespaces."""
    (line,) = xpath("//line[2]")(BODY)
    assert xpath("/line/@sku")(line) == ["b"]
    (note,) = xpath("//y:note", namespaces={"y": "urn:x"})(BODY)
    assert xpath("/z:note/text()", namespaces={"z": "urn:x"})(note) == ["hi"]


def test_exactly_one_may_be_wanted() -> None:
    """As `one` and `missing` say."""
    assert xpath("/o/@no", one=True)(BODY) == "7"
    assert xpath("/o/@when", one=True, missing=None)(BODY) is None
    assert isnan(xpath("number(/o/@when)", one=True)(BODY))
    with pytest.raises(BodyError, match="finds nothing"):
        xpath("/o/@when", one=True)(BODY)
    with pytest.raises(BodyError, match="finds 2 values"):
        xpath("//line", one=True)(BODY)


def test_a_declaration_does_not_mislead() -> None:
    """Text is text, whatever encoding it says it had; bytes are as they declare."""
    text = '<?xml version="1.0" encoding="iso-8859-1"?><a>ä€</a>'
    assert xpath("string()")(text) == "ä€"
    assert xpath("string()")('<?xml version="1.0" encoding="iso-8859-1"?><a>ä</a>'.encode("latin-1")) == "ä"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("//order[", "at column 9"),
        ("//a]b", "at column 4"),
        ("count(", "arguments"),
        ("", "invalid expression"),
        ("//x:a", "prefix 'x' has no namespace, at column 3"),
        ("//a[x:b]", "prefix 'x' has no namespace, at column 5"),
        ("//a[contain(b, 'c')]", "no function contain(), at column 5; did you mean 'contains'?"),
        ("document('/etc/passwd')", "no function document()"),
        ("count('a')", "invalid type"),
    ],
)
def test_what_is_no_path_is_found_where_it_is_written(path: str, said: str) -> None:
    """With the place of the mistake; prefixes and functions too, also where no document has come yet."""
    with pytest.raises(DefinitionError) as error:
        xpath(path)
    assert "is no XPath" in str(error.value)
    assert said in str(error.value)


def test_a_default_namespace_needs_a_prefix() -> None:
    """As XPath 1.0 has it: the library says so."""
    with pytest.raises(DefinitionError, match="prefix"):
        xpath("//a", namespaces={"": "urn:x"})


def laughs(depth: int, place: str) -> str:
    """A billion laughs, in the text or in an attribute."""
    rows = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(depth))
    return f'<!DOCTYPE a [<!ENTITY e0 "ha">{rows}]>' + place.replace("?", f"&e{depth};")


@pytest.mark.parametrize(
    "document",
    [
        laughs(9, "<a>?</a>"),
        laughs(9, '<a b="?"/>'),
        laughs(1, "<a/>"),
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        '<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]><a/>',
        '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'.encode("utf-16"),
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a>&e;</a>',
        "<a>" * 5000 + "</a>" * 5000,
    ],
)
def test_documents_with_entities_are_refused(document: str | bytes) -> None:
    """Before they grow, and without a look at a file or the network."""
    with pytest.raises(BodyError):
        xpath("string()")(document)


def test_a_document_type_alone_is_no_harm() -> None:
    """It is not fetched."""
    assert xpath("string()")('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a>ok</a>') == "ok"


@pytest.mark.parametrize("body", ["", "<a>", "text", b"\xff", 5, None, {"a": 1}])
def test_what_is_no_xml_is_rejected(body: Any) -> None:
    """With the place, where there is one."""
    with pytest.raises(BodyError, match="XML"):
        xpath("//a")(body)


@pytest.mark.anyio
async def test_it_stands_wherever_a_function_does() -> None:
    """Parts of a document are documents, and letters keep them."""
    sink = Sink()
    flow = (
        from_(Feed([BODY]), policy=Policy(retry=Retry(2)))
        .filter(xpath("//line"))
        .split(xpath("//line"), on_error="dead_letter_items")
        .validate(xpath("number(.) < 5"))
        .transform(xpath("string(/line/@sku)"))
        .to(sink)
    )
    run = await run_routes(flow)
    assert sink.bodies == ["b"]
    assert [letter.body for letter in run.letters] == ['<line xmlns:x="urn:x" sku="a">9</line>']


def test_it_is_a_value_with_a_name() -> None:
    """Equal paths are equal, and drawings show them."""
    assert xpath("//a") == xpath("//a") != xpath("//a", one=True)
    assert xpath("//x:a", namespaces={"x": "u"}) != xpath("//x:a", namespaces={"x": "v"})
    assert (name_of(xpath("//a")), arity(xpath("//a"))) == ("xpath('//a')", 1)
