"""Reads rows that may be damaged, which a check names instead of failing at them."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

from ...domain.errors import Unavailable
from ..redaction import error_text

T = TypeVar("T")


async def read_rows(
    read: Callable[[list[str]], Awaitable[Mapping[str, T]]], order_ids: Collection[str]
) -> tuple[dict[str, T], dict[str, str]]:
    """Return what ``read`` returns for these orders, and the problem of each whose row cannot be read.

    If ``read`` fails, it is called with halves of the orders, down to single ones. Raises Unavailable.
    """
    ids = list(order_ids)
    try:
        return dict(await read(ids)), {}
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - it is reported for the one row that fails
        if len(ids) == 1:
            return {}, {ids[0]: f"its row cannot be read: {type(error).__name__}: {error_text(error)}"}
    middle = len(ids) // 2
    found, problems = await read_rows(read, ids[:middle])
    more, further = await read_rows(read, ids[middle:])
    return found | more, problems | further
