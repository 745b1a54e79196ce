"""RabbitMQ for RouteKit: `rabbitmq:queue`."""

from collections.abc import Mapping, Sequence

from routekit import Endpoint, Twin, hookimpl

from .faults import Returned as Returned
from .settings import ConnectionSettings as ConnectionSettings
from .sink import RabbitMQSink as RabbitMQSink
from .source import RabbitMQSource as RabbitMQSource

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """The source and the sink of the scheme `rabbitmq`."""
    return [RabbitMQSource, RabbitMQSink]


@hookimpl
def register_twins() -> Mapping[str, type[Twin]]:
    """RabbitMQ in memory, for tests."""
    from .twin import RabbitMQTwin  # not before somebody tests

    return {"rabbitmq": RabbitMQTwin}
