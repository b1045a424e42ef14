"""TODO."""

from cyclopts import App

from .session import session

db = App(name="db", help="The database schema.")


@db.command
async def upgrade() -> None:
    """Make the schema, or bring it to the newest migration."""
    from ...adapters.sql import schema

    settings = session().settings
    await schema.upgrade(settings.database_url, pooled=settings.pooled)
    session().show({"schema": await _schema(), "newest": schema.newest()})


@db.command
async def current() -> None:
    """The schema's migration, and the newest there is."""
    from ...adapters.sql import schema

    session().show({"schema": await _schema(), "newest": schema.newest()})


async def _schema() -> str | None:
    from ...adapters.sql import schema

    settings = session().settings
    return await schema.current(settings.database_url, pooled=settings.pooled)
