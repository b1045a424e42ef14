"""Exceptions of the application's own code fail its call, and end nothing else."""

import asyncio

import pytest
from orderflow.application.contained import contained


@pytest.mark.parametrize("raised", [SystemExit(3), GeneratorExit(), asyncio.CancelledError()])
async def test_what_would_end_the_task_fails_the_call(raised: BaseException) -> None:
    with (
        pytest.raises(RuntimeError, match=f"the handler raised {type(raised).__name__}") as failed,
        contained("the handler"),
    ):
        raise raised

    assert failed.value.__cause__ is raised


@pytest.mark.parametrize("raised", [ValueError("no"), KeyboardInterrupt()])
def test_other_exceptions_pass(raised: BaseException) -> None:
    with pytest.raises(type(raised)) as failed, contained("the handler"):
        raise raised

    assert failed.value is raised


async def test_a_cancellation_of_the_task_passes() -> None:
    begun = asyncio.Event()

    async def call() -> None:
        with contained("the handler"):
            begun.set()
            await asyncio.Event().wait()

    calling = asyncio.create_task(call())
    await begun.wait()
    calling.cancel()
    await asyncio.wait({calling})

    assert calling.cancelled()
