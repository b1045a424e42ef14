"""Completes the OpenAPI document that Litestar generates from the handlers."""

from copy import deepcopy
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from attrs import NOTHING, fields, frozen
from litestar import Request, Router
from litestar.datastructures import ResponseHeader
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, Schema, SecurityScheme, Server, Tag
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import OpenAPISchemaPlugin
from litestar.plugins.attrs import AttrsSchemaPlugin
from litestar.typing import FieldDefinition
from msgspec.json import schema_components

from ...adapters.wire.fields import Amount
from ...domain.errors import RefusedLine
from .auth import ACTOR_HEADER
from .bodies import BODIES
from .body_fields import IDENTIFIER
from .errors import title_of
from .openapi_names import name_schemas
from .price_bodies import PRICE_BODIES
from .problems import MEDIA_TYPE
from .views import camel, render
from .webhook_bodies import WEBHOOK_BODIES

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

PATH = "/openapi.json"
NDJSON = "application/x-ndjson"
"""JSON documents, one a line: https://github.com/ndjson/ndjson-spec."""
CSV = "text/csv"
BATCH = "/v1/orders:batch"

ORDER_EXAMPLE = {
    "userId": "C1",
    "restaurantId": "R7",
    "orderDetails": [{"foodId": "F1", "foodName": "Pizza Margherita", "price": 12.5, "quantity": 2}],
    "totalPrice": 28,
    "currency": "USD",
    "paymentMethod": "cash",
    "address": {"street": "Main Street 1", "city": "Springfield", "postalCode": "12345", "note": "second floor"},
    "customerName": "Ann Smith",
    "customerPhone": "+1 212 555 0100",
    "note": "no onions",
    "metadata": {"table": "12"},
}
"""The body of a new order."""

ORDER_VIEW_EXAMPLE = {
    "orderId": "O-2024-1",
    "version": 3,
    "state": "preparing",
    "userId": "C1",
    "restaurantId": "R7",
    "shipperId": "S3",
    "orderDetails": [{"foodId": "F1", "foodName": "Pizza Margherita", "price": 12.5, "quantity": 2, "discount": 0}],
    "totalPrice": 28,
    "deliveryFee": 3,
    "currency": "USD",
    "paymentMethod": "cash",
    "paymentStatus": "pending",
    "refundable": 0,
    "refundRequested": 0,
    "refundDeclined": 0,
    "refunded": 0,
    "address": {"street": "Main Street 1", "city": "Springfield", "postalCode": "12345", "note": "second floor"},
    "customerName": "Ann Smith",
    "customerPhone": "+1 212 555 0100",
    "note": "no onions",
    "metadata": {"table": "12"},
    "createdAt": "2024-01-01T12:00:00Z",
    "updatedAt": "2024-01-01T12:04:00Z",
    "estimatedAt": None,
    "deliveredAt": None,
    "deliveryMinutes": None,
    "cancelReason": None,
    "cancelledBy": None,
    "allowedActions": [{"name": "cancelled", "needs": ["reason"]}],
}
"""The same order, a little later, as returned to its customer."""


def _header(name: str, description: str) -> ResponseHeader:
    return ResponseHeader(name=name, description=description, documentation_only=True, value="")


ETAG = _header("ETag", "the order's version, for If-Match and If-None-Match")
LIST_ETAG = _header("ETag", "the version of the restaurant's price list, for If-Match and If-None-Match")
LOCATION = _header("Location", "the URL of the order")
REPLAYED = _header("Idempotent-Replayed", "true if this is the stored response to an earlier request with this key")
CORRELATION = _header("X-Correlation-ID", "the caller's id or a new one, for everything that the request caused")


@frozen(kw_only=True)
class ErrorDetail:
    """One problem of the input and its location: a JSON pointer into the body, a parameter or a header."""

    problem: str
    allowed: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


@frozen(kw_only=True)
class Problem:
    """The reason why a request was refused (RFC 9457). ``code`` is stable. ``errors`` are problems of the input.

    If the order refuses a command, ``guard`` is the condition that failed, ``unlock`` is what would fulfil it, and
    ``allowed`` are the next states from ``state``. If a new order is not as the price list has it, ``lines`` are the
    lines that differ, with what the list has now. If the
    customer has to confirm a payment, ``clientSecret`` is for the provider's program and ``confirmationUrl`` is where;
    either may be empty.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: tuple[ErrorDetail, ...] = ()
    client_secret: str | None = None
    confirmation_url: str | None = None
    action: str | None = None
    state: str | None = None
    allowed: tuple[str, ...] | None = None
    guard: str | None = None
    unlock: str | None = None
    lines: tuple[RefusedLine, ...] | None = None


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Document the problems with these statuses. A caller who is authenticated is also limited in number."""
    statuses = (*statuses, 429) if 401 in statuses else statuses
    return {
        status: ResponseSpec(Problem, generate_examples=False, description=title_of(status), media_type=MEDIA_TYPE)
        for status in sorted(statuses)
    }


NOT_MODIFIED = {304: ResponseSpec(None, generate_examples=False, description="Not Modified")}


class CamelViews(AttrsSchemaPlugin):
    """Generates the schemas of views, in camelCase."""

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: "SchemaCreator") -> Schema:
        hints = field_definition.get_type_hints(include_extras=True, resolve_generics=True)
        attributes = fields(field_definition.annotation)
        return schema_creator.create_component_schema(
            field_definition,
            required=sorted(camel(field.name) for field in attributes if field.default is NOTHING),
            property_fields={
                camel(field.name): FieldDefinition.from_kwarg(hints[field.name], camel(field.name))
                for field in attributes
            },
        )


class ExactNumbers(OpenAPISchemaPlugin):
    """Generates the schema of amounts, which are JSON numbers."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        return field_definition.annotation is Decimal

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: "SchemaCreator") -> Schema:
        return Schema(type=OpenAPIType.NUMBER)


class DocumentRenderer(JsonRenderPlugin):
    """Renders the completed document."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return render(complete(openapi_schema))


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Replace the schemas of bodies by those of msgspec, and those of parameters by ones without null."""
    document = deepcopy(document)
    _, bodies = schema_components(
        (*BODIES, *PRICE_BODIES, *WEBHOOK_BODIES), schema_hook=_number, ref_template="#/components/schemas/{name}"
    )
    schemas = document["components"]["schemas"]
    schemas.update(bodies)
    for body in bodies.values():  # generated clients take a field with a default for one that is always sent
        for field in body.get("properties", {}).values():
            field.pop("default", None)
    schemas["ReplacePrices"]["properties"]["prices"]["items"] = {"$ref": "#/components/schemas/ItemPriceBody"}
    schemas["PlaceOrder"]["examples"] = [ORDER_EXAMPLE]
    schemas["BatchOrder"]["examples"] = [{**ORDER_EXAMPLE, "idempotencyKey": "2024-1"}]
    schemas["OrderView"]["examples"] = [ORDER_VIEW_EXAMPLE]
    _describe_batch(document["paths"][BATCH]["post"])
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _parameter(parameter)
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():  # an OrderView is a PastOrderView, too
                    if shapes := content.get("schema", {}).pop("oneOf", None):
                        content["schema"]["anyOf"] = shapes
                if headers := response.get("headers"):  # their order in Litestar is random
                    response["headers"] = dict(sorted(headers.items()))
    name_schemas(document)
    return document


def _describe_batch(operation: dict[str, Any]) -> None:
    """Add the two forms of a batch: a JSON array, and one document a line."""
    order = {"$ref": "#/components/schemas/BatchOrder"}
    array = {"type": "array", "items": order, "minItems": 1, "maxItems": 1_000}
    lines = {"type": "string", "description": "one order a line; empty lines are ignored"}
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": array}, NDJSON: {"schema": lines}},
    }
    operation["responses"]["200"]["content"][NDJSON] = {
        "schema": {"type": "string", "description": "one OrderResult a line"}
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which may be absent but not null."""
    if parameter["in"] == "path":
        return {"type": "string", "pattern": IDENTIFIER}
    schema = parameter["schema"]
    constraints = {name: value for name, value in schema.items() if name not in ("oneOf", "description")}
    return {**schema.get("oneOf", [{}])[0], **constraints}


def _number(kind: type) -> dict[str, Any]:
    if kind is Amount:
        return {"type": "number"}
    raise NotImplementedError


def openapi_config(router: Router, *, trust_actor_header: bool) -> OpenAPIConfig:
    schemes: dict[str, Any] = {
        "token": SecurityScheme(
            type="http", scheme="bearer", description="created by: orderflow tokens make --role ROLE --id ID"
        )
    }
    if trust_actor_header:
        schemes["actor"] = SecurityScheme(
            type="apiKey",
            name=ACTOR_HEADER,
            security_scheme_in="header",
            description="role:id, such as admin:me; in development mode only",
        )
    return OpenAPIConfig(
        title="orderflow",
        version=version("orderflow-service"),
        summary="Orders of a food delivery service",
        description=(
            "Amounts are exact decimals in the order's currency, times are UTC. Every write of an order takes an "
            "`Idempotency-Key`, and every change an `If-Match`. Errors are problem documents (RFC 9457) with a "
            "stable `code`."
        ),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        servers=[Server(url="/")],
        tags=[Tag(name=name) for name in ("orders", "prices", "analytics", "webhooks", "operations", "health")],
        openapi_router=router,
        render_plugins=[DocumentRenderer(path="/")],
        use_handler_docstrings=True,
        components=Components(security_schemes=schemes),
        security=[{name: []} for name in schemes],
    )
