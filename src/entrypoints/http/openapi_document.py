"""The OpenAPI document without a server: what ``/openapi.json`` answers where callers bring bearer tokens."""

from typing import Any

from ..container import container_for
from ..settings import Settings
from . import create_app


def document() -> dict[str, Any]:
    """Nothing is opened for it. Raises NotConfigured without the extra ``http``."""
    container = container_for(Settings(database_url="memory://"))
    app = create_app(
        container.use_cases(),
        tokens=container.storage().tokens,
        checks={},
        trust_actor_header=False,
        analytics=container.effects().analytics,
    )
    from .openapi import finished

    return finished(app.openapi_schema.to_schema())
