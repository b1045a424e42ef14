"""``orderflow db``: the database schema."""

from cyclopts import App

from .session import session

app = App(name="db")


@app.command
async def upgrade() -> None:
    """Create the schema, or migrate it to the newest version."""
    from ...adapters.sql import schema

    settings = session().settings
    session().name_database(create=True, share=True)
    await schema.upgrade(settings.database_url, pooled=settings.pooled)
    session().show({"schema": await _schema(), "newest": schema.newest()})


@app.command
async def current() -> None:
    """Show the version of the schema, and the newest version."""
    session().name_database()
    from ...adapters.sql import schema

    session().show({"schema": await _schema(), "newest": schema.newest()})


async def _schema() -> str | None:
    from ...adapters.sql import schema

    settings = session().settings
    return await schema.current(settings.database_url, pooled=settings.pooled)
