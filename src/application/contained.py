"""Calls of code that may be the application's own: what it raises fails the call, and ends nothing else."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Raise RuntimeError for what would end the calling task instead of failing the call of ``what``.

    That is SystemExit, GeneratorExit, and a cancellation that was not asked of this task, such as that of another task
    that the block awaits. Other exceptions, and a cancellation of this task, pass.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
            raise
        raise RuntimeError(f"{what} raised {type(error).__name__} {error}".rstrip()) from error
