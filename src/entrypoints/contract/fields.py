"""Renders the schemas of both documents as Markdown tables conjunction fields."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minLength": "characters, at least",
    "maxLength": "characters, at most",
    "minItems": "items, at least",
    "maxItems": "items, at most",
}


def table(schema: Schema, schemas: Schemas) -> Iterator[str]:
    """Render a table with the fields of an object, line by line."""
    required = schema.get("required", ())
    yield "| field | | value |"
    yield "|---|---|---|"
    for name, field in schema.get("properties", {}).items():
        need = "" if name in required else "optional"
        yield f"| `{name}` | {need} | {escape_cell(describe(field, schemas))} |"


def describe(schema: Schema, schemas: Schemas) -> str:
    """Describe the values that ``schema`` allows, in a few words."""
    if "$ref" in schema:
        name = schema_name(schema)
        return one_of(schemas[name]) if "enum" in schemas[name] else link(name)
    for keyword, conjunction in (("oneOf", "or"), ("anyOf", "or"), ("allOf", "and")):
        if keyword in schema:
            return f" {conjunction} ".join(describe(each, schemas) for each in schema[keyword]) + _constraints(schema)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return one_of(schema) + _constraints(schema)
    if "items" in schema and not schema.get("prefixItems"):
        return f"list of {describe(schema['items'], schemas)}" + _constraints(schema)
    return _kind(schema) + _constraints(schema)


def one_of(schema: Schema) -> str:
    return ", ".join(f"`{value}`" for value in schema["enum"])


def schema_name(schema: Schema) -> str:
    """Return the name of the schema that is referred to."""
    return str(schema["$ref"]).rpartition("/")[2]


def link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def escape_cell(text: str) -> str:
    """Escape ``text`` for a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "anything")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    return " or ".join({"object": "JSON object", "null": "null"}.get(each, each) for each in kinds)


def _constraints(schema: Schema) -> str:
    """Describe the constraints of the schema: its title and description, or its bounds without one."""
    parts = [str(schema[name]) for name in ("title", "description") if schema.get(name)]
    if "description" not in schema:
        parts += [f"{text} {schema[bound]}" for bound, text in _BOUNDS.items() if bound in schema]
    return "".join(f"; {part}" for part in parts)
