"""Options, settings and addresses: what is said before any broker is asked."""

from typing import Any

import anyio
import pytest

from routekit import BadOption, DefinitionError, UnknownName, from_
from routekit.testing import Feed, Run, running, setup_for
from routekit_rabbitmq import ConnectionSettings, RabbitMQSink, RabbitMQSource
from routekit_rabbitmq.settings import settings_of


class Knowing:
    """A runtime that knows settings, and nothing else."""

    def __init__(self, **table: Any) -> None:
        self.table = table

    def settings(self, table: str, name: str) -> Any:
        return self.table if (table, name) == ("rabbitmq", "crm") else None


def settings(**table: Any) -> ConnectionSettings:
    return settings_of(Knowing(**table), "crm", None)  # pyright: ignore


@pytest.mark.parametrize(
    ("path", "options", "why"),
    [
        ("", {}, "where to\\? write rabbitmq:QUEUE, or rabbitmq:\\?exchange="),
        ("orders", {"exchange": "events"}, "where to"),
        ("orders", {"key": "a"}, "key goes with exchange"),
        ("orders", {"reply": "true", "reply_to": "x"}, "reply=true sets reply_to"),
        ("orders", {"timeout": "5s"}, "timeout goes with reply=true"),
        ("orders", {"url": "amqp://x", "connection": "crm"}, "connection and url exclude"),
        ("orders", {"priorities": "5", "declare": "yes"}, "priorities need queue_type=classic"),
        ("orders", {"queue_type": "classic", "ttl": "5s"}, "queue_type, ttl needs declare=true"),
        ("orders", {"priority": "256"}, "'priority'"),
        ("orders", {"mandatry": "no"}, "did you mean 'mandatory'"),
        ("o" * 256, {}, "'queue'"),
    ],
)
def test_a_sink_that_cannot_work_is_refused(path: str, options: Any, why: str) -> None:
    """What contradicts itself is said with what to write instead."""
    with pytest.raises(BadOption, match=why):
        RabbitMQSink.of(path, options)


@pytest.mark.parametrize(
    ("path", "options", "why"),
    [
        ("", {}, "which queue"),
        ("q", {"bind": "a"}, "bind and match need exchange"),
        ("q", {"exchange": "e", "match.a": "b"}, "did you mean|has no option"),
        ("q", {"exchange": "e", "match": {"a": "b"}}, "match goes with exchange_type=headers"),
        ("q", {"exchange": "e", "declare": "no"}, "exchange needs declare=true"),
        ("q", {"temporary": "yes", "queue_type": "quorum"}, "a temporary queue is classic"),
        ("q", {"declare": "no", "ttl": "5s"}, "ttl is for a queue that is declared here: leave declare=false out"),
        ("q", {"exclusive": "yes"}, "exclusive needs queue_type=classic: write single_active=true"),
        ("q", {"batch": "100"}, "a batch needs a prefetch that is as large"),
        ("q", {"batch": "10", "reply": "yes"}, "batch and reply exclude each other"),
        ("q", {"queue_type": "stream"}, "a stream needs name="),
        ("q", {"name": "n"}, "name and offset are for queue_type=stream"),
        ("q", {"queue_type": "stream", "name": "n", "refused": "requeue"}, "a stream has no batch, refused or reply"),
        ("q", {"queue_type": "stream", "name": "n", "dead_letter": "d"}, "a stream has no dead letters"),
        ("q", {"queue_type": "stream", "name": "n", "offset": "yesterday"}, "'offset'"),
        ("q", {"dead_letter": "d", "dead_letter_exchange": "e"}, "exclude each other"),
        ("q", {"dead_letter_key": "d"}, "dead_letter_key goes with dead_letter_exchange"),
        ("q", {"exchange_type": "topic"}, "exchange_type goes with exchange"),
        ("q", {"prefetch": "0"}, "'prefetch'"),
    ],
)
def test_a_source_that_cannot_work_is_refused(path: str, options: Any, why: str) -> None:
    """As for a sink."""
    with pytest.raises(BadOption, match=why):
        RabbitMQSource.of(path, options)


def test_a_typed_endpoint_is_its_uri() -> None:
    """Both spellings give equal endpoints, and every endpoint prints as a URI that gives it again."""
    typed = RabbitMQSource(queue="orders", prefetch=10, dead_letter="orders.dead")
    assert typed == RabbitMQSource.of("orders", {"prefetch": "10", "dead_letter": "orders.dead"})
    assert typed.uri() == "rabbitmq:orders?dead_letter=orders.dead&prefetch=10"
    assert RabbitMQSink(exchange="events", key="new").uri() == "rabbitmq:?exchange=events&key=new"


def test_every_option_is_explained() -> None:
    """Each option has a description for the reference."""
    for kind in (RabbitMQSource, RabbitMQSink):
        assert [name for name, field in kind.model_fields.items() if not field.description] == []


def test_secrets_are_masked_wherever_they_are_printed() -> None:
    """Neither a URI nor settings nor an error shows a password."""
    sink = RabbitMQSink.of("orders", {"url": "amqp://me:hunter2@host/v"})
    flow = from_("rabbitmq:orders?url=amqp://me:hunter2@host/v").to("rabbitmq:orders?url=amqp://me:hunter2@host/v")
    made = settings(url="amqp://me:hunter2@host/v", password="hunter2")
    printed = (
        f"{sink!r} {sink.uri()} {flow.route('r').source} {flow.route('r').chain.steps[0].label} {made!r} {made.place}"
    )
    assert "hunter2" not in printed
    for wrong in (
        {"url": "me:hunter2@host"},
        {"url": "amqp://me:hunter2@host:port"},
        {"url": "amqp://h", "heartbeat": 0},
    ):
        with pytest.raises(BadOption) as caught:
            settings(**wrong)
        assert "hunter2" not in str(caught.value)


def test_takes_back_only_what_the_queue_can_keep() -> None:
    """Failed messages become dead letters here, unless the queue has dead letters of its own or is told to reject."""
    assert not RabbitMQSource(queue="q").takes_back()
    assert not RabbitMQSource(queue="q", refused="requeue", dead_letter="d").takes_back()
    assert RabbitMQSource(queue="q", dead_letter="d").takes_back()
    assert RabbitMQSource(queue="q", dead_letter_exchange="d").takes_back()
    assert RabbitMQSource(queue="q", refused="reject").takes_back()


def test_what_may_lose_messages_is_only_there_if_it_is_asked_for() -> None:
    """A full queue refuses rather than dropping; dead letters of a quorum queue are passed on at least once."""
    assert RabbitMQSource(queue="q").queue_arguments() == {"x-queue-type": "quorum"}
    assert RabbitMQSource(queue="q", max_length=5).queue_arguments()["x-overflow"] == "reject-publish"
    assert RabbitMQSource(queue="q", max_length=5, overflow="drop-head").queue_arguments()["x-overflow"] == "drop-head"
    dead = RabbitMQSource(queue="q", dead_letter="d").queue_arguments()
    assert dead["x-dead-letter-strategy"] == "at-least-once"
    assert (dead["x-dead-letter-exchange"], dead["x-dead-letter-routing-key"]) == ("", "d")


def test_all_options_of_a_queue_become_arguments() -> None:
    """Times are milliseconds there, ages seconds, and what is written in a URI as a number is one."""
    made = RabbitMQSource.of(
        "q",
        {
            "queue_type": "classic",
            "ttl": "5s",
            "expires": "1h",
            "max_bytes": "1MB",
            "priorities": "9",
            "single_active": "yes",
            "dead_letter_exchange": "dlx",
            "dead_letter_key": "dead",
            "arguments": {"x-queue-mode": "lazy", "x-queue-version": "2"},
        },
    )
    assert made.queue_arguments() == {
        "x-queue-type": "classic",
        "x-message-ttl": 5000,
        "x-expires": 3_600_000,
        "x-max-length-bytes": 1 << 20,
        "x-overflow": "reject-publish",
        "x-max-priority": 9,
        "x-single-active-consumer": True,
        "x-dead-letter-exchange": "dlx",
        "x-dead-letter-routing-key": "dead",
        "x-queue-mode": "lazy",
        "x-queue-version": 2,
    }
    stream = RabbitMQSource.of("s", {"queue_type": "stream", "name": "n", "max_age": "7d", "max_bytes": "5GB"})
    assert stream.queue_arguments() == {"x-queue-type": "stream", "x-max-age": "604800s", "x-max-length-bytes": 5 << 30}


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ({"url": "amqp://h"}, "amqp://guest:guest@h:5672/%2F?"),
        ({"url": "amqp://h/"}, "amqp://guest:guest@h:5672/%2F?"),
        ({"url": "amqp://u:p%40@h:1/%2Fcrm"}, "amqp://u:p%40@h:1/%2Fcrm?"),
        ({"url": "amqps://h/crm"}, "amqps://guest:guest@h:5671/crm?"),
        ({"url": "amqp://u:p@h/a", "user": "x", "password": "/:@", "vhost": "b c"}, "amqp://x:%2F%3A%40@h:5672/b%20c?"),
        ({"url": "amqp://[::1]:5/v"}, "amqp://guest:guest@[::1]:5/v?"),
    ],
)
def test_settings_win_over_their_url(table: Any, address: str) -> None:
    """User, password and virtual host may be given apart from the URL, without any encoding."""
    assert settings(**table).address("x").startswith(address)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({}, "'url'"),
        ({"url": "http://h"}, r"\[rabbitmq.crm\]: the url is no AMQP URL; write amqp://"),
        ({"url": "amqp://h?heartbeat=5"}, "the url has options; write them as options of the connection"),
        ({"url": "amqp://h", "hearbeat": 5}, "has no option 'hearbeat'; did you mean 'heartbeat'"),
        ({"url": "amqp://h", "timeout": "soon"}, "'timeout'"),
    ],
)
def test_wrong_settings_are_refused(table: Any, why: str) -> None:
    """A wrong setting is named, with what to write."""
    with pytest.raises(BadOption, match=why):
        settings(**table)


def test_a_connection_without_settings_says_what_to_write() -> None:
    """A name that is not in routekit.toml comes with the line that defines it."""
    with pytest.raises(
        UnknownName, match=r"\[rabbitmq.erp\] is not in routekit.toml; write \[rabbitmq.erp\] with .* url ="
    ):
        settings_of(Knowing(), "erp", None)  # pyright: ignore


def test_certificates_that_cannot_be_read_are_named() -> None:
    """Files of TLS are looked at before the broker is."""
    with pytest.raises(BadOption, match=r"certificates cannot be read: .*no/such\.pem"):
        settings(url="amqps://h", ca="no/such.pem").trust()
    with pytest.raises(BadOption, match="certificates are for TLS; write url = amqps://"):
        settings(url="amqp://h", ca="no/such.pem").trust()
    assert settings(url="amqp://h").trust() is None


def test_it_runs_on_asyncio_only() -> None:
    """On trio the route says so, and the service goes on."""
    errors: list[Any] = []

    async def main() -> None:
        degraded = anyio.Event()

        def watch(event: Any) -> None:
            if getattr(event, "error", None) is not None:
                errors.append(event.error)
                degraded.set()

        setup = setup_for(Run(), settings=lambda *_: {"url": "amqp://127.0.0.1:1"}, watch=watch)
        async with running(from_(Feed([1])).to("rabbitmq:orders"), setup=setup):
            await degraded.wait()

    anyio.run(main, backend="trio")
    assert isinstance(errors[0], DefinitionError)
    assert "asyncio only" in str(errors[0])


def test_what_is_promised_follows_the_options() -> None:
    """A queue that ends with its consumer brings nothing again; what is not persistent is in memory."""
    assert RabbitMQSource.of("orders", {}).promises().replayable
    assert not RabbitMQSource.of("", {"temporary": True}).promises().replayable
    assert not RabbitMQSink.of("orders", {}).promises().volatile
    assert RabbitMQSink.of("orders", {"persistent": False}).promises().volatile
