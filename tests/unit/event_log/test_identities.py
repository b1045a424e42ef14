"""Identities that others may reckon with: the bucket of an order, and the ids that are made here."""

from uuid import UUID

from orderflow.application.event_log.records import BUCKETS, bucket_of
from orderflow.entrypoints.wiring.storage_and_consumers import new_id


def test_the_bucket_is_the_crc_32_of_the_id() -> None:
    # The check value of CRC-32/ISO-HDLC: https://reveng.sourceforge.io/crc-catalogue/17plus.htm
    check_value = 0xCBF43926

    bucket = bucket_of("123456789")

    assert (BUCKETS, bucket) == (256, check_value % 256)


def test_new_ids_are_uuids_of_version_7_that_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(1000)]

    assert {UUID(each).version for each in made} == {7}
    assert made == sorted(set(made))
