"""XML: elements as records, what is refused, and what is written."""

import doctest
import io
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel, Field, ValidationError

from routekit import BodyError, Record, Records, from_
from routekit.codecs import _elements
from routekit.codecs.xml import Xml
from routekit.testing import Feed, Sink, run_routes

names = some.text("abcXYZ_äé", min_size=1, max_size=3)
texts = some.text(some.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8)
texts = texts | some.text("<&>\"'\t\n\r]]x ", max_size=8)
filled = texts.filter(str.strip).map(str.strip)


def trees(inner: Any) -> Any:
    children = some.dictionaries(names, inner | some.lists(inner, min_size=2, max_size=3), min_size=1, max_size=4)
    attributes = some.dictionaries(names.map("@{}".format), texts, max_size=2)
    return some.tuples(attributes, children).map(lambda both: {**both[0], **both[1]})


values = some.recursive(texts, trees, max_leaves=8)
rows = some.lists(trees(values) | some.dictionaries(names.map("@{}".format), texts, min_size=1) | texts, max_size=5)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, however many are asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._step))


def read(data: str | bytes, **options: Any) -> list[Record]:
    return list(Xml(**options).records(io.BytesIO(data.encode() if isinstance(data, str) else data)))


def bodies(data: str | bytes, **options: Any) -> list[Any]:
    found = read(data, **options)
    assert [record.error for record in found] == [None] * len(found)
    return [record.body for record in found]


def test_what_it_says() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(_elements).failed == 0


@given(
    rows, some.sampled_from(["", "orders/order", "/a/b/c"]), some.sampled_from(["", 'urn:x<&">']), some.integers(1, 60)
)
def test_records_come_back(written: Any, path: str, namespace: str, step: int) -> None:
    """Any plain data, wherever the stream is cut."""
    codec = Xml(path=path, namespace=namespace)
    data = codec.encode(written)
    assert list(codec.records(Trickle(data, step))) == [Record(n, row) for n, row in enumerate(written, 1)]
    if path:
        assert codec.decode(data) == written


@given(trees(values))
def test_a_document_comes_back(written: Any) -> None:
    """One body is what is in the root."""
    assert Xml().decode(Xml().encode(written)) == written


@given(some.binary(max_size=200) | some.text("<ab/>&;=\"' !-[]", max_size=60).map(str.encode), some.integers(1, 20))
def test_any_bytes_are_read_or_refused(data: bytes, step: int) -> None:
    """Whatever bytes come, there are numbered records or a BodyError."""
    for tried in (data, b"<r>" + data + b"</r>"):
        with suppress(BodyError):
            for number, record in enumerate(Xml().records(Trickle(tried, step)), 1):
                assert record.number == number


def test_an_element_is_its_text_or_a_dict() -> None:
    """Attributes have a sign before their names; elements of one name are a list; text beside others has a name."""
    data = """<orders><order id="7"><customer>Ann</customer><line sku="A">2</line><line sku="B"/>
        <note/><at> x </at></order><order>plain</order></orders>"""
    assert bodies(data) == [
        {
            "@id": "7",
            "customer": "Ann",
            "line": [{"@sku": "A", "#text": "2"}, {"@sku": "B"}],
            "note": "",
            "at": " x ",
        },
        "plain",
    ]


def test_elements_may_always_be_lists() -> None:
    """Also if there is only one: a type cannot know how many a sender has."""
    assert bodies("<r><o><line>1</line><x>2</x></o></r>", lists="line,tag") == [{"line": ["1"], "x": "2"}]


def test_attributes_may_be_fields_like_any_other() -> None:
    """Without a sign before them; one that has the name of an element is an error."""
    bad, good = read('<r><o id="1"><id>2</id></o><o id="3"><n>4</n></o></r>', attributes="")
    assert bad == Record(1, "<o>", "'id' is both an attribute and an element; write attributes=@")
    assert good.body == {"id": "3", "n": "4"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["", {"o": ["2", "3"]}, "4"]),
        ("o", ["2", "3", "4"]),
        ("list/o", ["2", "3"]),
        ("/feed/o", ["4"]),
        ("/feed/list", [{"o": ["2", "3"]}]),
        ("/o", []),
    ],
)
def test_the_path_says_where_the_records_are(path: str, found: list[Any]) -> None:
    """From the root, or at any depth; without one they are the elements in the root."""
    assert bodies("<feed><head/><list><o>2</o><o>3</o></list><o>4</o></feed>", path=path) == found


def test_a_record_is_not_looked_into_for_others() -> None:
    """The outermost element that fits is the record."""
    assert bodies("<r><o><o>1</o></o></r>", path="o") == [{"o": "1"}]


def test_names_lose_their_namespace() -> None:
    """Prefixes are the sender's choice, and no part of what a field is called."""
    data = '<x:r xmlns:x="urn:x" xmlns="urn:y"><x:o x:id="1" xml:lang="de"><n>2</n></x:o></x:r>'
    assert bodies(data, path="r/o") == [{"@id": "1", "@lang": "de", "n": "2"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_the_declared_encoding_is_read(encoding: str) -> None:
    """And the order of the bytes."""
    data = f'<?xml version="1.0" encoding="{encoding}"?><r><o>Müller</o></r>'
    assert bodies(data.encode(encoding)) == ["Müller"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "row 1: this is not XML: no element found at line 1 column 1"),
        ("id,name\n1,2\n", "this is not XML: syntax error at line 1 column 1"),
        ("<r><o>1</o>\n<o>2</p></r>", "row 2: this is not XML: mismatched tag at line 2 column 7"),
        ("<r><o>1</o>", "row 2: this is not XML: no element found"),
        ("<r><o>1</o></r>\n<r/>", "row 2: this is not XML: junk after document element at line 2 column 1"),
        ("<r><x:o/></r>", "unbound prefix"),
        ("<r><o>&nbsp;</o></r>", "undefined entity"),
        ('<?xml version="1.0" encoding="nonesuch"?><r/>', "this is not XML"),
    ],
)
def test_what_is_no_xml_is_refused(data: str, message: str) -> None:
    """With the row, the line and the column; the records before it are given."""
    records = Xml().records(io.BytesIO(data.encode()))
    if "<o>1</o>" in data:
        assert next(records).body == "1"
    with pytest.raises(BodyError, match=message):
        list(records)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE r [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r [<!ENTITY % b SYSTEM "http://127.0.0.1/x.dtd">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
def test_entities_are_refused(doctype: str) -> None:
    """Those that grow, those that name files, and those that are defined elsewhere."""
    with pytest.raises(BodyError, match=r"the XML document has the entity '[ab]'"):
        read(f"{doctype}<r><o>&b;</o></r>")


def test_a_doctype_without_entities_is_read() -> None:
    """Many senders have one; nothing is fetched for it."""
    assert bodies('<!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><r><o>&amp;</o></r>') == ["&"]


def test_a_record_that_is_too_long_costs_only_itself() -> None:
    """Its content is thrown away as it comes."""
    long, good = read(f"<r><o><n>{'x' * 3000}</n><n/></o><o>1</o></r>", max_record=1000)
    assert long == Record(1, "<o>", "it is longer than 1000 characters; raise max_record")
    assert good.body == "1"


@pytest.mark.parametrize("data", [f'<r><o n="{"x" * 300_000}"/></r>', f"<r><!-- {'x' * 300_000} --></r>"])
def test_what_does_not_end_is_refused(data: str) -> None:
    """A name, comment or attribute that the parser would hold in memory."""
    with pytest.raises(BodyError, match="does not end within 65536 bytes"):
        read(data, max_record="64KB")


def test_a_record_that_is_too_deep_costs_only_itself() -> None:
    """As deep as no reader of the result could follow."""
    deep, good = read(f"<r><o>{'<a>' * 200}{'</a>' * 200}</o><o>1</o></r>")
    assert "nested more than 100 deep" in (deep.error or "")
    assert good.body == "1"
    for data in ("<a>" * 101, f"<r><o>{'<a>' * 20_000}"):
        with pytest.raises(BodyError, match="nested more than"):
            read(data, path="o")


def test_memory_does_not_grow_with_the_file() -> None:
    """Of a large document a block is held."""

    class Orders(io.RawIOBase):
        left = 400

        def read(self, size: int = -1) -> bytes:
            start = b"<orders>" if self.left == 400 else b""
            self.left -= 1
            end = b"</orders>" if self.left == 0 else b""
            orders = b'<order id="1"><customer>Ann</customer><n>1</n></order>\n' * 500
            return b"" if self.left < 0 else start + orders + end

    records = Xml().records(Orders())
    next(records)
    tracemalloc.start()
    found = sum(1 for _ in records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 400 * 500 - 1
    assert peak < 3 << 20


class Line(BaseModel):
    sku: str = Field(alias="@sku")
    price: Decimal


@dataclass
class Order:
    id: int
    on: date
    paid: bool
    line: list[Line]
    note: str | None = None


def test_bodies_are_written() -> None:
    """Models, dataclasses and mappings; None is left out, times are ISO 8601, a list is an element for each."""
    order = Order(7, date(2026, 11, 21), True, [Line(**{"@sku": "A<", "price": "1.50"})])  # type: ignore[arg-type]
    assert Xml(path="order").encode(order).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<order><id>7</id><on>2026-11-21</on><paid>true</paid>"
        '<line sku="A&lt;"><price>1.50</price></line></order>\n'
    )
    assert Xml(path="feed/orders/order", namespace="urn:x").encode([{"n": 1}, {"n": None}]).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<feed xmlns="urn:x">\n<orders>\n<order><n>1</n></order>\n<order></order>\n</orders>\n</feed>\n'
    )
    assert b"<records>\n<record>1</record>\n</records>" in Xml().encode(["1"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"a b": 1}, "'a b' cannot be the name of an element"),
        ({"@a b": 1}, "'a b' cannot be the name of an attribute"),
        ({"a": "x\0"}, "cannot be in XML"),
        ({"a": "\ud800"}, "cannot be in XML"),
        ({"a": object()}, "a object cannot be written as XML"),
        ({"a": [[1]]}, "a list cannot be written as one element"),
        ({"a": b"\xff"}, "a bytes cannot be written as XML"),
    ],
)
def test_what_cannot_be_in_xml_is_refused(body: Any, message: str) -> None:
    """Nothing is dropped or replaced silently."""
    with pytest.raises(BodyError, match=message):
        Xml().encode(body)


def test_a_body_without_end_is_refused() -> None:
    """One that holds itself."""
    body: dict[str, Any] = {}
    body["a"] = body
    with pytest.raises(BodyError, match="nested more than 100 deep"):
        Xml().encode(body)


def test_nothing_can_be_appended() -> None:
    """A document ends with its root."""
    with pytest.raises(BodyError, match="nothing can be appended to xml files"):
        Xml().lines([{"a": 1}], first=True)


@pytest.mark.anyio
@pytest.mark.real_time
async def test_a_route_reads_records_into_a_type() -> None:
    """One that does not fit is a dead letter with its row and field."""
    out = Sink()
    order = b'<id>7</id><on>2026-11-21</on><paid>true</paid><line sku="A"><price>1</price></line>'
    data = b"<orders><order>" + order + b"</order><order/></orders>"
    codec = {"name": "xml", "path": "orders/order", "lists": "line"}
    run = await run_routes(
        from_(Feed([data]), bytes).split(Records(Order, codec=codec), on_error="dead_letter_items").to(out)
    )
    [read] = out.bodies
    assert (read.id, read.line[0].sku, read.line[0].price) == (7, "A", Decimal(1))
    assert len(run.letters) == 1
    assert "row 2" in run.letters[0].reason


@pytest.mark.parametrize(
    "options", [{"path": "//a"}, {"path": "a b"}, {"path": "a/"}, {"path": "<a"}, {"max_record": 0}]
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Wrong options are found when the codec is made."""
    with pytest.raises(ValidationError):
        Xml(**options)
