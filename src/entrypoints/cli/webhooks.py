"""``orderflow webhooks``: the HTTP endpoints that events are sent to, and what was sent."""

from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ...application.replay.replay_range import ReplayStart
from ...application.webhooks.delivery import DeliveryStatus, WebhookDelivery
from ...application.webhooks.endpoint import Endpoint
from .arguments import checked_limit
from .session import rows, session

app = App(name="webhooks")

Status = Literal["pending", "waiting", "delivered", "failed"]
Types = Annotated[list[str] | None, Parameter(name="--type", negative=(), help="an event type; without, all")]
Restaurants = Annotated[list[str] | None, Parameter(name="--restaurant", negative=(), help="its id; without, all")]
From = Annotated[
    str | None, Parameter(name="--from", help="POSITION in all buckets, BUCKET:POSITION, or a time; without, now")
]
Start = Annotated[str, Parameter(name="--from", help="POSITION in all buckets, BUCKET:POSITION, or a time (RFC 3339)")]


@app.command
async def add(
    url: str, /, *, type_: Types = None, restaurant: Restaurants = None, label: str = "", from_: From = None
) -> None:
    """Send events to URL from now on, or from START. The signing secret is printed only once."""
    start = None if from_ is None else ReplayStart.parse(from_)
    async with session().opened() as container:
        endpoint, secret = await container.change_endpoints().add(
            url, types=type_ or (), restaurants=restaurant or (), label=label, start=start
        )
    session().show({"id": endpoint.id, "secret": secret}, f"{endpoint.id} {secret}")
    session().info("the endpoint and its secret; store the secret now, it is not shown again")


@app.command(name="list")
async def list_() -> None:
    """List all endpoints, and how their receivers are doing."""
    async with session().opened() as container:
        endpoints = await container.effects().webhooks.endpoints()
        summary = await container.effects().webhooks.summary()
    columns = ("id", "url", "label", "types", "restaurants", "state", "detail")
    cells = (
        (it.id, it.url, it.label, ", ".join(it.types), ", ".join(it.restaurants), state(it), it.reason or it.detail)
        for it in endpoints
    )
    session().show([described(it) for it in endpoints], rows(*columns, of=cells))
    session().info(f"deliveries pending: {summary.backlog.pending}, failed: {summary.backlog.failed}")


@app.command
async def show(endpoint: str, /) -> None:
    """Show one endpoint."""
    async with session().opened() as container:
        found = await container.effects().webhooks.get(endpoint)
    session().show(described(found))


@app.command(name="test")
async def test_(endpoint: str, /) -> int:
    """Send a signed test message of the type webhook.test at once. Exits with 1 unless it is accepted."""
    async with session().opened() as container:
        response = await container.send_test()(endpoint)
    session().show({"accepted": response.accepted, "code": response.code, "detail": response.detail})
    return 0 if response.accepted else 1


@app.command
async def deliveries(
    endpoint: str, /, *, status: Status | None = None, order: str | None = None, limit: int = 100
) -> None:
    """List what was sent to an endpoint and what waits, the latest first."""
    checked_limit(limit)
    async with session().opened() as container:
        await container.effects().webhooks.get(endpoint)
        found = await container.effects().webhooks.list(
            endpoint, status=DeliveryStatus(status) if status else None, order_id=order, limit=limit
        )
    _show(found)


@app.command
async def resend(endpoint: str, order_id: str, /, *, sequence: int | None = None, by: str, reason: str) -> None:
    """Send an order's events, or its event number --sequence, again, with the same ids.

    --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        _show(await container.resend_deliveries()(endpoint, order_id, sequence=sequence, by=by, reason=reason))


@app.command
async def rotate(
    endpoint: str,
    /,
    *,
    hours: Annotated[int, Parameter(help="for which the old secret stays valid, 0 to 8760")] = 24,
    by: str,
    reason: str,
) -> None:
    """Create a new signing secret; until the old one ends, messages are signed with both.

    The new one is printed only once. --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        found, secret, until = await container.change_endpoints().rotate(endpoint, hours=hours, by=by, reason=reason)
    session().show({"id": found.id, "secret": secret, "oldSecretEndsAt": until}, secret)
    session().info(f"the old secret ends at {until.isoformat(timespec='seconds')}; store the new one now")


@app.command
async def disable(endpoint: str, /, *, by: str, reason: str) -> None:
    """Send nothing more to an endpoint until it is enabled. --by NAME and --reason TEXT are recorded."""
    async with session().opened() as container:
        found = await container.change_endpoints().disable(endpoint, by=by, reason=reason)
    session().show(described(found))


@app.command
async def enable(endpoint: str, /, *, by: str, reason: str) -> None:
    """Send an endpoint what it has missed, and what follows. --by NAME and --reason TEXT are recorded."""
    async with session().opened() as container:
        found = await container.change_endpoints().enable(endpoint, by=by, reason=reason)
    session().show(described(found))


@app.command
async def remove(endpoint: str, /, *, by: str, reason: str) -> None:
    """Delete an endpoint, its secrets and what waits for it. --by NAME and --reason TEXT are recorded."""
    async with session().opened() as container:
        await container.change_endpoints().remove(endpoint, by=by, reason=reason)
    session().show({"removed": endpoint})


@app.command
async def replay(endpoint: str, /, *, from_: Start, by: str, reason: str) -> None:
    """Send an endpoint all events from START on again, each order's in sequence, with the same ids.

    --by NAME and --reason TEXT are recorded.
    """
    start = ReplayStart.parse(from_)
    async with session().opened() as container:
        found = await container.change_endpoints().replay(endpoint, start, by=by, reason=reason)
    session().show(described(found))


def state(endpoint: Endpoint) -> str:
    """Return the state of an endpoint in a word or two."""
    if not endpoint.enabled:
        return "disabled"
    return (
        ", ".join(
            word for word, true in (("failing", endpoint.failing), ("behind", endpoint.behind is not None)) if true
        )
        or "enabled"
    )


def described(endpoint: Endpoint) -> dict[str, object]:
    """Return what is shown of an endpoint; its secrets are not."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "label": endpoint.label,
        "types": list(endpoint.types),
        "restaurants": list(endpoint.restaurants),
        "status": endpoint.status,
        "reason": endpoint.reason,
        "createdAt": endpoint.created_at,
        "behind": endpoint.behind is not None,
        "failures": endpoint.failures,
        "failingSince": endpoint.failing_since,
        "detail": endpoint.detail,
    }


def _show(found: Sequence[WebhookDelivery]) -> None:
    columns = ("order", "event", "type", "status", "attempts", "due", "ended", "code", "detail")
    cells = (
        (it.order_id, it.sequence, it.type, it.status, it.attempts, _due(it), it.settled_at, it.code, it.detail)
        for it in found
    )
    session().show(found, rows(*columns, of=cells))


def _due(delivery: WebhookDelivery) -> object:
    return delivery.due_at if delivery.status is DeliveryStatus.PENDING else None
