"""Generates the JSON Schemas of the contract from the structs that read and write it."""

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any

from msgspec import Raw
from msgspec.json import schema_components

from ....domain.money import MAX_AMOUNT
from ..envelope import DATA, EnvelopeOf
from ..fields import Amount

Schema = dict[str, Any]
ENVELOPE = "envelope"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMESPACE = "urn:orderflow:wire:1.0"
_REF = "#/$defs/"


def schemas() -> dict[str, Schema]:
    """Return the schemas by name: ``envelope``, which includes the data of every type, and the data of each type.

    Each schema is self-contained and permits unknown fields. Rules that JSON Schema cannot express (a discount
    within its line's price, a total not below its lines) are checked by ``check_record`` only.
    """
    types = [EnvelopeOf[Raw], *DATA.values()]
    (envelope, *data), parts = schemas_of(types, _REF)
    by_type = dict(zip(DATA, (parts[_name(each)] for each in data), strict=True))
    result = {ENVELOPE: _envelope(parts.pop(_name(envelope)), dict(zip(DATA, data, strict=True)), parts)}
    for kind, schema in by_type.items():
        result[kind] = _document(kind, {**schema, "title": f"data of {kind}"}, parts)
    return result


def schemas_of(types: Sequence[type], prefix: str) -> tuple[list[Schema], dict[str, Schema]]:
    """Return references to the schemas of ``types``, and all schemas by name. References start with ``prefix``."""
    references, parts = schema_components(types, schema_hook=_amount, ref_template=prefix + "{name}")
    return list(references), {name: _published(part) for name, part in parts.items()}


def _envelope(schema: Schema, data: Mapping[str, Schema], parts: Mapping[str, Schema]) -> Schema:
    properties = {**schema["properties"], "type": {"enum": list(DATA)}, "data": {"type": "object"}}
    conditions = [
        {
            "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
            "then": {"properties": {"data": reference}},
        }
        for kind, reference in data.items()
    ]
    schema = {**schema, "title": "event of an order", "properties": properties, "allOf": conditions}
    return _document(ENVELOPE, schema, parts)


def _document(name: str, schema: Schema, parts: Mapping[str, Schema]) -> Schema:
    """Build a schema document from ``schema`` and the parts that it refers to."""
    needed = {part: parts[part] for part in sorted(_references(schema, parts))}
    return {"$schema": _DIALECT, "$id": f"{_NAMESPACE}:{name}", **schema, **({"$defs": needed} if needed else {})}


def _references(node: object, parts: Mapping[str, Schema]) -> set[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            name = _name(node)
            return {name} | _references(parts[name], parts)
        node = list(node.values())
    return set().union(*(_references(each, parts) for each in node)) if isinstance(node, list) else set()


def _published(node: Any) -> Any:
    r"""Convert patterns to the dialect of JSON Schema, which has ``$`` for the end of the text and no ``\Z``.

    Descriptions, which are docstrings, lose their indentation, as in Python 3.13.
    """
    if isinstance(node, dict):
        return {key: _description(value) if key == "description" else _published(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_published(each) for each in node]
    return node.removesuffix(r"\Z") + "$" if isinstance(node, str) and node.endswith(r"\Z") else node


def _description(value: Any) -> Any:
    return cleandoc(value) if isinstance(value, str) else _published(value)


def _amount(kind: type) -> Schema:
    if kind is Amount:
        return {"type": "number", "minimum": 0, "exclusiveMaximum": int(MAX_AMOUNT)}
    raise NotImplementedError


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).removeprefix(_REF)
