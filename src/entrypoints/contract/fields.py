"""Renders the schemas of both documents as Markdown tables of fields."""

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
    """Render the lines of a table of the object's fields."""
    required = schema.get("required", ())
    yield "| field | | value |"
    yield "|---|---|---|"
    for name, field in schema.get("properties", {}).items():
        need = "" if name in required else "optional"
        yield f"| `{name}` | {need} | {cell(what(field, schemas))} |"


def what(schema: Schema, schemas: Schemas) -> str:
    """Describe the values that ``schema`` allows in a few words."""
    if "$ref" in schema:
        name = named(schema)
        return one_of(schemas[name]) if "enum" in schemas[name] else link(name)
    for word, of in (("oneOf", "or"), ("anyOf", "or"), ("allOf", "and")):
        if word in schema:
            return f" {of} ".join(what(each, schemas) for each in schema[word]) + _told(schema)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return one_of(schema) + _told(schema)
    if "items" in schema and not schema.get("prefixItems"):
        return f"list of {what(schema['items'], schemas)}" + _told(schema)
    return _kind(schema) + _told(schema)


def one_of(schema: Schema) -> str:
    return ", ".join(f"`{value}`" for value in schema["enum"])


def named(schema: Schema) -> str:
    """Return the name of the schema that is referred to."""
    return str(schema["$ref"]).rpartition("/")[2]


def link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def cell(text: str) -> str:
    """Escape ``text`` for a table cell."""
    return " ".join(text.replace("|", "\\|").split())


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "anything")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    return " or ".join({"object": "JSON object", "null": "null"}.get(each, each) for each in kinds)


def _told(schema: Schema) -> str:
    """Describe the constraints of the schema: its title and description, or its bounds without one."""
    words = [str(schema[name]) for name in ("title", "description") if schema.get(name)]
    if "description" not in schema:
        words += [f"{text} {schema[bound]}" for bound, text in _BOUNDS.items() if bound in schema]
    return "".join(f"; {word}" for word in words)
