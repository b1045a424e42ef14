"""The relay's cursors survive the way through a committed offset's metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.adapters.kafka.relay.offset_metadata import OffsetMetadata
from orderflow.application.operator_note import OperatorNote
from orderflow.application.recovery.epochs import BEGINNING, Epoch, Epochs
from orderflow.domain.errors import LogBehindTopic

from tests.unit.domain.actors import AT

BROKERS_LIMIT = 4096
POSITIONS = st.dictionaries(st.integers(0, 255), st.integers(0, 2**63 - 1))


MARKS = st.dictionaries(st.integers(0, 255), st.integers(0, 2**18 - 1))


@given(st.integers(1, 10_000), st.booleans(), POSITIONS, st.integers(1, 10**9), MARKS)
def test_a_note_reads_back_as_it_was_written(
    partitions: int, published: bool, positions: dict[int, int], epoch: int, marks: dict[int, int]
) -> None:
    note = OffsetMetadata(
        partitions, published, positions, epoch, {b: mark for b, mark in marks.items() if b in positions}
    )

    assert OffsetMetadata.read(note.text(256), 256) == note


def test_the_longest_note_fits_into_the_metadata_that_brokers_take() -> None:
    every = range(256)
    longest = OffsetMetadata(100_000, True, dict.fromkeys(every, 2**63 - 1), 2**31, dict.fromkeys(every, 2**18 - 1))

    assert len(longest.text(256).encode()) <= BROKERS_LIMIT


def test_a_note_is_plain_to_see() -> None:
    note = OffsetMetadata(3, published=True, positions={0: 100, 2: 9}, epoch=2, marks={0: 65})

    assert note.text(4) == "2;3;p;2;0111A,,~9,"


def test_a_note_from_before_epochs_is_of_the_first_and_has_no_marks() -> None:
    assert OffsetMetadata.read("1;3;p;2s,,9,", 4) == OffsetMetadata(3, published=True, positions={0: 100, 2: 9})


def test_what_a_later_epoch_does_not_keep_counts_no_more() -> None:
    note = OffsetMetadata(3, published=True, positions={0: 100, 1: 5, 2: 9}, marks={0: 1, 1: 2})
    word = OperatorNote(by="ann", reason="restored", at=AT)

    standing = note.standing(Epochs((Epoch(epoch=2, note=word, kept={0: 70, 1: 5}),)))

    assert standing == OffsetMetadata(3, published=True, positions={0: 70, 1: 5, 2: 9}, epoch=2, marks={1: 2})


def test_a_note_of_a_later_epoch_than_the_logs_is_refused() -> None:
    with pytest.raises(LogBehindTopic, match="the topic is in epoch 3, the log only in 1"):
        OffsetMetadata(3, published=True, positions={0: 100}, epoch=3).standing(BEGINNING)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("3;3;p;,,,", "version '3'"),
        ("hello", "version 'hello'"),
        ("1;3;x;,,,", "state is 'x'"),
        ("1;3;p;,,", "a log of 3 buckets, and this one has 4"),
        ("1;three;p;,,,", "invalid literal"),
        ("1;3;p;!,,,", "invalid literal"),
        ("1;3;p", "not enough values"),
        ("1;3;p;,,,;more", "too many values"),
        ("2;3;p;,,,", "not enough values"),
        ("2;3;p;1;000!,,,", "'!' is no number"),
        ("2;3;p;1;000,,,", "'' is no number"),
    ],
)
def test_any_other_text_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        OffsetMetadata.read(text, 4)
