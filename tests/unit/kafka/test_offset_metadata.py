"""The relay's cursors are encoded in the metadata of a committed offset and decoded from it."""

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


CHECKSUMS = st.dictionaries(st.integers(0, 255), st.integers(0, 2**18 - 1))


@given(st.integers(1, 10_000), st.booleans(), POSITIONS, st.integers(1, 10**9), CHECKSUMS)
def test_metadata_is_decoded_to_what_was_encoded(
    partitions: int, published: bool, positions: dict[int, int], epoch: int, checksums: dict[int, int]
) -> None:
    metadata = OffsetMetadata(
        partitions, published, positions, epoch, {b: checksum for b, checksum in checksums.items() if b in positions}
    )

    assert OffsetMetadata.parse(metadata.serialize(256), 256) == metadata


def test_the_longest_metadata_is_within_the_limit_of_brokers() -> None:
    buckets = range(256)
    longest = OffsetMetadata(100_000, True, dict.fromkeys(buckets, 2**63 - 1), 2**31, dict.fromkeys(buckets, 2**18 - 1))

    assert len(longest.serialize(256).encode()) <= BROKERS_LIMIT


def test_metadata_is_readable_text() -> None:
    metadata = OffsetMetadata(3, published=True, positions={0: 100, 2: 9}, epoch=2, checksums={0: 65})

    assert metadata.serialize(4) == "2;3;p;2;0111A,,~9,"


def test_metadata_of_the_version_without_epochs_is_of_the_first_and_has_no_checksums() -> None:
    assert OffsetMetadata.parse("1;3;p;2s,,9,", 4) == OffsetMetadata(3, published=True, positions={0: 100, 2: 9})


def test_positions_that_a_later_epoch_does_not_keep_are_lowered() -> None:
    metadata = OffsetMetadata(3, published=True, positions={0: 100, 1: 5, 2: 9}, checksums={0: 1, 1: 2})
    operator_note = OperatorNote(by="ann", reason="restored", at=AT)

    effective = metadata.effective(Epochs((Epoch(epoch=2, note=operator_note, kept={0: 70, 1: 5}),)))

    assert effective == OffsetMetadata(3, published=True, positions={0: 70, 1: 5, 2: 9}, epoch=2, checksums={1: 2})


def test_metadata_of_a_later_epoch_than_the_logs_is_refused() -> None:
    with pytest.raises(LogBehindTopic, match="the topic is in epoch 3, the log only in 1"):
        OffsetMetadata(3, published=True, positions={0: 100}, epoch=3).effective(BEGINNING)


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
        ("2;3;p;1;000!,,,", "'!' is not a number"),
        ("2;3;p;1;000,,,", "'' is not a number"),
    ],
)
def test_any_other_text_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        OffsetMetadata.parse(text, 4)
