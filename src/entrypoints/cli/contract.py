"""``orderflow contract``: the contracts of the topic and of the HTTP API."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from .session import session

app = App(name="contract")

Page = Annotated[bool, Parameter(negative=(), help="print Markdown instead")]


@app.command
def asyncapi(*, page: Page = False) -> None:
    """Print the contract of the topic as AsyncAPI 3 in JSON: its events, headers and settings."""
    from ..contract import events, events_page, to_json

    document = events(session().settings)
    sys.stdout.write(events_page(document) if page else to_json(document))


@app.command
def openapi(*, page: Page = False) -> None:
    """Print the HTTP API as OpenAPI 3.1 in JSON: every request, response and schema."""
    from ..contract import http, http_page, to_json

    document = http()
    sys.stdout.write(http_page(document) if page else to_json(document))
