"""How those who call webhooks sign them, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Scheme:
    """What is signed and where the signature is. Names of headers are in lower case.

    `signed` is a text with `{id}`, `{timestamp}`, `{method}`, `{url}` and `{body}`. The header holds one signature, or
    several with `separator` between them; those that count begin with `prefix`. `timestamp` is the header of the time,
    or, with `=` at the end, what it begins with in the header of the signature. `delivery` is the header that names a
    delivery, the same when it is sent again. With `plain` the secret stands before what is hashed.
    """

    header: str
    signed: str = "{body}"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    separator: str = ""
    timestamp: str = ""
    timestamp_is: Literal["seconds", "milliseconds", "iso"] = "seconds"
    id: str = ""
    key_is: Literal["text", "base64"] = "text"
    delivery: str = ""
    plain: bool = False


SCHEMES: Final[Mapping[str, Scheme]] = {
    "stripe": Scheme("stripe-signature", "{timestamp}.{body}", prefix="v1=", separator=",", timestamp="t="),
    "bottlecrm": Scheme("x-bottlecrm-signature", "{timestamp}.{body}", prefix="v1=", separator=",", timestamp="t="),
    "shopify": Scheme("x-shopify-hmac-sha256", encoding="base64", delivery="x-shopify-webhook-id"),
    "github": Scheme("x-hub-signature-256", prefix="sha256=", delivery="x-github-delivery"),
    "hubspot_v1": Scheme("x-hubspot-signature", plain=True),
    "hubspot_v2": Scheme("x-hubspot-signature", "{method}{url}{body}", plain=True),
    "hubspot": Scheme(
        "x-hubspot-signature-v3",
        "{method}{url}{body}{timestamp}",
        "base64",
        timestamp="x-hubspot-request-timestamp",
        timestamp_is="milliseconds",
    ),
    "zendesk": Scheme(
        "x-zendesk-webhook-signature",
        "{timestamp}{body}",
        "base64",
        timestamp="x-zendesk-webhook-signature-timestamp",
        timestamp_is="iso",
        delivery="x-zendesk-webhook-invocation-id",
    ),
    "frappe": Scheme("x-frappe-webhook-signature", encoding="base64"),
    "standard": Scheme(
        "webhook-signature",
        "{id}.{timestamp}.{body}",
        "base64",
        prefix="v1,",
        separator=" ",
        timestamp="webhook-timestamp",
        id="webhook-id",
        key_is="base64",
        delivery="webhook-id",
    ),
}
"""By the name of who signs so; `standard` is Standard Webhooks (standardwebhooks.com)."""
