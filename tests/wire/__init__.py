"""The published sample events and strategies for events, for the tests of the wire format."""

from pathlib import Path

SAMPLES = Path(__file__).parent
ORDER_CREATED = (SAMPLES / "order_created.json").read_bytes()
ORDER_STATE_CHANGED = (SAMPLES / "order_state_changed.json").read_bytes()
