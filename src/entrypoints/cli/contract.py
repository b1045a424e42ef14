"""``orderflow contract``: the contracts of the topic and of the HTTP API."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from .output import write_json
from .session import session

app = App(name="contract")

Page = Annotated[bool, Parameter(negative=(), help="print Markdown instead")]


@app.command
def asyncapi(*, page: Page = False) -> None:
    """Print the contract of the topic as AsyncAPI 3 in JSON: its events, headers and settings."""
    from ..contract import events, events_page, to_json

    document = events(session().settings)
    _show(events_page(document) if page else to_json(document), page=page)


@app.command
def openapi(*, page: Page = False) -> None:
    """Print the HTTP API as OpenAPI 3.1 in JSON: every request, response and schema."""
    from ..contract import http, http_page, to_json

    document = http()
    _show(http_page(document) if page else to_json(document), page=page)


def _show(text: str, *, page: bool) -> None:
    if page:
        sys.stdout.write(text)
    else:
        write_json(text.rstrip("\n"))
