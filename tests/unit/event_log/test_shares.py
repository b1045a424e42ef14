"""A batch of the log is shared out among the buckets with news."""

from hypothesis import given
from hypothesis import strategies as st
from orderflow.application.event_log.records import shares, unread

POSITIONS = st.dictionaries(st.integers(0, 9), st.integers(0, 50))


def test_what_is_unread_is_found_bucket_by_bucket() -> None:
    assert unread({1: 3, 2: 9}, {1: 5, 2: 7, 3: 1}) == {1: 3, 3: 0}


def test_all_news_that_fit_are_read() -> None:
    assert sorted(shares({1: 0, 2: 5, 3: 9}, {1: 4, 2: 6, 3: 9}, 10)) == [(1, 0, 4), (2, 5, 1)]


def test_what_a_short_bucket_leaves_of_its_share_goes_to_the_long_one() -> None:
    assert sorted(shares({1: 0, 2: 0, 3: 0}, {1: 100, 2: 1, 3: 1}, 10)) == [(1, 0, 8), (2, 0, 1), (3, 0, 1)]


def test_with_more_buckets_than_places_those_farthest_behind_are_served() -> None:
    assert sorted(shares({1: 0, 2: 0, 3: 0}, {1: 1, 2: 3, 3: 2}, 2)) == [(2, 0, 1), (3, 0, 1)]


@given(after=POSITIONS, heads=POSITIONS, limit=st.integers(1, 60))
def test_shares_cover_the_limit_or_all_news_and_never_more(
    after: dict[int, int], heads: dict[int, int], limit: int
) -> None:
    found = shares(after, heads, limit)

    behind = {bucket: heads.get(bucket, 0) - at for bucket, at in after.items() if heads.get(bucket, 0) > at}
    assert sum(share for _, _, share in found) == min(limit, sum(behind.values()))
    assert all(1 <= share <= behind[bucket] and at == after[bucket] for bucket, at, share in found)
    assert len(found) == min(limit, len(behind))
