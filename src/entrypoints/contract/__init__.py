"""The contracts of the topic (AsyncAPI) and of the HTTP API (OpenAPI), as documents."""

from .documents import events, http, to_json

__all__ = ["events", "http", "to_json"]
