"""Addresses are checked when they are set; what is none is refused with what is allowed."""

import pytest
from orderflow.application.notifications.addresses import address, sender
from orderflow.application.notifications.notification import Contact
from orderflow.domain.errors import InvalidInput

NO_ADDRESS = [
    "",
    "o@",
    "@x.com",
    "a,b@x.com",
    "a@[x.com",
    "a@[127.0.0.1]",
    "a b@x.com",
    " a@x.com",
    "a@x.com ",
    "a@x.com\r\nBcc: b@x.com",
    "a@b@x.com",
    "a..b@x.com",
    "a@x..com",
    "a@x.com.",
    "a@-x.com",
    "a@x_y.com",
    "<a@x.com>",
    "a@x.com (home)",
    '"a b"@x.com',
    "Bär@x.com",
    "=?utf-8?q?=0D=0A?=@x.com",
    "a\u202e@x.com",
    "a@x.com, b@x.com",
    "a;b@x.com",
    "a" * 65 + "@x.com",
    "a@" + "b" * 300 + ".com",
]


@pytest.mark.parametrize("value", NO_ADDRESS)
def test_what_is_no_address_is_refused_for_a_contact_and_as_a_sender(value: str) -> None:
    with pytest.raises(InvalidInput, match="it is no address; allowed: one address NAME@HOST"):
        Contact(party="customer:C1", email=value)
    if value != "<a@x.com>":
        with pytest.raises(InvalidInput, match="is no sender"):
            sender(value, field="smtp_sender")


@pytest.mark.parametrize(
    ("value", "sent_to"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann.B+tag@Example.COM", "Ann.B+tag@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("orders@localhost", "orders@localhost"),
        ("kitchen@mail.local", "kitchen@mail.local"),
        ("o'hara@x.co.uk", "o'hara@x.co.uk"),
    ],
)
def test_an_address_is_kept_as_mail_is_sent_to_it(value: str, sent_to: str) -> None:
    assert address(value) == Contact(party="customer:C1", email=value).email == sent_to


@pytest.mark.parametrize(
    "value",
    [
        "Pizza, Inc <o@x.example>",
        "Pizza <o@x.example>, <b@x.example>",
        "Pizza <o@x.example> b@x.example",
        "Pizza\r\nBcc: b@x.example <o@x.example>",
        "Pizza <o@>",
        "Pizza <o@[x.example>",
        "Pizza <o@x.example",
        "=?utf-8?q?Pizza?= <o@x.example>",
        "Pizza\u202e <o@x.example>",
        "o@x.example, b@x.example",
    ],
)
def test_a_sender_is_one_mailbox(value: str) -> None:
    with pytest.raises(InvalidInput, match="is no sender; allowed: NAME@HOST, or Name <NAME@HOST>"):
        sender(value, field="smtp_sender")


@pytest.mark.parametrize(
    ("value", "name", "spec"),
    [
        ("o@x.example", "", "o@x.example"),
        ("Pizza <o@x.example>", "Pizza", "o@x.example"),
        ('"Pizza, Inc" <o@x.example>', "Pizza, Inc", "o@x.example"),
        ('"Bücherei" <o@x.example>', "Bücherei", "o@x.example"),
        ("Orders <orders@localhost>", "Orders", "orders@localhost"),
    ],
)
def test_a_sender_may_have_a_name(value: str, name: str, spec: str) -> None:
    found = sender(value, field="smtp_sender")

    assert (found.display_name, found.addr_spec) == (name, spec)


def test_a_contact_that_an_earlier_release_accepted_is_still_read() -> None:
    assert Contact.stored("customer:C1", "a,b@x.com").email == "a,b@x.com"
