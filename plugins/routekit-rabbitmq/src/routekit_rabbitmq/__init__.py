"""RabbitMQ for RouteKit: `rabbitmq:queue`."""

from collections.abc import Sequence

from routekit import Endpoint, hookimpl

from .faults import Returned as Returned
from .settings import ConnectionSettings as ConnectionSettings
from .sink import RabbitMQSink as RabbitMQSink
from .source import RabbitMQSource as RabbitMQSource


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """The source and the sink of the scheme `rabbitmq`."""
    return [RabbitMQSource, RabbitMQSink]
