"""The promises of the limit on the size of events."""

from typing import Any

import pytest

from ..domain.errors import EventTooLarge, OrderNotFound
from ..domain.order import Change
from .orders import assigned, commit, eur, line, place, placed

LIMIT = 1_000
"""Bytes; an order of one line has about half of them."""


class EventLimitContract:
    """Subclassed with a fixture ``limited``, empty and open, that takes events of LIMIT bytes and no more."""

    async def test_an_event_that_is_too_large_is_refused_with_its_size_and_the_limit(self, limited: Any) -> None:
        large = _large("O1")

        with pytest.raises(EventTooLarge) as refused:
            await commit(limited, large)

        assert (refused.value.order_id, refused.value.type, refused.value.limit) == ("O1", "order.created", LIMIT)
        assert 2_000 < refused.value.size < 5_000

    async def test_nothing_of_its_unit_of_work_is_kept(self, limited: Any) -> None:
        large = _large("O2")

        with pytest.raises(EventTooLarge):
            await commit(limited, place(id="O1"), large)

        for order_id in ("O1", "O2"):
            with pytest.raises(OrderNotFound):
                await limited.views.get(order_id)
        assert await limited.log.heads() == {}

    async def test_events_within_the_limit_are_taken(self, limited: Any) -> None:
        await placed(limited, "O1")
        await assigned(limited, "O1", "S1")

        assert max(len(record.body) for record in await limited.log.history("O1")) <= LIMIT


def _large(order_id: str) -> Change:
    """Return a new order of thirty lines."""
    return place(id=order_id, lines=tuple(line(food_id=f"F{n}") for n in range(30)), total=eur("1000"))
