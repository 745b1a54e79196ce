"""What source and sink say of themselves beside their options."""

from routekit import About, BodyError, DefinitionError, Rejected, Unanswered, Unavailable

from .faults import Returned
from .settings import ConnectionSettings

_PROPERTIES = {
    "correlation-id": "the property correlation_id",
    "reply-to": "the property reply_to",
    "rabbitmq.content_type": "the property content_type",
    "rabbitmq.content_encoding": "the property content_encoding",
    "rabbitmq.type": "the property type",
    "rabbitmq.priority": "the property priority",
    "rabbitmq.timestamp": "the property timestamp, a datetime",
    "rabbitmq.app_id": "the property app_id",
}
_SETTINGS = {"rabbitmq.NAME": ConnectionSettings}

SOURCE = About(
    headers={
        **_PROPERTIES,
        "rabbitmq.expiration": "the property expiration, in milliseconds",
        "rabbitmq.user_id": "the property user_id, which the broker has checked",
        "rabbitmq.exchange": "where it was published to",
        "rabbitmq.routing_key": "its routing key",
        "rabbitmq.redelivered": "whether it may have come before",
        "rabbitmq.deliveries": "the number of this delivery, from 1",
        "rabbitmq.offset": "of a stream: its offset",
        "rabbitmq.batch": "of a batch: how many messages it is of",
    },
    raises={
        Unavailable: "the broker is away, has closed the channel or deleted the queue",
        DefinitionError: "the queue exists with other options, or the broker refuses user or vhost",
        Rejected: "of one message: it came more often than `deliveries`",
    },
    figures={
        "prefetched": "messages that are here and wait",
        "unacknowledged": "messages at work",
        "delivered_total": "messages that have come over this consumer",
        "reconnects_total": "how often the connection was made again",
    },
    settings=_SETTINGS,
    example="""from routekit import Policy, from_

orders = from_("rabbitmq:orders?dead_letter=orders.dead", bytes, policy=Policy(concurrency=20)).to("log:orders")
audit = from_("rabbitmq:audit?exchange=events&exchange_type=topic&bind=order.*", bytes).to("log:audit")
""",
)
SINK = About(
    headers={**_PROPERTIES, "rabbitmq.routing_key": "with `reply=true`: the routing key of the answer"},
    reads={**_PROPERTIES, "*": "all that `headers` names go along, with their types"},
    raises={
        Unavailable: "the broker is away, refuses the message or does not confirm; it may have arrived all the same",
        Returned: "no queue takes the message",
        Rejected: "AMQP or the broker cannot carry the message: a header without a type, or too large",
        BodyError: "the codec cannot write the body",
        Unanswered: "with `reply=true`: no answer came in time",
        DefinitionError: "the queue exists with other options, or the broker refuses user or vhost",
    },
    figures={
        "unconfirmed": "messages on their way",
        "blocked": "1 while the broker takes nothing, since it is short of memory or disk",
        "channels_total": "channels opened",
        "reconnects_total": "how often the connection was made again",
    },
    settings=_SETTINGS,
    example="""from routekit import from_

mails = from_("timer:hourly?every=1h", int).to("rabbitmq:mails?declare=true")
events = from_("timer:tick?every=1m", int).to("rabbitmq:?exchange=events", key=lambda number: f"tick.{number % 10}")
""",
)
