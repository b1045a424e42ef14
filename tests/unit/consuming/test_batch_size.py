"""A slow handler gets small batches."""

import pytest
from orderflow.application.consuming.batch_size import BATCH_SECONDS, BatchSize


def test_batches_of_a_fast_handler_grow_up_to_their_limit() -> None:
    size = BatchSize(500)

    grown = []
    for _ in range(12):
        grown.append(size.now)
        size.handled(size.now, BATCH_SECONDS / 10)

    assert grown == [1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500, 500]


@pytest.mark.parametrize(
    ("seconds", "after"), [(BATCH_SECONDS * 1.5, 128), (BATCH_SECONDS * 16, 16), (BATCH_SECONDS * 10_000, 1)]
)
def test_a_slow_batch_makes_the_next_one_as_small_as_it_should_have_been(seconds: float, after: int) -> None:
    size = BatchSize(500, now=256)

    size.handled(256, seconds)

    assert size.now == after


def test_a_batch_that_was_not_full_says_nothing_of_larger_ones() -> None:
    size = BatchSize(500, now=64)

    size.handled(3, 0.001)

    assert size.now == 64
