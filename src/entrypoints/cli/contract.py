"""``orderflow contract``: what others may rely on, for their tools and for people."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from ..contract import events, events_page, http, http_page, to_json
from .session import session

app = App(name="contract", help="What others may rely on: the topic in AsyncAPI, the HTTP API in OpenAPI.")

Page = Annotated[bool, Parameter(negative=(), help="as a page in Markdown instead")]


@app.command
def asyncapi(*, page: Page = False) -> None:
    """The topic of this installation: its events, headers and settings, as AsyncAPI 3 in JSON."""
    document = events(session().settings)
    sys.stdout.write(events_page(document) if page else to_json(document))


@app.command
def openapi(*, page: Page = False) -> None:
    """The HTTP API: every request, answer and shape, as OpenAPI 3.1 in JSON."""
    document = http()
    sys.stdout.write(http_page(document) if page else to_json(document))
