"""Redaction masks passwords in URLs, bearer tokens and mail addresses anywhere in a text."""

import pytest
from orderflow.application.redaction import MAX_TEXT, bounded, error_text, redact


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to a.person@mail.example, please", "write to ***, please"),
        ("to=a@b.example;", "to=***;"),
        ("two@ats@mail.example", "***"),
        ("postgresql://orders:secret@db:5432/orders", "postgresql://***@db:5432/orders"),
        ("postgresql://orders:se@cret@db/orders", "postgresql://***@db/orders"),
        ("Authorization: Bearer of_12345678abc", "Authorization: Bearer ***"),
        ("of_12345678abc", "***"),
        ("postgresql:///orders?user=app&password=secret&host=db", "postgresql:///orders?user=app&password=***&host=db"),
        ("sk_live_12345678", "***"),
        ("@@a@b.example and a@@b.example", "*** and ***"),
        ("    @property", "    @property"),
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


@pytest.mark.parametrize("secret", ["of_12345678abcdefgh", "a.person@mail.example", "//orders:secret@db/orders"])
def test_a_secret_at_the_cut_is_left_out(secret: str) -> None:
    for visible in range(1, 20):
        before = "x " * ((MAX_TEXT - visible) // 2)
        shown = bounded(f"{before}{secret} and more")
        assert len(shown) <= MAX_TEXT, visible
        assert set(shown) <= set("x .*"), visible


class Unreadable(Exception):
    def __str__(self) -> str:
        raise ValueError("no")


def test_an_error_whose_text_raises_is_still_shown() -> None:
    assert error_text(Unreadable()) == "its text cannot be read (ValueError)"
