"""PostgreSQL's own pgbench: the rows of an order and its event by prepared INSERTs, with a commit each or many at once.

It is the limit for a commit each: its rows are constants but for their keys, so it leaves out whatever a program does
about an order.
"""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.postgres import newest_programs
from tests.support.servers import MissingServer

SEQUENCE = "bench_position"
_LINES = json.dumps([{"food_id": f"F{n}", "food_name": f"Dish {n}", "price": "12.50", "quantity": n} for n in (1, 2)])
_BODY = json.dumps({"id": "0" * 36, "type": "order.created", "orderId": "0" * 36, "data": json.loads(_LINES)})
_ORDER = f"""
    INSERT INTO orders (id, version, state, customer_id, restaurant_id, lines, delivery_fee, currency, payment_method,
        payment_status, created_at, updated_at)
    SELECT gen_random_uuid(), 1, 'waiting_for_shipper', 'C' || :customer, 'R' || :restaurant, '{_LINES}', 0, 'USD',
        'cash', 'pending', now(), now()"""
_EVENT = f"""
    INSERT INTO order_events (bucket, position, order_id, sequence, type, event_id, occurred_at, body, correlation_id,
        traceparent)
    SELECT 1, nextval('{SEQUENCE}'), gen_random_uuid(), 1, 'order.created', gen_random_uuid(), now(),
        convert_to('{_BODY}', 'UTF8'), gen_random_uuid(), ''"""


def script(folder: Path, *, rows: int) -> Path:
    """Write the transaction that inserts so many orders, each with its event."""
    many = f" FROM generate_series(1, {rows})" if rows > 1 else ""
    statements = "".join(f"{' '.join(it.split())}{many};\n" for it in (_ORDER, _EVENT))
    path = folder / f"insert-{rows}.sql"
    path.write_text(f"\\set customer random(1, 997)\n\\set restaurant random(1, 97)\nBEGIN;\n{statements}COMMIT;\n")
    return path


async def run(url: str, script: Path, *, clients: int, transactions: int) -> float:
    """Run so many transactions, of so many clients in turn. Return transactions a second. Raises MissingServer."""
    program = newest_programs() / "pgbench"
    if not program.exists():
        raise MissingServer("pgbench", [f"no {program}"], "Install it (Debian: apt-get install postgresql-contrib)")
    server = urlsplit(url)
    command = [
        str(program),
        "--no-vacuum",
        "--protocol=prepared",
        f"--client={clients}",
        f"--transactions={transactions // clients}",
        f"--file={script}",
        f"--host={server.hostname}",
        f"--port={server.port}",
        f"--username={server.username}",
        server.path.lstrip("/"),
    ]
    environment = {"PGPASSWORD": server.password or ""}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"pgbench: {done.stderr}")
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"pgbench printed no rate: {done.stdout}")
    return float(found[1])
