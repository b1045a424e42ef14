"""Alembic's way in. ``schema.upgrade`` hands over a connection that is already in its transaction."""

from alembic import context


def run() -> None:
    """Run the steps that alembic chose on the connection that was handed over."""
    context.configure(connection=context.config.attributes["connection"], render_as_batch=False)
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this file under this name; an import as a module of the package does nothing.
if __name__ == "env_py":
    run()
