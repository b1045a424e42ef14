"""A place in the log is an opaque text of bounded length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.application.streams.place import MAX_PLACE, Place
from orderflow.domain.errors import InvalidInput

POSITIONS = st.one_of(
    st.lists(st.integers(0, 2**63 - 1), max_size=256),
    st.lists(st.integers(10**6, 10**6 + 500), min_size=256, max_size=256),
)


@given(st.integers(1, 2**24 - 1), POSITIONS)
def test_a_place_is_read_back_from_its_text(epoch: int, positions: list[int]) -> None:
    place = Place(epoch, tuple(positions))

    text = str(place)

    assert Place.parse(text, field="id") == place
    assert len(text) <= MAX_PLACE
    assert text.isascii()
    assert not set(text) & set(" \r\n+/=")


def test_a_place_in_a_log_of_a_billion_events_is_short() -> None:
    positions = tuple(4_000_000 + (bucket * 37) % 8_000 for bucket in range(256))

    assert len(str(Place(1, positions))) < 700


@given(st.text(max_size=100))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Place.parse(text, field="Last-Event-ID")

    assert refused.value.field == "Last-Event-ID"


@given(st.integers(0, 300), st.integers(0, 255), POSITIONS)
def test_a_place_that_was_changed_is_refused_or_another_place(at: int, value: int, positions: list[int]) -> None:
    text = str(Place(1, tuple(positions)))
    changed = text[: at % len(text)] + chr(value) + text[at % len(text) + 1 :]

    try:
        place = Place.parse(changed, field="id")
    except InvalidInput:
        return
    assert str(place) == changed


@pytest.mark.parametrize("text", ["A" * (MAX_PLACE + 1), "AQAAAf__PwAAAAAAAAAA", "AQAAAQEAPwAAAAAAAAAA" + "_" * 2000])
def test_a_place_that_claims_more_than_it_has_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Place.parse(text, field="id")
