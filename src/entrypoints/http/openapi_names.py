"""Names for the schemas of the OpenAPI document that would have none, which generated clients would invent."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...application.orders.queries import OrderSort
from ...application.webhooks.delivery import DeliveryStatus
from ...domain.annotations import MAX_PAIRS
from ...domain.currency import MINOR_UNITS
from ...domain.lifecycle import OrderState
from ...domain.payment import PaymentMethod, PaymentStatus
from ...domain.refund import RefundBearer

REFERENCE = "#/components/schemas/"

VALUES: Mapping[str, tuple[list[str], str]] = {
    "OrderState": ([*OrderState], "The state of an order."),
    "RequestedState": ([*OrderState, "cancel"], "A state; `cancel` is another name of `cancelled`."),
    "PaymentMethod": ([*PaymentMethod], "How an order is paid."),
    "RequestedPaymentMethod": ([*PaymentMethod, "card"], "A payment method; `card` is a `credit_card`."),
    "PaymentStatus": ([*PaymentStatus], "What became of the payment."),
    "OrderSort": ([*OrderSort], "The order of a page."),
    "RefundBearer": ([*RefundBearer], "The party that bears the cost of a refund."),
    "DeliveryStatus": ([*DeliveryStatus], "What became of the delivery of an event to a webhook endpoint."),
    "Currency": ([*MINOR_UNITS], "A currency of ISO 4217."),
}
"""The values that have a name, and what they are."""

STORED: Mapping[str, Mapping[str, str]] = {
    "OrderView": {"state": "OrderState", "paymentMethod": "PaymentMethod", "paymentStatus": "PaymentStatus"},
    "PastOrderView": {"state": "OrderState", "paymentStatus": "PaymentStatus"},
    "StateView": {"state": "OrderState"},
}
"""The fields of responses that have one of these values. Currencies of old orders may be others."""

EVENT: Mapping[str, Any] = {
    "title": "Event",
    "description": "An event as it is on the topic; `data` depends on its type.",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "type": {"type": "string"},
        "orderId": {"type": "string"},
        "userId": {"type": "string"},
        "data": {"$ref": f"{REFERENCE}EventData"},
        "occurredAt": {"type": "string", "format": "date-time"},
        "version": {"type": "string"},
    },
    "required": ["data", "id", "occurredAt", "orderId", "type", "version"],
}
EVENT_DATA: Mapping[str, Any] = {
    "title": "EventData",
    "description": "What the type of the event says; see the document of the topic.",
    "type": "object",
    "additionalProperties": {},
}
METADATA: Mapping[str, Any] = {
    "title": "Metadata",
    "description": "Pairs for the caller's own use: keys of 1 to 40 characters, values of 0 to 200.",
    "type": "object",
    "maxProperties": MAX_PAIRS,
    "additionalProperties": {"type": "string"},
}
HEALTH: Mapping[str, Any] = {
    "title": "Health",
    "description": "The result of each check, by its name.",
    "type": "object",
    "additionalProperties": {},
}
TEXTS = {"text/event-stream": "server-sent events", "text/csv": "a line of names, and a line for each row"}
"""Descriptions of responses that are texts, by their type."""


def name_schemas(document: dict[str, Any]) -> None:
    """Give each object and list of values in ``document`` a name: one for all places, or that of its place."""
    schemas = document["components"]["schemas"]
    for schema in _schemas(document):
        for name, (values, _) in VALUES.items():
            if schema.get("enum") == values:
                for key in ("enum", "type"):
                    schema.pop(key, None)
                schema["$ref"] = REFERENCE + name
    for body in ("PlaceOrder", "BatchOrder", "OrderView"):
        _name_metadata(schemas[body]["properties"]["metadata"])
    for view in STORED.keys() & schemas.keys():  # an application may lack a feature
        for field, name in STORED[view].items():
            schemas[view]["properties"][field] = {"$ref": REFERENCE + name}
    for name, (values, description) in VALUES.items():
        schemas[name] = {"title": name, "description": description, "type": "string", "enum": values}
    for named in (EVENT, EVENT_DATA, HEALTH, METADATA):
        schemas[named["title"]] = dict(named)
    schemas["EventView"]["properties"]["event"] = {"$ref": REFERENCE + "Event"}
    for path in ("/livez", "/readyz"):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        content["application/json"]["schema"] = {"$ref": REFERENCE + "Health"}
    for schema in _schemas(document["paths"]):
        for media_type in TEXTS.keys() & schema.keys():
            schema[media_type] = {"schema": {"type": "string", "description": TEXTS[media_type]}}
    _name_the_rest(document)


def _name_the_rest(document: dict[str, Any]) -> None:
    """Name each object and list of values that is left after the place where it is."""
    schemas = document["components"]["schemas"]
    for name, schema in [*schemas.items()]:
        for field, value in schema.get("properties", {}).items():
            _name(schemas, name + _upper(field), value)
    for path in document["paths"].values():
        for operation in path.values():
            name = _upper(operation["operationId"])
            for parameter in operation.get("parameters", ()):
                _name(schemas, name + _upper(parameter["name"]), parameter["schema"])
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    _name(schemas, f"{name}Response", content.get("schema", {}))


def _name(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    """Move ``schema``, or the one that may be null, to ``schemas`` if it has values or fields of its own."""
    for inline in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "enum" in inline or inline.get("type") == "object":
            moved = {key: inline.pop(key) for key in [*inline] if key not in ("description", "examples")}
            schemas[name] = {"title": name, **moved}
            inline["$ref"] = REFERENCE + name


def _upper(name: str) -> str:
    return name[0].upper() + name[1:]


def _name_metadata(field: dict[str, Any]) -> None:
    for schema in [*_schemas(field)]:
        if schema.get("type") == "object":
            for key in ("type", "maxProperties", "additionalProperties"):
                schema.pop(key, None)
            schema["$ref"] = REFERENCE + "Metadata"


def _schemas(part: object) -> Iterator[dict[str, Any]]:
    """Return every object of the document, from the inside out."""
    if isinstance(part, dict):
        for value in part.values():
            yield from _schemas(value)
        yield part
    elif isinstance(part, list):
        for value in part:
            yield from _schemas(value)
