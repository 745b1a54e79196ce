"""What the errors of the driver mean for a route."""

import struct
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from typing import TypeVar

import anyio
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionNotAllowed,
    DeliveryError,
    InvalidFrameError,
    ProbableAuthenticationError,
    PublishError,
)
from pamqp.exceptions import PAMQPException

from routekit import DefinitionError, Rejected, RouteKitError, Unavailable

T = TypeVar("T")


class Returned(Unavailable):
    """No queue takes the message: the broker has given it back."""


class Refused(Unavailable):
    """The broker does not take the message now: its queue is full, broken, or so new that it has no leader yet."""


AWAY = (AMQPError, PAMQPException, ConnectionError, OSError, TimeoutError, ChannelInvalidStateError, RuntimeError)
"""What the driver raises when a connection or channel is not there, or not any more."""


@contextmanager
def told(what: str, place: str) -> Generator[None]:
    """Around a call of the driver: its errors are raised as what they mean, with `what` was asked of whom."""
    try:
        yield
    except BaseException as error:
        meant = retold(error, what, place)
        if meant is error:
            raise
        raise meant from error


async def asked(work: Awaitable[T], what: str, place: str) -> T:
    """As `told`, of one call on the way of every message: in less time."""
    try:
        return await work
    except BaseException as error:
        meant = retold(error, what, place)
        if meant is error:
            raise
        raise meant from error


def retold(error: BaseException, what: str, place: str) -> BaseException:
    """What to raise instead of an error of the driver, or the error itself.

    The driver cancels those who wait for a connection that it gives up; for a route that is no cancellation.
    """
    if isinstance(error, anyio.get_cancelled_exc_class()):
        if anyio.get_current_task().has_pending_cancellation():
            return error
        return Unavailable(f"{what}: the connection to {place} was lost")
    if isinstance(error, RouteKitError) or not isinstance(error, Exception):
        return error
    return meaning(error, what, place)


def meaning(error: Exception, what: str, place: str) -> Exception:
    """What an error means, or the error itself if it is none of the broker's."""
    if isinstance(error, PublishError):
        return Returned(f"{what}: the broker returned the message: {_text(error)}", hint="is a queue bound there?")
    if isinstance(error, DeliveryError):
        return Refused(f"{what}: the broker refused the message", hint="the queue may be full, or broken")
    if isinstance(error, ChannelNotFoundEntity):
        return Unavailable(f"{what}: {_text(error)}", hint="start what declares it, or write declare=true")
    if isinstance(error, ChannelPreconditionFailed):
        return DefinitionError(f"{what}: {_text(error)}", hint="write the options that it has, or declare=false")
    if isinstance(error, ChannelAccessRefused | ConnectionNotAllowed) or _is_refusal(error):
        return DefinitionError(f"{what}: {place} refuses it: {_text(error)}", hint="check user, password and vhost")
    if isinstance(error, InvalidFrameError) and "Connection.Close" in str(error):  # without what the broker said
        return Unavailable(f"{what}: {place} cannot be opened", hint="does the vhost exist, and may the user enter it?")
    if isinstance(error, ChannelLockedResource):
        return Unavailable(f"{what}: {_text(error)}", hint="another consumer has it for itself")
    if isinstance(error, TimeoutError):
        return Unavailable(f"{what}: {place} does not answer in time")
    if isinstance(error, AWAY) or type(error) is Exception:  # as such when we close a channel on which somebody waits
        return Unavailable(f"{what}: {_text(error) or type(error).__name__}, at {place}")
    if isinstance(error, TypeError | ValueError | struct.error):
        return Rejected(f"{what}: AMQP cannot carry it: {error}", hint="see its headers and options")
    return error


def _is_refusal(error: Exception) -> bool:
    if isinstance(error, AuthenticationError | ProbableAuthenticationError):
        return True
    return isinstance(error, AMQPError) and 530 in error.args


def _text(error: Exception) -> str:
    """What the broker said, without codes of the protocol."""
    if isinstance(error, ChannelInvalidStateError):
        return "the channel was closed"
    said = next((part for part in reversed(error.args) if isinstance(part, str) and part), "")
    if isinstance(error, PublishError):
        return f"{error.args[0]} for '{error.args[1]}'"
    return said or " ".join(map(str, error.args))
