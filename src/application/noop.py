"""The default of every optional callback."""


def noop(*_: object, **__: object) -> None:
    """Do nothing, whatever the arguments."""
