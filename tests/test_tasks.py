"""Tasks together."""

import anyio
import pytest

from routekit.tasks import first_of, together

pytestmark = pytest.mark.anyio


async def fail(after: float, error: Exception) -> None:
    with anyio.CancelScope(shield=True):
        await anyio.sleep(after)
    raise error


async def run(*errors: tuple[float, Exception]) -> None:
    async with together() as tasks:
        for after, error in errors:
            tasks.start_soon(fail, after, error)


async def test_one_failure_is_raised_itself() -> None:
    """Not in a group, so that `except ValueError` sees it; its own cause stays."""
    error = ValueError("x")
    error.__cause__ = KeyError("why")
    with pytest.raises(ValueError, match="x") as caught:
        await run((1, error))
    assert caught.value is error
    assert isinstance(error.__cause__, KeyError)


async def test_of_several_the_first_is_raised_with_the_group_as_cause() -> None:
    """None is lost."""
    with pytest.raises((ValueError, KeyError)) as caught:
        await run((1, ValueError("a")), (2, KeyError("b")))
    group = caught.value.__cause__
    assert isinstance(group, ExceptionGroup)
    assert {type(error) for error in group.exceptions} == {ValueError, KeyError}


async def test_nested_groups_are_opened() -> None:
    """However deep."""
    inner = ExceptionGroup("inner", [ExceptionGroup("deep", [OSError("x")])])
    assert isinstance(first_of(inner), OSError)
    with pytest.raises(OSError, match="x"):
        await run((1, inner))


async def test_an_error_of_the_block_is_raised_itself() -> None:
    """As one of a task would be."""

    async def block() -> None:
        async with together() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            raise KeyError

    with pytest.raises(KeyError):
        await block()


async def test_cancelling_is_no_failure() -> None:
    """The group ends quietly."""
    async with together() as tasks:
        tasks.start_soon(anyio.sleep_forever)
        tasks.cancel_scope.cancel()
