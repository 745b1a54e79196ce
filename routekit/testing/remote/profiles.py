"""Profiles: knobs that imitate what is told of five systems, with each figure, where it is told, and when it was read.

None of it was seen on the real system (`verified` is False everywhere): a profile is a test bed, no description to rely
on. What nobody tells, such as the lag of an index, is assumed, and says so. [K]: general knowledge without a source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ...remotes import Budget, Creating, Feed
from .knobs import Deletes, Ghost, Knobs, Merging, Paging, Versions

READ = date(2026, 11, 21)
"""When the sources were read, from stored copies of public pages."""


@dataclass(frozen=True, slots=True)
class VendorFigure:
    """One thing that is told of a system, and the knob that imitates it; without a knob it is told for its own sake."""

    what: str
    source: str
    knob: str = ""
    seen: date = READ
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A system as it is told to be."""

    name: str
    knobs: Knobs
    figures: Sequence[VendorFigure]


SALESFORCE = Profile(
    "Salesforce",
    Knobs(
        granularity=1.0,
        lag=5.0,
        creating=Creating.NATURAL,
        external_key="external_id",
        versions=Versions.STAMP,
        merging=Merging.POINTER,
        answers=False,
        batch=200,
        page_size=200,
        budget=Budget(5000, 86400.0, "Sforce-Limit-Info: api-usage=18/5000", READ),
    ),
    (
        VendorFigure(
            "queries by SystemModstamp tell what changed", "developer.salesforce.com resources-getupdated", "feed"
        ),
        VendorFigure("deleted records are told for 15 days at most", "resources-getdeleted", "deletes"),
        VendorFigure("stamps and lag of this size", "assumed", "granularity"),
        VendorFigure(
            "an upsert by external id; 300 names several that match", "api_rest collections upsert", "creating"
        ),
        VendorFigure("If-Unmodified-Since guards a write", "[K]", "versions"),
        VendorFigure("a merge deletes the loser and keeps MasterRecordId", "a report of its users", "merging"),
        VendorFigure("an upsert answers 204 without a body", "api_rest", "answers"),
        VendorFigure("200 records in one call", "api_rest collections", "batch"),
        VendorFigure(
            "calls of an organisation in 24 h, as in the example of the header", "headers_api_usage", "budget"
        ),
        VendorFigure("formula fields move no stamp: give them as `computed`", "cdc_general_considerations"),
    ),
)

HUBSPOT = Profile(
    "HubSpot",
    Knobs(
        lag=30.0,
        lagging=("changes", "find"),
        page_size=200,
        creating=Creating.NATURAL,
        external_key="email",
        versions=Versions.NONE,
        compare_and_set=False,
        merging=Merging.NEW,
        batch=100,
        budget=Budget(5, 1.0, "search: 5 a second for each token", READ),
    ),
    (
        VendorFigure("search by hs_lastmodifieddate, 200 a page at most", "developers.hubspot.com search", "page_size"),
        VendorFigure(
            "the index of the search is late; a connector looks back for it", "a connector's changes", "lagging"
        ),
        VendorFigure("how late", "assumed", "lag"),
        VendorFigure("an upsert by a unique property", "contacts/batch/upsert-contacts", "creating"),
        VendorFigure("no conditional write", "contacts/batch/upsert-contacts", "compare_and_set"),
        VendorFigure("a merge makes a new id; the old ones are aliases", "changelog: updated merge", "merging"),
        VendorFigure("100 records in one call", "contacts/batch/upsert-contacts", "batch"),
        VendorFigure("5 searches a second", "changelog: rate-limit headers", "budget"),
        VendorFigure("archived=true lists what is deleted", "developers.hubspot.com", "deletes"),
        VendorFigure("a query gives 10,000 records at most, also if all have one stamp", "issues of connectors"),
    ),
)

DATAVERSE = Profile(
    "Dataverse",
    Knobs(
        feed=Feed.TOKEN,
        token_life=7 * 86400.0,
        creating=Creating.NATURAL,
        external_key="alternate_key",
        versions=Versions.NUMBER,
        compare_and_set=True,
        touches=True,
        merging=Merging.SILENT,
        batch=1000,
        page_size=1000,
    ),
    (
        VendorFigure("track-changes gives a delta link; the first call gives everything", "dataverse-web-api", "feed"),
        VendorFigure("deleted rows are in the delta", "dataverse-web-api change-tracking", "deletes"),
        VendorFigure("a delta link expires", "dataverse-web-api change-tracking", "token_life"),
        VendorFigure("PATCH by an alternate key is idempotent", "synchronize-external-data-dataverse", "creating"),
        VendorFigure("If-Match with an ETag", "synchronize-external-data-dataverse", "versions"),
        VendorFigure("equal values still fire automation and audit", "update-delete-entities-using-web-api", "touches"),
        VendorFigure("the loser of a merge is put out of use", "[K]", "merging"),
        VendorFigure("1000 records in one call", "[K]", "batch"),
        VendorFigure("a window of 5 minutes for requests, time and concurrency of a user", "data-platform api-limits"),
    ),
)

SHOPIFY = Profile(
    "Shopify",
    Knobs(
        feed=Feed.NONE,
        deletes=Deletes.SCAN,
        creating=Creating.NONE,
        versions=Versions.NONE,
        compare_and_set=False,
        merging=Merging.SILENT,
        paging=Paging.KEYSET,
        page_size=250,
        budget=Budget(100, 1.0, "GraphQL: 100 to 2000 points a second, by plan", READ),
    ),
    (
        VendorFigure("webhooks, and a job that compares is mandatory", "shopify.dev webhooks best-practices", "feed"),
        VendorFigure("a deletion is told by webhook alone", "shopify.dev webhooks", "deletes"),
        VendorFigure("no idempotent create, but by newer mutations", "[K]", "creating"),
        VendorFigure("connections with an end cursor", "shopify.dev api graphql", "paging"),
        VendorFigure("250 records a page", "[K]", "page_size"),
        VendorFigure(
            "a bucket of cost, 100 to 2000 points a second", "shopify.dev graphql-admin rate-limits", "budget"
        ),
        VendorFigure("errors of users come in an answer with status 200: give them as `refuses`", "[K]"),
    ),
)

STRIPE = Profile(
    "Stripe",
    Knobs(
        feed=Feed.TOKEN,
        token_life=30 * 86400.0,
        ghost=Ghost.TOLD,
        creating=Creating.REPLAY,
        key_life=86400.0,
        replays_errors=True,
        versions=Versions.NONE,
        compare_and_set=False,
        page_size=100,
        budget=Budget(100, 1.0, "assumed", READ),
    ),
    (
        VendorFigure("events are kept for about 30 days", "[K]", "token_life"),
        VendorFigure("a deleted object answers with deleted: true", "[K]", "ghost"),
        VendorFigure("an idempotency key replays the first answer", "docs.stripe.com/idempotency", "creating"),
        VendorFigure("keys are kept for 24 h at least", "docs.stripe.com/idempotency", "key_life"),
        VendorFigure("also an answer of status 500 is replayed", "docs.stripe.com/idempotency", "replays_errors"),
        VendorFigure("no conditional write", "docs.stripe.com/api", "compare_and_set"),
        VendorFigure("100 objects a page", "[K]", "page_size"),
        VendorFigure("how many calls a second", "assumed", "budget"),
    ),
)

PROFILES = (SALESFORCE, HUBSPOT, DATAVERSE, SHOPIFY, STRIPE)
