"""``orderflow payments``: attempts to move money that have no outcome, declined refunds and held authorizations."""

from collections.abc import Sequence

from cyclopts import App

from ...application.orders.payment_attempts import PaymentAttempt
from .arguments import checked_limit
from .session import rows, session

app = App(name="payments")


@app.command(name="list")
async def list_(*, order: str | None = None, limit: int = 100) -> None:
    """List attempts without an outcome, declined refunds and held authorizations; of --order ID, all attempts."""
    checked_limit(limit)
    async with session().opened() as container:
        attempts = container.storage().attempts
        if order is None:
            found = await attempts.list_outstanding(container.clock()(), limit=limit)
        else:
            found = await attempts.of_order(order)
    _show(found)


@app.command
async def settle() -> None:
    """Ask the payment gateway now for the outcome of the attempts that are due, and request their refunds.

    Refunds that were made lately are looked up again when they are due, for one may have failed since.
    """
    async with session().opened() as container:
        settled = await container.use_cases().settle_payments()
        failed = await container.use_cases().look_up_refunds()
    session().show({"settled": settled, "failed_refunds": failed})


@app.command
async def resolve(order_id: str, /, *, by: str, reason: str) -> None:
    """Record that an order's declined refunds were paid back in another way, or its held authorizations released.

    --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        _show(await container.resolve_refund()(order_id, by=by, reason=reason))


@app.command
async def repeat(order_id: str, /, *, by: str, reason: str) -> None:
    """Request an order's declined refunds again.

    --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        _show(await container.repeat_refund()(order_id, by=by, reason=reason))


def _show(found: Sequence[PaymentAttempt]) -> None:
    columns = ("order", "attempt", "amount", "status", "requested", "tries", "due", "detail")
    cells = ((a.order_id, a.key, a.amount, a.status, a.requested_at, a.tries, a.due_at, a.detail) for a in found)
    session().show(found, rows(*columns, of=cells))
