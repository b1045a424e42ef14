"""The topic as an AsyncAPI 3 document, generated from the structs of the wire format and the samples."""

from collections.abc import Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any

from attrs import frozen

from ....application.event_log.records import LogRecord, bucket_of
from ..codec import read_envelope
from ..envelope import DATA, EnvelopeOf
from ..fields import decoder
from ..headers import ADDRESS, headers
from .header_schema import RecordHeaders
from .json_schema import Schema, schemas_of

SAMPLES = Path(__file__).parents[1] / "samples"
"""One event of each type. Those of order.created and order.state_changed are the two published samples."""
SEQUENCES = {
    "order.created": 1,
    "order.shipper_assigned": 2,
    "order.state_changed": 3,
    "order.payment_processed": 4,
    "order.cancelled": 2,
    "order.delivered": 6,
}
"""The sequence number of each sample within its order."""
CORRELATION = "5f0f5a4a-6d4e-7b1c-8a55-6f1f5a0e9c11"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_SCHEMAS = "#/components/schemas/"
_KAFKA = "0.5.0"
_DESCRIPTION = (
    "Every change of an order is one record. All events of an order are in one partition, in the order in which they "
    "happened; `sequence` numbers them. A consumer with `isolation.level=read_committed` sees each event once. Fields "
    "and headers may be added at any time, so consumers ignore those that they do not know. Changing or removing a "
    "field requires a new `version`."
)
_decoder = decoder(dict[str, Any])


@frozen(kw_only=True)
class Topic:
    """The topic of one installation, according to its settings. ``servers`` are host:port and may be empty.

    ``retention_ms`` is -1 if events are kept for ever. ``source`` is the ce_source of the events, ``groups`` are the
    consumer groups of the built-in consumers. ``protocol`` is kafka or kafka-secure. ``direct`` means that no relay
    writes the topic: its records have no address, and the built-in consumers do not read it.
    """

    name: str
    partitions: int
    replication: int
    retention_ms: int
    source: str
    groups: Sequence[str]
    servers: Sequence[str] = ()
    protocol: str = "kafka"
    direct: bool = False


def asyncapi(topic: Topic) -> dict[str, Any]:
    """Build the document. Amounts in its examples are Decimals with the exact digits of the samples."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:orderflow:events",
        "info": {
            "title": "orderflow: the events of orders",
            "version": "1.0",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        **({"servers": _servers(topic)} if topic.servers else {}),
        "channels": {"orderEvents": _channel(topic)},
        "operations": _operations(topic),
        "components": _components(topic),
    }


def _operations(topic: Topic) -> dict[str, Any]:
    events = {
        "channel": {"$ref": "#/channels/orderEvents"},
        "messages": [{"$ref": f"#/channels/orderEvents/messages/{_camel(kind)}"} for kind in DATA],
    }
    guarantee = "after the commit; an event is lost if Kafka fails" if topic.direct else "exactly once and in order"
    operations = {"publishOrderEvents": {"action": "send", "summary": f"Every event, {guarantee}.", **events}}
    if not topic.direct:
        groups = {"groupId": {"type": "string", "enum": list(topic.groups)}, "bindingVersion": _KAFKA}
        operations["handleOrderEvents"] = {
            "action": "receive",
            "summary": "The built-in consumers, each with its own consumer group. Yours is another group.",
            **events,
            "bindings": {"kafka": groups},
        }
    return operations


def _servers(topic: Topic) -> dict[str, Any]:
    return {
        f"kafka{number}": {"host": host, "protocol": topic.protocol, "bindings": {"kafka": {"bindingVersion": _KAFKA}}}
        for number, host in enumerate(topic.servers, start=1)
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "title": topic.name,
        "description": "All events of all orders. The key is the order's id. There are no tombstones.",
        "messages": {_camel(kind): {"$ref": f"#/components/messages/{_camel(kind)}"} for kind in DATA},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms},
                "bindingVersion": _KAFKA,
            }
        },
    }


def _components(topic: Topic) -> dict[str, Any]:
    envelopes = [EnvelopeOf[data] for data in DATA.values()]  # type: ignore[valid-type]
    _, parts = schemas_of([RecordHeaders, *envelopes, *DATA.values()], _SCHEMAS)
    names = {f"EnvelopeOf_{data.__name__}_": kind for kind, data in DATA.items()}
    schemas = {_camel(names[name]) if name in names else name: schema for name, schema in parts.items()}
    for kind in DATA:
        schemas[_camel(kind)] = _envelope_of_type(schemas[_camel(kind)], kind)
    if topic.direct:
        schemas["RecordHeaders"] = _without_address(schemas["RecordHeaders"])
    return {
        "messages": {_camel(kind): _message(topic, kind, getdoc(data) or "") for kind, data in DATA.items()},
        "messageTraits": {"record": _record(parts["RecordHeaders"]["properties"]["ce_subject"])},
        "correlationIds": {
            "request": {
                "description": "identifies the request that caused the event; chosen by its caller or by orderflow",
                "location": "$message.header#/correlation-id",
            }
        },
        "schemas": dict(sorted(schemas.items())),
    }


def _envelope_of_type(schema: Schema, kind: str) -> Schema:
    """Return the schema of the envelope of one type."""
    properties = {**schema["properties"], "type": {"type": "string", "const": kind}}
    return {**schema, "title": f"event {kind}", "properties": properties}


def _without_address(schema: Schema) -> Schema:
    properties = {name: header for name, header in schema["properties"].items() if name not in ADDRESS}
    return {
        **schema,
        "properties": properties,
        "required": [name for name in schema["required"] if name not in ADDRESS],
    }


def _record(key: Schema) -> dict[str, Any]:
    return {
        "contentType": "application/json",
        "headers": {"$ref": f"{_SCHEMAS}RecordHeaders"},
        "correlationId": {"$ref": "#/components/correlationIds/request"},
        "bindings": {
            "kafka": {
                "key": {**key, "title": "the order's id"},
                "bindingVersion": _KAFKA,
            }
        },
    }


def _message(topic: Topic, kind: str, summary: str) -> dict[str, Any]:
    body = (SAMPLES / f"{kind}.json").read_bytes()
    return {
        "name": kind,
        "title": kind,
        "summary": summary,
        "payload": {"$ref": _SCHEMAS + _camel(kind)},
        "traits": [{"$ref": "#/components/messageTraits/record"}],
        "examples": [
            {
                "name": kind,
                "headers": _headers(topic, kind, body),
                "payload": _decoder.decode(body),
            }
        ],
    }


def _headers(topic: Topic, kind: str, body: bytes) -> dict[str, str]:
    event = read_envelope(body)
    record = LogRecord(
        bucket=bucket_of(event.order_id),
        position=SEQUENCES[kind],
        order_id=event.order_id,
        sequence=SEQUENCES[kind],
        type=kind,
        event_id=event.id,
        occurred_at=event.occurred_at,
        body=body,
        correlation_id=CORRELATION,
        traceparent=TRACE,
    )
    omitted = ADDRESS if topic.direct else ()
    return {name: value.decode() for name, value in headers(record, source=topic.source) if name not in omitted}


def _camel(kind: str) -> str:
    """Convert a type to a component name: ``order.state_changed`` to ``orderStateChanged``."""
    first, *more = kind.replace(".", "_").split("_")
    return first + "".join(word.capitalize() for word in more)
