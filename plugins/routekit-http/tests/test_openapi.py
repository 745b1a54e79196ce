"""The description of an API: complete, and true about what is served."""

from typing import Any

import pytest
from pydantic import BaseModel

from routekit import from_
from routekit_http.server.openapi import Description, document
from routekit_http.server.templates import template_of


class Address(BaseModel):
    city: str


class Lead(BaseModel):
    email: str
    addresses: list[Address] = []


class Search(BaseModel):
    kind: str
    page: int = 1


class Opaque:
    pass


def described(*descriptions: Description) -> dict[str, Any]:
    return document(descriptions, title="CRM", version="2")


def test_a_body_is_described_by_its_type() -> None:
    """With what it refers to."""
    found = described(
        Description("crm.leads", ["POST"], template_of("/leads"), "auto", Lead, "Takes leads.\n\nFrom the form.", 201)
    )
    assert (found["openapi"], found["info"]) == ("3.1.0", {"title": "CRM", "version": "2"})
    leads = found["paths"]["/leads"]["post"]
    assert (leads["operationId"], leads["tags"], leads["summary"]) == ("crm.leads", ["crm"], "Takes leads.")
    assert leads["description"] == "From the form."
    schema = leads["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Lead"}
    assert {"Lead", "Address", "Problem"} <= set(found["components"]["schemas"])
    assert list(leads["responses"]) == ["201", "400", "413", "422", "503"]


def test_parameters_are_described_by_the_fields() -> None:
    """Those of the path are there, the others are in the query."""
    found = described(Description("search", ["GET"], template_of("/search/{kind}/{rest*}"), "auto", Search))
    get = found["paths"]["/search/{kind}/{rest}"]["get"]
    assert [(one["name"], one["in"], one["required"]) for one in get["parameters"]] == [
        ("kind", "path", True),
        ("rest", "path", True),
        ("page", "query", False),
    ]
    assert get["parameters"][2]["schema"]["type"] == "integer"
    assert "requestBody" not in get


def test_who_may_call_is_described() -> None:
    """A token or a signature; silence, too."""
    found = described(
        Description("a", ["POST", "PUT"], template_of("/a"), "raw", bytes, token=True, silent=True),
        Description("b", ["POST"], template_of("/b"), "form", signed=True),
        Description("c", ["POST"], template_of("/c"), "raw", Opaque),
    )
    post = found["paths"]["/a"]["post"]
    assert (post["operationId"], found["paths"]["/a"]["put"]["operationId"]) == ("a.post", "a.put")
    assert (post["security"], "401" in post["responses"]) == ([{"bearer": []}], True)
    assert list(post["requestBody"]["content"]) == ["application/octet-stream"]
    assert "content" not in post["responses"]["204"]
    assert set(found["paths"]["/b"]["post"]["requestBody"]["content"]) == {
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    }
    assert found["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_two_models_of_one_name_stay_two() -> None:
    """From different modules."""
    other = type("Lead", (BaseModel,), {"__annotations__": {"phone": str}, "__module__": "elsewhere"})
    found = described(
        Description("a", ["POST"], template_of("/a"), "auto", Lead),
        Description("b", ["POST"], template_of("/b"), "auto", other),
    )
    refs = {
        path["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"] for path in found["paths"].values()
    }
    assert len(refs) == 2
    assert all(ref.rpartition("/")[2] in found["components"]["schemas"] for ref in refs)


class TestServed:
    """Over a socket."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_routes_that_run_are_described(self, at: Any, serve_routes: Any) -> None:
        """Where the settings say so, and nowhere else."""
        tables = {("http_server", "default"): {"openapi": "/openapi.json", "title": "CRM"}}
        flows = [from_(at("/leads/{id}", "method=put,delete"), Lead), from_(at("/hook"), bytes)]
        async with serve_routes(*flows, tables=tables) as site:
            found = (await site.call("GET", "/openapi.json")).json()
        assert {path: sorted(item) for path, item in found["paths"].items()} == {
            "/leads/{id}": ["delete", "put"],
            "/hook": ["post"],
        }
        async with serve_routes(flows[1]) as site:
            assert (await site.call("GET", "/openapi.json")).status_code == 404
