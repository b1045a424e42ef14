"""A day becomes a folder in the format that it is read from."""

from collections.abc import Iterable
from pathlib import Path

from .day import Day, plain
from .files import COURIERS, ORDERS, PARAMETERS, RESTAURANTS, DayFile


def write_day(day: Day, folder: Path) -> None:
    """Writes the four files of ``day``, making ``folder`` where it is missing and replacing files of those names.

    ``read_day(folder)`` gives an equal day when the folder bears the day's name. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    orders = ((o.id, plain(o.x), plain(o.y), plain(o.placed_at), o.restaurant, plain(o.ready_at)) for o in day.orders)
    couriers = ((c.id, plain(c.x), plain(c.y), plain(c.on), plain(c.off)) for c in day.couriers)
    restaurants = ((r.id, plain(r.x), plain(r.y)) for r in day.restaurants)
    p = day.parameters
    parameters = (
        plain(p.metres_per_minute),
        plain(p.pickup_minutes),
        plain(p.dropoff_minutes),
        plain(p.target_click_to_door),
        plain(p.maximum_click_to_door),
        f"{p.pay_per_order:f}",
        f"{p.guaranteed_pay_per_hour:f}",
    )
    _write(folder, ORDERS, orders)
    _write(folder, COURIERS, couriers)
    _write(folder, RESTAURANTS, restaurants)
    _write(folder, PARAMETERS, [parameters])


def _write(folder: Path, file: DayFile, rows: Iterable[tuple[str, ...]]) -> None:
    lines = ["\t".join(cells) + "\n" for cells in (file.columns, *rows)]
    (folder / file.name).write_bytes("".join(lines).encode())
