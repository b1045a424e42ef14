"""``orderflow dead-letters``: events that a consumer could not handle."""

from cyclopts import App

from ...domain.errors import InvalidInput, NotFound
from ..container import CONSUMERS
from .session import rows, session

app = App(name="dead-letters", help="Events that a consumer could not handle, and the orders parked behind them.")


@app.command(name="list")
async def list_(consumer: str | None = None, /, *, error: str | None = None) -> None:
    """The first letter of every parked order; then the records of the topic that are none of ours."""
    async with session().opened() as container:
        letters = await container.effects().dead_letters.blocking(consumer, error=error)
        foreign = await container.effects().dead_letters.foreign(consumer)
    columns = ("consumer", "order", "event", "error", "attempts", "last failed", "message")
    parked = rows(
        *columns,
        of=(
            (at.consumer, at.record.order_id, at.record.sequence, at.error, at.attempts, at.last_failed_at, at.message)
            for at in letters
        ),
    )
    session().show({"parked": letters, "foreign": foreign}, parked)
    if foreign and not session().json:
        session().say(f"{len(foreign)} records of the topic are no events of ours; see --json")


@app.command
async def show(consumer: str, order_id: str, /) -> None:
    """All letters of an order, in sequence."""
    async with session().opened() as container:
        letters = await container.effects().dead_letters.of_order(consumer, order_id)
    if not letters:
        raise NotFound(f"dead letter of {consumer} for order", order_id)
    session().show(letters)


@app.command
async def redrive(consumer: str, order_id: str | None = None, /, *, error: str | None = None) -> None:
    """Handle the events of parked orders after all, in order: of one order, of one class of error, or all."""
    if consumer not in CONSUMERS:
        raise InvalidInput("consumer", f"{consumer!r} is none", ", ".join(CONSUMERS))
    async with session().opened() as container:
        redrive = container.redrive(consumer=container.consumers()[consumer])
        session().show(await redrive(order_id, error=error))
