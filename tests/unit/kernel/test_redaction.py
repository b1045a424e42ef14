"""What may be said of a failure: no password of an address, no bearer token, no mail address, wherever they stand."""

import pytest
from orderflow.application.redaction import redact


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("write to a.person@mail.example, please", "write to ***, please"),
        ("to=a@b.example;", "to=***;"),
        ("two@ats@mail.example", "***"),
        ("postgresql://orders:secret@db:5432/orders", "postgresql://***@db:5432/orders"),
        ("postgresql://orders:se@cret@db/orders", "postgresql://***@***/orders"),
        ("Authorization: Bearer of_12345678abc", "Authorization: Bearer ***"),
        ("of_12345678abc", "***"),
        ("of_12345678.a@mail.example", "***"),
        ("nothing to hide at 12:00", "nothing to hide at 12:00"),
    ],
)
def test_secrets_and_addresses_are_left_out(said: str, told: str) -> None:
    assert redact(said) == told


def test_a_long_word_is_told_as_it_is() -> None:
    word = "x" * 200_000

    told = redact(f"{word} and @")

    assert told == f"{word} and @"
