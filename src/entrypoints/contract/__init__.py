"""The contracts of the topic (AsyncAPI) and of the HTTP API (OpenAPI), as documents and as Markdown pages."""

from .documents import events, http, to_json
from .events_page import events_page
from .http_page import http_page

__all__ = ["events", "events_page", "http", "http_page", "to_json"]
