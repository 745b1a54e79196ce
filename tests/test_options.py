"""Options that people write, and hiding their secrets."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from routekit import BadOption
from routekit.options import made, masked


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    host: str
    port: int = Field(80, ge=1)
    password: SecretStr = SecretStr("")
    low: int = 0

    @model_validator(mode="after")
    def _low_is_low(self) -> "Options":
        if self.low > self.port:
            raise ValueError("Low must be below port")
        return self


def test_values_become_options() -> None:
    """Texts are converted."""
    assert made(Options, {"host": "h", "port": "5"}, "x").port == 5


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"hots": "h"}, "x: has no option 'hots'; did you mean 'host'?"),
        ({}, "x: 'host' is missing"),
        ({"host": "h", "port": "much"}, "x: 'port': input should be a valid integer"),
        ({"host": "h", "port": 0}, "greater than or equal to 1, found 0"),
        ({"host": "h", "low": 99}, "x: Low must be below port"),
        ({"port": "x", "low": "y"}, "; 'low': "),
    ],
)
def test_wrong_options_are_explained(values: dict[str, object], text: str) -> None:
    """All at once, each with what was found, and the known option that is nearest."""
    with pytest.raises(BadOption) as caught:
        made(Options, values, "x")
    assert text in str(caught.value)


def test_a_wrong_secret_is_not_shown() -> None:
    """Not even when it is what is wrong."""
    with pytest.raises(BadOption) as caught:
        made(Options, {"host": "h", "password": ["hunter2"]}, "x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://me:hunter2@host/v?api_key=abc&x=1", "amqp://me:***@host/v?api_key=***&x=1"),
        ("sql:x?url=postgresql://me:p@ss@host/db", "sql:x?url=postgresql://me:***@host/db"),
        ("redis://:hunter2@host", "redis://:***@host"),
        ("http:x?client.secret=abc", "http:x?client.secret=***"),
        ("http:x?Access-Token=abc", "http:x?Access-Token=***"),
        ("file:in?include=*.csv", "file:in?include=*.csv"),
        ("mail me@host:25 about a:b@c", "mail me@host:25 about a:b@c"),
        ("https://host:80/path?mail=a@b", "https://host:80/path?mail=a@b"),
        ("a://u:p1@h and b://u:p2@h", "a://u:***@h and b://u:***@h"),
    ],
)
def test_secrets_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    """Passwords of URLs and options with secret names."""
    assert masked(text) == shown


SECRETS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=12, max_size=30).map(
    lambda text: f"Zq{text}Zq"
)
RAW = st.text(string.ascii_letters + string.digits + "!$%&'()*+,;=:@-._~", min_size=12, max_size=30).map(
    lambda text: f"Zq{text}Zq"
)
NAMES = st.sampled_from(["password", "db_password", "token", "api-key", "apikey", "clientSecret", "credentials"])


@given(secret=SECRETS | RAW, name=NAMES, more=st.sampled_from(["", "&x=1", "&y=a@b"]))
def test_a_password_never_shows(secret: str, name: str, more: str) -> None:
    """Wherever it stands in a URI: encoded in an option, or in the middle of another URL."""
    encoded = quote(secret, safe="")
    for text in (
        f"x:path?{name}={encoded}{more}",
        f"x:path?a=1&{name}={encoded}{more}",
        f"amqp://me:{encoded}@host/vhost?a=1{more}",
        f"error at 'sql:x?url=postgres://me:{encoded}@host:5432/db{more}' while connecting",
    ):
        shown = masked(text)
        assert encoded not in shown
        assert encoded[2:10] not in shown
        assert masked(shown) == shown


@given(secret=RAW)
def test_a_raw_password_in_a_url_never_shows(secret: str) -> None:
    """Though `@` and `:` in it should have been encoded."""
    shown = masked(f"amqp://me:{secret}@host/vhost")
    assert shown == "amqp://me:***@host/vhost"
