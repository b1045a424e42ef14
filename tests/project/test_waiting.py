"""The tests' own waiting: a wait that cannot fail would hide every late answer."""

import pytest

from tests.support.waiting import eventually, eventually_async


def test_a_wait_gives_the_first_true_value() -> None:
    answers = iter([0, "", "there"])

    assert eventually(lambda: next(answers), every=0) == "there"


def test_a_wait_that_ends_in_vain_says_for_what_and_what_was_seen_last() -> None:
    with pytest.raises(AssertionError, match=r"not true within 0.01 s: the order is there \(last seen: None\)"):
        eventually(lambda: None, deadline=0.01, that="the order is there")


def test_a_condition_is_asked_even_when_there_is_no_time() -> None:
    assert eventually(lambda: True, deadline=0)


async def test_an_asynchronous_wait_takes_plain_and_coroutine_conditions() -> None:
    answers = iter([False, True])

    async def asked() -> bool:
        return next(answers)

    assert await eventually_async(asked, every=0)
    assert await eventually_async(lambda: True)


async def test_an_asynchronous_wait_ends_in_vain_with_the_same_words() -> None:
    with pytest.raises(AssertionError, match=r"not true within 0 s: the order is there \(last seen: 0\)"):
        await eventually_async(lambda: 0, deadline=0, that="the order is there")
