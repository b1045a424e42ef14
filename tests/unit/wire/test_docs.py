"""docs/wire.md agrees with the code."""

import re
from pathlib import Path

import pytest
from orderflow.adapters import wire
from orderflow.adapters.wire.envelope import DATA

from tests.wire.any_event import cancelled

PAGE = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^### (\S+)\n.*?```json\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE))


def test_the_page_shows_every_type() -> None:
    shown = set(EXAMPLES)

    types = set(DATA)

    assert shown == types


@pytest.mark.parametrize("kind", EXAMPLES)
def test_each_example_is_an_event_with_every_field(kind: str) -> None:
    body = EXAMPLES[kind].encode()

    problems = wire.check_record(body)

    assert problems == []
    envelope = wire.read_envelope(body)
    assert envelope.type == kind
    assert all(f'"{name}":' in EXAMPLES[kind] for name in wire.schemas()[kind]["properties"])


def test_the_page_names_every_header() -> None:
    record = wire.record(cancelled(shipper_id=None), bucket=0, position=1, correlation_id="c", traceparent="t")

    names = [name for name, _ in wire.headers(record, source="/orderflow")]

    assert [name for name in names if f"`{name}`" not in PAGE] == []
