"""Kafka records that are not ours, although some nearly are."""

from typing import Any

from orderflow.adapters import wire
from orderflow.application.event_log.records import LogRecord


def hostile_records(like: LogRecord) -> list[dict[str, Any]]:
    """Records of which none can be ours, although some nearly are."""
    ours: Any = wire.headers(like, source="/orderflow")
    key, value = like.order_id.encode(), like.body
    changes: list[tuple[str, bytes | None]] = [
        ("bucket", b"40000"),
        ("bucket", b"9" * 18),
        ("bucket", str((like.bucket + 1) % 256).encode()),
        ("epoch", b"999999999999"),
        ("epoch", b"0"),
        ("sequence", b"9" * 18),
        ("correlation-id", b"\0"),
        ("traceparent", b"x" * 500_000),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_time", None),
        ("", b""),
    ]
    forged = [{"key": key, "value": value, "headers": [*ours, change]} for change in changes if change[0]]
    return [
        *forged,
        {"key": None, "value": None, "headers": None},
        {"key": b"\xff" * 1_000, "value": b"\0" * 900_000, "headers": [("", None)] * 1_000},
        {"key": b"k", "value": b"[" * 100_000, "headers": ours, "timestamp": 1},
        {"key": key, "value": None, "headers": ours},
    ]
