"""The AsyncAPI document as a page."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.json import Encoder
from msgspec.json import format as formatted

from .fields import named, table, what

_encoder = Encoder(decimal_format="number")
_DAY_MS = 86_400_000


def events_page(document: Mapping[str, Any]) -> str:
    """Markdown: the topic, its headers, and each event with its fields and an example."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info, parts = document["info"], document["components"]
    yield "<!-- Made by `make contract`; changes belong to src/adapters/wire. -->"
    yield f"# {info['title'].partition(': ')[2].capitalize()}"
    yield ""
    yield f"Version {info['version']} of the contract, from [asyncapi.json](asyncapi.json) (AsyncAPI 3)."
    yield f"{info['description']}"
    yield ""
    yield "More about it: [the wire](../wire.md), [consumers in other languages](../consumers-elsewhere.md)."
    for channel in document["channels"].values():
        yield from _topic(channel, document.get("servers", {}))
    yield from _operations(document["operations"])
    yield from _headers(parts)
    yield from _envelope(parts)
    for message in parts["messages"].values():
        yield from _event(message, parts["schemas"])
    for name, schema in parts["schemas"].items():
        if schema.get("type") == "object" and name not in _events(parts) and name != "RecordHeaders":
            yield from _shape(name, schema, parts["schemas"])


def _topic(channel: Mapping[str, Any], servers: Mapping[str, Any]) -> Iterator[str]:
    kafka = channel["bindings"]["kafka"]
    kept = kafka["topicConfiguration"]["retention.ms"]
    yield from ("", "## The topic", "", "| | |", "|---|---|")
    yield f"| name | `{channel['address']}` |"
    for server in servers.values():
        yield f"| server | `{server['host']}` ({server['protocol']}) |"
    yield f"| partitions | {kafka['partitions']} |"
    yield f"| replicas | {kafka['replicas']} |"
    yield f"| kept | {'for ever' if kept == -1 else f'{kept / _DAY_MS:g} days'} |"
    yield "| key | the order's id |"
    yield "| value | JSON in UTF-8, one of the events below |"


def _operations(operations: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    for operation in operations.values():
        groups = operation.get("bindings", {}).get("kafka", {}).get("groupId", {}).get("enum", [])
        shown = f" ({', '.join(f'`{group}`' for group in groups)})" if groups else ""
        yield f"- *{operation['action']}*: {operation['summary']}{shown}"


def _headers(parts: Mapping[str, Any]) -> Iterator[str]:
    schema = parts["schemas"]["RecordHeaders"]
    yield from ("", "## Headers", "", schema["description"], "")
    yield from table(schema, parts["schemas"])


def _envelope(parts: Mapping[str, Any]) -> Iterator[str]:
    """What all events have; the type and its data are those of the sections that follow."""
    kinds = [message["name"] for message in parts["messages"].values()]
    shape = parts["schemas"][named(next(iter(parts["messages"].values()))["payload"])]
    properties = {**shape["properties"], "type": {"enum": kinds}, "data": {"type": "object", "title": "by type, below"}}
    yield from ("", "## The envelope", "", shape["description"], "")
    yield from table({**shape, "properties": properties}, parts["schemas"])


def _event(message: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    data = schemas[named(schemas[named(message["payload"])]["properties"]["data"])]
    yield from ("", f"## {message['name']}", "", message["summary"], "")
    yield from table(data, schemas)
    for example in message["examples"]:
        body = formatted(_encoder.encode(example["payload"]), indent=2).decode()
        yield from ("", "```json", body, "```")


def _shape(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"## {name}", "", schema.get("description") or what(schema, schemas), "")
    yield from table(schema, schemas)


def _events(parts: Mapping[str, Any]) -> set[str]:
    """The schemas that are shown with their event."""
    envelopes = {named(message["payload"]) for message in parts["messages"].values()}
    return envelopes | {named(parts["schemas"][name]["properties"]["data"]) for name in envelopes}
