"""The OpenAPI document as a page."""

from collections.abc import Iterator, Mapping
from typing import Any

from .fields import cell, link, named, table, what

_PROBLEM = "application/problem+json"


def http_page(document: Mapping[str, Any]) -> str:
    """Markdown: each request with its parameters, body and answers, and each shape of JSON."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info, schemas = document["info"], document["components"]["schemas"]
    yield "<!-- Made by `make contract`; changes belong to src/entrypoints/http. -->"
    yield f"# {info['summary']} over HTTP"
    yield ""
    yield f"{info['title']} {info['version']}, from [openapi.json](openapi.json) (OpenAPI {document['openapi']})."
    yield info["description"]
    yield ""
    yield "How it is used: [orders over HTTP](../http.md). A running server shows this as a page to try it, at `/docs`."
    for name, scheme in document["components"]["securitySchemes"].items():
        yield ""
        yield f"*{name}*: {scheme.get('scheme') or scheme.get('name')}, {scheme['description']}"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation(f"{method.upper()} {path}", operation, schemas)
    yield from ("", "## Shapes")
    for name, schema in sorted(schemas.items()):
        yield from ("", f"### {name}")
        if says := schema.get("description"):
            yield from ("", cell(says))
        if schema.get("properties"):
            yield from ("", *table(schema, schemas))


def _operation(name: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"## {name}", "", f"{operation['summary']}. {cell(operation.get('description', ''))}".strip())
    parameters = operation.get("parameters", ())
    if parameters:
        yield from ("", "| parameter | in | what |", "|---|---|---|")
    for given in parameters:
        said = [what(given["schema"], schemas), given.get("description", ""), "required" if given["required"] else ""]
        yield f"| `{given['name']}` | {given['in']} | {cell('; '.join(word for word in said if word))} |"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield from ("", f"Body: {what(body['schema'], schemas)} as `{kind}`.")
    yield from ("", "| answer | | |", "|---|---|---|")
    for status, answer in sorted(operation["responses"].items()):
        yield f"| {status} | {cell(answer.get('description', ''))} | {_shown(answer, schemas)} |"


def _shown(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    shapes = [
        link(named(content["schema"])) if "$ref" in content.get("schema", {}) else f"`{kind}`"
        for kind, content in answer.get("content", {}).items()
    ]
    headers = [f"`{name}`" for name in answer.get("headers", {}) if name != "X-Correlation-ID"]
    return ", ".join([*shapes, *headers])
