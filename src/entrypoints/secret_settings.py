"""The secrets among settings: passwords in URLs are masked, and Kafka properties that are secrets are known."""

import re
from urllib.parse import urlsplit

MASK = "********"

_PASSWORDS = re.compile(r"((?:^|&)\w*password=)[^&]*", re.IGNORECASE)
_PASSWORDS_ANYWHERE = re.compile(r"(password=)[^&]*", re.IGNORECASE)


def is_well_formed(url: str) -> bool:
    """Return True unless a character of a password has ended its part of ``url``."""
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{host}").port for host in parts.netloc.rpartition("@")[2].split(",")]
    except ValueError:  # also a port that is none
        return False
    return bool(hosts) and not parts.fragment and "@" not in parts.path + parts.query


def masked_url(url: str) -> str:
    """Return ``url`` with its passwords masked, also those in its query, and in a URL that is not well-formed."""
    if not is_well_formed(url):
        return _PASSWORDS_ANYWHERE.sub(rf"\1{MASK}", _without_password(url))
    parts = urlsplit(url)
    address, mark, query = url.partition("?")
    if parts.password is not None:
        host = parts.netloc.rpartition("@")[2]
        address = address.replace(parts.netloc, f"{parts.username}:{MASK}@{host}", 1)
    return address + mark + _PASSWORDS.sub(rf"\1{MASK}", query)


def _without_password(url: str) -> str:
    """Mask what is between the user and the last ``@``, wherever else the text is wrong, also without a scheme."""
    before, at, host = url.rpartition("@")
    scheme, slashes, credentials = before.partition("//") if "//" in before else ("", "", before)
    user, colon, _ = credentials.partition(":")
    return f"{scheme}{slashes}{user}:{MASK}@{host}" if at and colon else url


def is_secret(key: str) -> bool:
    """Return True if the value of this librdkafka property is a secret."""
    return any(
        word in key for word in ("password", "secret", "key.pem", "jaas", "oauthbearer.config", "passphrase", "ssl.key")
    )
