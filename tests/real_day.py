"""Simulates a day on a real PostgreSQL and Kafka, with the relay and the consumers as processes, and checks it.

``python -m tests.real_day FOLDER``; exits 1 if an order is unfinished, an event is not handled, or the check fails.
"""

import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.support.kafka import find_kafka
from tests.support.postgres import find_postgres
from tests.support.stack import production


def main(folder: Path) -> int:
    """Simulate the day in ``folder`` and return the exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="orderflow-day-") as logs,
        find_postgres() as postgres,
        find_kafka() as kafka,
    ):
        topic = "order-events"
        with production(Path(logs), postgres.create_database(), kafka.bootstrap_servers, topic) as stack:
            began = monotonic()
            report = stack.run("simulate", "run", str(folder), "--speed", "max", "--wait", "120", within=600)
            took = monotonic() - began
            checked = stack.run("check", "--wait", "60", within=240)
    figures, waiting = report["figures"], report["waiting"]
    print(f"{report['day']}: {figures['orders']} orders, {report['events']} events in {report['seconds']:.1f} s")
    print(f"whole command, until every event was handled: {took:.1f} s")
    print(f"delivered {figures['delivered']}, cancelled {figures['cancelled']}, unfinished {figures['unfinished']}")
    print(f"events still to handle: {waiting}")
    for comparison in checked["report"]["comparisons"]:
        print(f"{comparison['name']}: {comparison['compared']} {comparison['unit']}, {comparison['found']} differences")
    skipped = [comparison["name"] for comparison in checked["report"]["comparisons"] if comparison["skipped"]]
    clean = checked["clean"] and not skipped and not figures["unfinished"] and not any(waiting.values())
    print("the check is clean" if clean else f"the check FAILED; not compared: {skipped}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
