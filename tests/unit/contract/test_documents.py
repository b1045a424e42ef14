"""The published documents agree with the code and conform to their standards."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import from_regex, one_of, sampled_from, text
from jsonschema import Draft7Validator, Draft202012Validator
from orderflow import Settings
from orderflow.adapters import wire
from orderflow.adapters.wire.contract.asyncapi import SAMPLES
from orderflow.adapters.wire.envelope import DATA
from orderflow.adapters.wire.headers import header_problems
from orderflow.entrypoints.contract import events, to_json

from tests.support.commands import CommandLine
from tests.support.published import NpmPackage
from tests.support.servers import obtain
from tests.wire import ORDER_CREATED, ORDER_STATE_CHANGED

PUBLISHED = Path(__file__).parents[3] / "docs" / "contract"
SPECIFICATION = NpmPackage(
    "@asyncapi/specs",
    "6.11.1",
    "A3WBLqAKGoJ2+6FWFtpjBlCQ1oFCcs4GxF7zsIGvNqp/klGUHjlA3aAcZ9XMMpLGE8zPeYDz2x9FmO6DSuKraQ==",
)
ASYNCAPI = events(Settings())
OPENAPI = json.loads((PUBLISHED / "openapi.json").read_text(encoding="utf-8"))
"""The documents that :func:`test_the_committed_files_are_those_that_the_command_prints` holds to the code."""
MESSAGES = {message["name"]: message for message in ASYNCAPI["components"]["messages"].values()}


def floats(document: dict[str, Any]) -> dict[str, Any]:
    """Read the document with floats, as an ordinary JSON reader does."""
    read: dict[str, Any] = json.loads(to_json(document))
    return read


@pytest.fixture(scope="module")
def asyncapi_schema() -> Draft7Validator:
    """Return the schema that AsyncAPI publishes for its documents."""
    return Draft7Validator(json.loads((obtain(SPECIFICATION.folder) / "schemas" / "3.0.0.json").read_text()))


@pytest.mark.parametrize(
    "document",
    ["asyncapi", "openapi"],
)
def test_the_committed_files_are_those_that_the_command_prints(document: str) -> None:
    committed = (PUBLISHED / f"{document}.json").read_text(encoding="utf-8")

    printed = CommandLine("memory://")("contract", document)

    assert printed.code == 0, printed
    assert printed.out == committed, f"docs/contract/{document}.json is out of date, run: make contract"


def test_the_document_of_the_topic_is_asyncapi_3(asyncapi_schema: Draft7Validator) -> None:
    errors = [f"{error.json_path}: {error.message}" for error in asyncapi_schema.iter_errors(floats(ASYNCAPI))]

    assert errors == []


def test_an_invalid_asyncapi_document_is_recognized(asyncapi_schema: Draft7Validator) -> None:
    wrong = floats(ASYNCAPI)
    wrong["channels"]["orderEvents"]["bindings"]["kafka"]["partitions"] = "three"

    assert not asyncapi_schema.is_valid(wrong)


def test_the_document_of_the_http_api_is_openapi_3_1() -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # 0.1 s, which not every process is to pay

    errors = [f"{list(error.path)}: {error.message}" for error in OpenAPIV31SpecValidator(OPENAPI).iter_errors()]

    assert errors == []
    assert OPENAPI["openapi"].startswith("3.1")


@pytest.mark.parametrize("document", [ASYNCAPI, OPENAPI], ids=["asyncapi", "openapi"])
def test_every_reference_can_be_resolved(document: dict[str, Any]) -> None:
    for reference in references(document):
        committed: Any = document
        for step in reference.removeprefix("#/").split("/"):
            committed = committed[step]
        assert committed, reference


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


def test_the_two_published_samples_are_included_unchanged() -> None:
    for kind, published in (("order.created", ORDER_CREATED), ("order.state_changed", ORDER_STATE_CHANGED)):
        (example,) = MESSAGES[kind]["examples"]

        assert (SAMPLES / f"{kind}.json").read_bytes() == published
        assert example["payload"] == json.loads(published, parse_float=Decimal)
    text = to_json(ASYNCAPI)
    assert '"totalPrice": 25.50,' in text
    assert '"price": 12.50,' in text


@pytest.mark.parametrize("kind", DATA)
def test_each_example_is_an_event_that_its_own_schemas_and_the_reader_accept(kind: str) -> None:
    (example,) = MESSAGES[kind]["examples"]

    assert schema(MESSAGES[kind]["payload"]).is_valid(json.loads(to_json(example["payload"])))
    assert schema({"$ref": "#/components/schemas/RecordHeaders"}).is_valid(example["headers"])
    sent = [(name, value.encode()) for name, value in example["headers"].items()]
    body = (SAMPLES / f"{kind}.json").read_bytes()
    assert wire.check_record(body, key=example["payload"]["orderId"].encode(), headers=sent) == []


def test_each_message_accepts_only_its_own_type() -> None:
    samples = {kind: json.loads((SAMPLES / f"{kind}.json").read_text()) for kind in DATA}

    for kind, message in MESSAGES.items():
        accepted_types = {other for other, sample in samples.items() if schema(message["payload"]).is_valid(sample)}

        assert accepted_types == {kind}


def schema(reference: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**reference, "components": floats(ASYNCAPI)["components"]})


HEADERS = MESSAGES["order.created"]["examples"][0]["headers"]
ANY_HEADER = schema({"$ref": "#/components/schemas/RecordHeaders"})


@given(
    name=sampled_from(sorted(HEADERS)),
    value=one_of(
        text(),
        from_regex(r"[0-9]{1,19}", fullmatch=True),
        sampled_from(["", "0", "1.0", "order.created", "application/json", "2024-01-01T12:00:00Z", "2024-01-01", " "]),
    ),
)
def test_the_schema_of_headers_accepts_what_the_reader_accepts(name: str, value: str) -> None:
    changed = {**HEADERS, name: value}

    problems = header_problems([(each, header.encode("utf-8", "surrogatepass")) for each, header in changed.items()])

    accepted = not any(problem.path == f"headers/{name}" for problem in problems)
    assert ANY_HEADER.is_valid(changed) == accepted or (name == "ce_time" and not accepted), (changed, problems)


def test_exactly_the_mandatory_headers_are_required() -> None:
    component = ASYNCAPI["components"]["schemas"]["RecordHeaders"]

    needed = {problem.path.removeprefix("headers/") for problem in header_problems([])}

    assert set(component["required"]) == needed
    assert set(component["properties"]) - needed == {"correlation-id", "epoch", "traceparent"}


def test_the_document_describes_the_topic_of_the_installation() -> None:
    settings = Settings(
        topic="bistro-events",
        topic_partitions=12,
        topic_replication=3,
        topic_retention_hours=24,
        kafka_bootstrap_servers="k1:9093, k2:9093",
        kafka={"security.protocol": "SASL_SSL"},
    )

    document = events(settings)

    channel = document["channels"]["orderEvents"]
    kafka = channel["bindings"]["kafka"]
    assert (channel["address"], kafka["topic"], kafka["partitions"], kafka["replicas"]) == (
        "bistro-events",
        "bistro-events",
        12,
        3,
    )
    assert kafka["topicConfiguration"]["retention.ms"] == 86_400_000
    assert [(each["host"], each["protocol"]) for each in document["servers"].values()] == [
        ("k1:9093", "kafka-secure"),
        ("k2:9093", "kafka-secure"),
    ]
    assert "bistro-events-analytics" in to_json(document)


def test_a_topic_that_is_published_directly_has_no_addresses_and_no_built_in_consumers(
    asyncapi_schema: Draft7Validator,
) -> None:
    document = events(Settings(publishing="direct"))

    component = document["components"]["schemas"]["RecordHeaders"]
    assert not {"bucket", "position"} & (set(component["properties"]) | set(component["required"]))
    assert all(
        set(message["examples"][0]["headers"]) == set(component["properties"])
        for message in document["components"]["messages"].values()
    )
    assert list(document["operations"]) == ["publishOrderEvents"]
    assert asyncapi_schema.is_valid(floats(document))


def test_the_page_of_the_topic_shows_every_schema() -> None:
    page = (PUBLISHED / "topic.md").read_text(encoding="utf-8")

    shown = re.findall(r"^\.\. jsonschema:: asyncapi\.json#/components/schemas/(\w+)$", page, re.MULTILINE)

    assert sorted(shown) == sorted(ASYNCAPI["components"]["schemas"])
