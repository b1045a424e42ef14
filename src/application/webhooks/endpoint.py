"""Webhook endpoints: where events are sent, which events, and how their receiver is doing."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from ...domain.errors import InvalidInput
from ...domain.text import identifier, text
from ..consuming.handlers import event_types
from ..event_log.records import Positions
from .public_address import is_address, is_public

WEBHOOKS = "webhooks"
"""The name of the consumer."""
MAX_ENDPOINTS = 100
MAX_URL = 2_000
MAX_LABEL = 200
MAX_RESTAURANTS = 1_000
"""Restaurants in the filter of one endpoint."""
FAILING_AFTER = 5
"""Failed attempts in a row after which an endpoint counts as failing: it is probed with one event at a time."""
FIRST_PROBE, LONGEST_PROBE = timedelta(seconds=5), timedelta(minutes=5)
"""The pauses between two probes of a failing endpoint; they double from the first to the longest."""
BY_OPERATOR = "by an operator"
"""The reason of an endpoint that an operator has disabled."""
_URL = re.compile(r"https?://[!-~]+\Z")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{0,5})?\Z")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:[0-9]+|0[Xx][0-9A-Fa-f]*)\Z")


class EndpointStatus(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


@frozen(kw_only=True)
class Endpoint:
    """An endpoint, and the events that it wants: those of ``types`` and ``restaurants``, or all of what is empty.

    ``behind`` is None while the consumer records deliveries for it. Otherwise it has the position in each bucket up to
    which that was done; the events after it wait in the log. A disabled endpoint always has it, and a ``reason``.
    ``begins`` are the positions after which it got events at first; None if an earlier release has added it.
    ``failures`` are failed attempts in a row, the first at ``failing_since``; ``resume_at`` is when a failing endpoint
    is probed next, ``detail`` what was wrong last.
    """

    id: str
    url: str = field(repr=False)
    types: tuple[str, ...] = ()
    restaurants: tuple[str, ...] = ()
    label: str = ""
    status: EndpointStatus = EndpointStatus.ENABLED
    reason: str = ""
    created_at: datetime
    behind: Positions | None = field(default=None, repr=False)
    begins: Positions | None = field(default=None, repr=False)
    failures: int = 0
    failing_since: datetime | None = None
    resume_at: datetime | None = None
    detail: str = ""

    @property
    def enabled(self) -> bool:
        return self.status is EndpointStatus.ENABLED

    @property
    def failing(self) -> bool:
        return self.failures >= FAILING_AFTER

    def wants(self, type_: str, restaurant: str | None) -> bool:
        """Return whether events of that type, of an order of that restaurant, are sent to it."""
        return (not self.types or type_ in self.types) and (not self.restaurants or restaurant in self.restaurants)

    def has_passed(self, bucket: int, position: int) -> bool:
        """Return whether deliveries up to ``position`` were recorded for it, as far as the consumer has come."""
        return self.behind is None or position <= self.behind.get(bucket, 0)

    def began_before(self, bucket: int, position: int) -> bool:
        """Return whether it gets the event at ``position`` for certain; a replay may send earlier ones, too."""
        return self.begins is not None and position > self.begins.get(bucket, 0)

    def succeeded(self) -> "Endpoint":
        """Return it after an event was accepted."""
        return evolve(self, failures=0, failing_since=None, resume_at=None, detail="") if self.failures else self

    def failed(self, now: datetime, detail: str, *, pause: timedelta) -> "Endpoint":
        """Return it after a failed attempt; if it is failing now, it is probed again after ``pause``."""
        failures = self.failures + 1
        return evolve(
            self,
            failures=failures,
            failing_since=min(self.failing_since or now, now),
            resume_at=now + pause if failures >= FAILING_AFTER else None,
            detail=detail,
        )

    def disabled(self, reason: str, *, at: Positions) -> "Endpoint":
        """Return it disabled. ``at`` are the consumer's cursors: it wants the events after them when it is enabled."""
        behind = at if self.behind is None else self.behind
        return evolve(self, status=EndpointStatus.DISABLED, reason=reason, behind=behind)

    def healthy(self) -> "Endpoint":
        """Return it enabled, without the failures of the past."""
        return evolve(self.succeeded(), status=EndpointStatus.ENABLED, reason="")


def checked_url(url: str, *, private: bool) -> str:
    """Return ``url`` if it may be an endpoint's; ``private`` allows http. Raises InvalidInput, without the URL."""
    allowed = f"https://HOST[:PORT]/PATH in ASCII, without user and fragment, at most {MAX_URL} characters"
    if private:
        allowed = allowed.replace("https", "http or https")
    if len(url) > MAX_URL or not _URL.match(url):
        raise InvalidInput("url", "it is no URL", allowed)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("url", "its host or port is none", allowed) from None
    if not host or "@" in parts.netloc or parts.fragment or url.endswith("#"):
        raise InvalidInput("url", "it has no host, or a user or a fragment", allowed)
    if port == 0 or not _AUTHORITY.match(parts.netloc) or not _is_host(host):
        raise InvalidInput("url", "its host or port is none", allowed)
    if not private and is_address(host) and not is_public(host):
        raise InvalidInput("url", "its host is an address that is not public", f"{allowed}, at a public address")
    if parts.scheme != "https" and not private:
        raise InvalidInput("url", "it is not https", allowed)
    return url


def _is_host(host: str) -> bool:
    """Return whether ``host`` is a name that can be looked up, or an address in the form that all programs read alike.

    A host that ends with a number is an IPv4 address: https://url.spec.whatwg.org/#ends-in-a-number-checker.
    """
    labels = host.split(".")
    if ":" in host or _NUMBER.match(labels[-1]):
        return is_address(host)
    return all(map(_LABEL.match, labels))


def checked_endpoint(
    id: str, url: str, *, types: Collection[str], restaurants: Collection[str], label: str, private: bool, at: datetime
) -> Endpoint:
    """Return a new endpoint. Raises InvalidInput."""
    if len(restaurants) > MAX_RESTAURANTS:
        raise InvalidInput("restaurants", f"there are {len(restaurants)}", f"at most {MAX_RESTAURANTS}")
    return Endpoint(
        id=identifier(id, field="id"),
        url=checked_url(url, private=private),
        types=tuple(sorted(event_types(*types, field="types"))) if types else (),
        restaurants=tuple(sorted({identifier(it, field="restaurants") for it in restaurants})),
        label=text(label, field="label", at_most=MAX_LABEL),
        created_at=at,
    )


def caught_up(behind: Positions, cursors: Positions) -> bool:
    """Return whether ``behind`` is where the consumer is."""
    return all(behind.get(bucket, 0) == cursors.get(bucket, 0) for bucket in behind.keys() | cursors.keys())
