"""The JSON Schemas of the package agree with the code."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from orderflow.adapters import wire
from orderflow.adapters.wire.contract import write_schemas as schema
from orderflow.domain.events import OrderEvent

from tests.wire import ORDER_CREATED, ORDER_STATE_CHANGED
from tests.wire.any_event import events

SCHEMAS = wire.schemas()
ENVELOPE = Draft202012Validator(SCHEMAS["envelope"])


def with_value(path: str, value: object) -> object:
    """Return the sample of a created order with another value at ``path``."""
    said = json.loads(ORDER_CREATED)
    *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    inner = said
    for step in way:
        inner = inner[step]
    inner[last] = value
    return said


def test_the_files_agree_with_the_structs() -> None:
    shipped = {path.name: path.read_text(encoding="utf-8") for path in schema.FOLDER.iterdir()}

    made = schema.texts()

    assert shipped == made


def test_the_command_writes_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "FOLDER", tmp_path / "schemas")

    schema.main()

    assert {path.name for path in (tmp_path / "schemas").iterdir()} == set(schema.texts())


def test_the_command_runs_without_a_warning() -> None:
    command = [sys.executable, "-W", "error", "-c", f"import runpy; runpy.run_module({schema.__name__!r})"]

    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_valid_and_has_its_id(name: str) -> None:
    one = SCHEMAS[name]

    Draft202012Validator.check_schema(one)

    assert one["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert one["$id"] == f"urn:orderflow:wire:1.0:{name}"


@pytest.mark.parametrize("sample", [ORDER_CREATED, ORDER_STATE_CHANGED], ids=["created", "state changed"])
def test_the_published_samples_conform_to_the_schema(sample: bytes) -> None:
    said = json.loads(sample)

    errors = [*ENVELOPE.iter_errors(said), *Draft202012Validator(SCHEMAS[said["type"]]).iter_errors(said["data"])]

    assert errors == []


@given(events())
def test_every_encoded_event_conforms_to_the_schema(event: OrderEvent) -> None:
    said = json.loads(wire.encode(event), parse_float=Decimal)

    errors = [*ENVELOPE.iter_errors(said), *Draft202012Validator(SCHEMAS[event.type]).iter_errors(said["data"])]

    assert errors == []


@pytest.mark.parametrize("path", ["mood", "data/mood", "data/orderDetails/0/mood"])
def test_unknown_fields_are_permitted(path: str) -> None:
    said = with_value(path, "good")

    errors = list(ENVELOPE.iter_errors(said))

    assert errors == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", "two words"),
        ("orderId", ""),
        ("userId", None),
        ("type", "order.eaten"),
        ("version", "2.0"),
        ("occurredAt", "yesterday"),
        ("data", []),
        ("data", {}),
        ("data/totalPrice", "25.50"),
        ("data/totalPrice", -1),
        ("data/totalPrice", 10**12),
        ("data/currency", "euro"),
        ("data/orderDetails", []),
        ("data/orderDetails/0/quantity", 0),
        ("data/orderDetails/0/quantity", 1000),
        ("data/orderDetails/0/foodName", ""),
        ("data/orderDetails/0/foodName", "a\x00b"),
        ("data/createdAt", "2024-01-01T12:00:00"),
    ],
)
def test_the_schema_refuses_what_the_code_refuses(path: str, value: object) -> None:
    said = with_value(path, value)

    errors = list(ENVELOPE.iter_errors(said))

    assert errors
    assert wire.check_record(json.dumps(said).encode())
