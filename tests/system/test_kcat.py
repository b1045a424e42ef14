"""The topic as others read it: with kcat, and with a program that knows only the envelope."""

import json
import re
import subprocess
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.kafka import KafkaBroker
from tests.support.servers import obtain, program
from tests.support.stack import Stack

ORDERS = 12
BUCKETS = 256
TYPES: Mapping[str, set[str]] = {
    "order.created": {"restaurantId", "totalPrice", "orderDetails", "createdAt"},
    "order.state_changed": {"oldState", "newState", "updatedBy", "changedAt"},
    "order.payment_processed": {"paymentStatus", "paymentMethod", "amount", "success", "processedAt"},
    "order.shipper_assigned": {"shipperId", "assignedBy", "assignedAt"},
    "order.cancelled": {"reason", "cancelledBy", "cancelledAt"},
    "order.delivered": {"shipperId", "deliveryTime", "deliveredAt"},
}
"""The fields that the data of each type has at least."""
ENVELOPE = ["id", "type", "orderId", "userId", "data", "occurredAt", "version"]
HEADERS = {
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_time",
    "content-type",
    "bucket",
    "position",
    "sequence",
    "epoch",
}
READER = Path(__file__).with_name("read_envelopes.js")


@frozen
class Line:
    """One line of kcat: key, headers and the JSON as it stands there."""

    key: str
    headers: Mapping[str, str]
    value: str

    @classmethod
    def parse(cls, line: str) -> "Line":
        found = re.fullmatch(r"(\S+) (\S+) (\{.*\})", line)
        assert found, f"kcat shows no plain key, headers and JSON: {line!r}"
        key, headers, value = found.groups()
        return cls(key, dict(header.split("=", 1) for header in headers.split(",")), value)

    @property
    def envelope(self) -> Mapping[str, object]:
        parsed: Mapping[str, object] = json.loads(self.value, parse_float=Decimal)
        return parsed


def installed(name: str, package: str) -> str:
    """The path of that program, else a skip that names it; a failure where everything is required."""
    return obtain(lambda: program(name, remedy=f"Debian's package {package} has it"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaBroker) -> Iterator[Stack]:
    """A small day on a topic of its own, brought there by a relay."""
    folder = tmp_path_factory.mktemp("kcat")
    stack = Stack(folder, f"sqlite:///{folder}/orderflow.db", kafka.bootstrap_servers, f"kcat-{uuid.uuid4().hex[:12]}")
    stack.command_line.json("topics", "create")
    stack.command_line.json("simulate", "generate", str(folder / "day"), "--orders", str(ORDERS), "--seed", "4")
    stack.start("relay")
    try:
        stack.command_line.json("simulate", "run", str(folder / "day"), "--consumers")
        yield stack
    finally:
        stack.processes["relay"].stop()


def kcat(stack: Stack, *arguments: str) -> str:
    """All committed records of the topic, as kcat shows them."""
    asked = ("-C", "-q", "-b", stack.bootstrap_servers, "-t", stack.topic, "-X", "isolation.level=read_committed", "-e")
    done = subprocess.run(
        (installed("kcat", "kcat"), *asked, *arguments), capture_output=True, timeout=300, check=True, text=True
    )
    return done.stdout


def dense(numbers: Sequence[int]) -> bool:
    """Return whether the numbers are 1, 2, 3 ... in this order."""
    return list(numbers) == list(range(1, len(numbers) + 1))


def test_kcat_shows_plain_keys_headers_and_the_envelope_each_event_once_and_in_order(published: Stack) -> None:
    lines = [Line.parse(line) for line in kcat(published, "-f", "%k %h %s\n").splitlines()]

    sequences, positions = defaultdict(list), defaultdict(list)
    for line in lines:
        event, headers = line.envelope, line.headers
        data = event["data"]
        assert list(event) == ENVELOPE
        assert isinstance(data, dict)
        assert data.keys() >= TYPES[str(event["type"])]
        assert event["version"] == "1.0"
        assert str(event["occurredAt"]).endswith("Z")
        assert headers.keys() >= HEADERS
        assert headers.keys() - HEADERS <= {"correlation-id", "traceparent"}
        assert line.key == event["orderId"] == headers["ce_subject"]
        assert (headers["ce_id"], headers["ce_type"]) == (event["id"], event["type"])
        assert (headers["ce_specversion"], headers["content-type"]) == ("1.0", "application/json")
        sequences[line.key].append(int(headers["sequence"]))
        positions[int(headers["bucket"])].append(int(headers["position"]))
    assert len(sequences) == ORDERS
    assert all(map(dense, sequences.values()))
    assert all(map(dense, positions.values()))
    assert set(positions) <= set(range(BUCKETS))
    assert len({line.envelope["id"] for line in lines}) == len(lines)
    created = next(line for line in lines if line.envelope["type"] == "order.created")
    assert re.search(r'"totalPrice":\d+\.\d\d[,}]', created.value), "money stays a plain number with its cents"


def test_a_reader_in_another_language_that_knows_only_the_envelope_finds_every_event_once_and_in_order(
    published: Stack,
) -> None:
    records = kcat(published, "-J")

    read = subprocess.run(
        (installed("node", "nodejs"), str(READER)),
        input=records,
        capture_output=True,
        timeout=300,
        check=False,
        text=True,
    )

    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout) == {"orders": ORDERS, "events": len(records.splitlines()), "faults": 0}


def test_the_reader_in_another_language_sees_what_is_missing_twice_or_out_of_order(published: Stack) -> None:
    records = kcat(published, "-J").splitlines()
    damaged = {
        "missing": records[1:],
        "twice": [*records, records[0]],
        "out of order": records[::-1],
    }

    for damage, lines in damaged.items():
        read = subprocess.run(
            (installed("node", "nodejs"), str(READER)),
            input="\n".join(lines),
            capture_output=True,
            timeout=300,
            check=False,
            text=True,
        )
        assert read.returncode == 1, damage
