"""The relay's cursors survive the way through a committed offset's metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.adapters.kafka.relay_note import Note

BROKERS_LIMIT = 4096
POSITIONS = st.dictionaries(st.integers(0, 255), st.integers(0, 2**63 - 1))


@given(st.integers(1, 10_000), st.booleans(), POSITIONS)
def test_a_note_reads_back_as_it_was_written(partitions: int, published: bool, positions: dict[int, int]) -> None:
    note = Note(partitions, published, positions)

    assert Note.read(note.text(256), 256) == note


def test_the_longest_note_fits_into_the_metadata_that_brokers_take() -> None:
    longest = Note(100_000, published=True, positions=dict.fromkeys(range(256), 2**63 - 1))

    assert len(longest.text(256).encode()) <= BROKERS_LIMIT


def test_a_note_is_plain_to_see() -> None:
    assert Note(3, published=True, positions={0: 100, 2: 9}).text(4) == "1;3;p;2s,,9,"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2;3;p;,,,", "version '2'"),
        ("hello", "version 'hello'"),
        ("1;3;x;,,,", "state is 'x'"),
        ("1;3;p;,,", "a log of 3 buckets, and this one has 4"),
        ("1;three;p;,,,", "invalid literal"),
        ("1;3;p;!,,,", "invalid literal"),
        ("1;3;p", "not enough values"),
        ("1;3;p;,,,;more", "too many values"),
    ],
)
def test_any_other_text_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Note.read(text, 4)
