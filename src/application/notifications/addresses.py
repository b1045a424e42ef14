"""Checks of email addresses, when they are set and before mail is sent."""

from typing import TYPE_CHECKING

from ...domain.errors import InvalidInput
from ...domain.text import shown
from .readable import plain

if TYPE_CHECKING:
    from email.headerregistry import Address

MAX_EMAIL = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets, brackets included."""
_LOCAL_NAMES = ("localhost", "local", "internal", "test")
"""Names that no address of the internet may have, but that of a private mail server or a trial may."""
_PUBLIC = ".example"
"""Makes a public name of a local one, so that the rest of it is checked as well."""
_ENCODED_WORD = "=?"


def address(value: object) -> str:
    """Return the address as it is sent: one mailbox, with its host in lower case. Raises InvalidInput.

    Names in quotes, addresses of IP numbers, comments and encoded words are refused, although RFC 5322 allows them.
    """
    allowed = f"one address NAME@HOST in ASCII, at most {MAX_EMAIL} characters"
    try:
        return _validated(value, named=False).addr_spec
    except ValueError:
        raise InvalidInput("email", "it is no address", allowed) from None


def sender(value: object, *, field: str) -> "Address":
    """Return a sender, which is an address or ``Name <address>``. Raises InvalidInput."""
    try:
        return _validated(value, named=True)
    except ValueError:
        allowed = "NAME@HOST, or Name <NAME@HOST>; a name that is more than ASCII words is in double quotes"
        raise InvalidInput(field, f"{shown(value)} is no sender", allowed) from None


def _validated(value: object, *, named: bool) -> "Address":
    from email.headerregistry import Address

    from email_validator import validate_email

    if not isinstance(value, str) or len(value) > 2 * MAX_EMAIL or _ENCODED_WORD in value or value != plain(value):
        raise ValueError
    body, bracket = value.removesuffix(">"), value[len(value.removesuffix(">")) :]
    local = body.rpartition("@")[2].rpartition(".")[2].lower() in _LOCAL_NAMES
    checked = validate_email(
        f"{body}{_PUBLIC}{bracket}" if local else value,
        allow_display_name=named,
        check_deliverability=False,
        strict=True,
    )
    if (found := checked.ascii_email) is None:
        raise ValueError
    return Address(checked.display_name or "", addr_spec=found.removesuffix(_PUBLIC) if local else found)
