"""serialize"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from routekit import DefinitionError, Policy, Retry, from_
from routekit.check import check
from routekit.codecs.csv import Csv
from routekit.eip.serialize import Serialize
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Order:
    id: int
    customer: str


async def test_a_codec_writes_the_body() -> None:
    """The body becomes bytes; headers and id stay."""
    sink = Sink()
    await run_routes(from_(Feed([Order(1, "ann")]), Order).set_header("a", 1).serialize("json").to(sink))
    assert sink.bodies == [b'{"id":1,"customer":"ann"}']
    assert (sink.messages[0].id, dict(sink.messages[0].headers)) == ("feed-1", {"a": 1})


@pytest.mark.parametrize("codec", [{"name": "csv", "delimiter": ";"}, Csv(delimiter=";")])
async def test_the_codec_may_have_options(codec: object) -> None:
    """By name and options, or as it is."""
    sink = Sink()
    await run_routes(from_(Feed([[Order(1, "ann"), Order(2, "bob")]]), list[Order]).serialize(codec).to(sink))
    assert sink.bodies[0].decode().splitlines() == ["id;customer", "1;ann", "2;bob"]


async def test_parse_reads_what_it_wrote() -> None:
    """They are counterparts."""
    sink = Sink()
    await run_routes(from_(Feed([Order(1, "ann")]), Order).serialize("json").parse(Order).to(sink))
    assert sink.bodies == [Order(1, "ann")]


async def test_a_body_that_cannot_be_written_is_rejected() -> None:
    """It is not retried."""
    run = await run_routes(from_(Feed([object()]), policy=Policy(retry=Retry(3))).serialize("json"))
    assert [(letter.error, letter.attempts) for letter in run.letters] == [("BodyError", 1)]


def test_an_unknown_codec_is_found_by_check() -> None:
    """With the nearest name that there is."""
    (problem,) = check([from_(Feed([1])).serialize("jsn").route("r")], Catalog())
    assert (problem.message, problem.hint) == ("no codec 'jsn'", "did you mean 'json'?")
    assert Path(problem.place.file).name == Path(__file__).name


async def test_an_unknown_codec_stops_the_route_from_starting() -> None:
    """Nothing is read."""
    feed = Feed([1])
    with pytest.raises(DefinitionError):
        await run_routes(from_(feed).serialize("jsn"))
    assert feed.acknowledged == []


@pytest.mark.parametrize("codec", ["csv", {"name": "csv", "delimiter": ";"}, Csv()])
def test_its_label_names_the_codec(codec: object) -> None:
    """However it was given."""
    assert Serialize(codec).label == "serialize(csv)"
