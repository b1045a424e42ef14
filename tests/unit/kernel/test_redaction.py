"""Redaction masks passwords in URLs, bearer tokens and mail addresses anywhere in a text."""

import pytest
from orderflow.application.redaction import redact


@pytest.mark.parametrize(
    ("text", "redacted"),
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
def test_secrets_and_addresses_are_masked(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_a_long_word_stays_as_it_is() -> None:
    word = "x" * 200_000

    redacted = redact(f"{word} and @")

    assert redacted == f"{word} and @"
