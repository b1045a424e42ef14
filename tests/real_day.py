"""Lives a whole day on a real PostgreSQL and a real Kafka, with relay and consumers as processes, and checks it.

``python -m tests.real_day FOLDER``; exits 1 when an order did not end, something waits, or the check finds anything.
"""

import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.support.kafka import find_kafka
from tests.support.postgres import find_postgres
from tests.support.stack import production


def live(folder: Path) -> int:
    """Live the day in ``folder``; the exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="orderflow-day-") as logs,
        find_postgres() as postgres,
        find_kafka() as kafka,
    ):
        topic = "order-events"
        with production(Path(logs), postgres.create_database(), kafka.bootstrap_servers, topic) as stack:
            began = monotonic()
            lived = stack.run("replay", str(folder), "--speed", "max", "--wait", "120", within=600)
            took = monotonic() - began
            checked = stack.run("check", "--wait", "60", within=240)
    figures, waiting = lived["figures"], lived["waiting"]
    print(f"{lived['day']}: {figures['orders']} orders, {lived['events']} events, lived in {lived['seconds']:.1f} s")
    print(f"from the command to its end, with everything handled: {took:.1f} s")
    print(f"delivered {figures['delivered']}, cancelled {figures['cancelled']}, unfinished {figures['unfinished']}")
    print(f"events still to handle: {waiting}")
    for comparison in checked["report"]["comparisons"]:
        print(f"{comparison['name']}: {comparison['compared']} {comparison['unit']}, {comparison['found']} differences")
    skipped = [comparison["name"] for comparison in checked["report"]["comparisons"] if comparison["skipped"]]
    clean = checked["clean"] and not skipped and not figures["unfinished"] and not any(waiting.values())
    print("the day is accounted for" if clean else f"the day is NOT accounted for; not compared: {skipped}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(live(Path(sys.argv[1])))
