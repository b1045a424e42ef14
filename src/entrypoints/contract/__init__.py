"""The two contracts as documents and as Markdown pages: the topic in AsyncAPI, the HTTP API in OpenAPI."""

from .documents import events, http, written
from .events_page import events_page
from .http_page import http_page

__all__ = ["events", "events_page", "http", "http_page", "written"]
