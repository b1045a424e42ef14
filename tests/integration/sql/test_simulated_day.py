"""A day that many workers simulate on a database has, in each order, the events of one worker."""

from orderflow.entrypoints.simulation.generate_day import generate_day

from tests.support.simulated import bodies_after_a_day


async def test_each_order_has_the_same_events_with_one_worker_and_with_sixteen(url: str) -> None:
    day = generate_day(40, 3)

    together = await bodies_after_a_day(url, day, workers=16)

    assert together == await bodies_after_a_day("memory://", day, workers=1)
    assert len(together) == len(day.orders)
