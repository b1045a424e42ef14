"""Declares functions as consumers: the decorators ``@consumer(...)`` and ``@flow.on(...)``, typed to its events."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar, get_args, overload

from attrs import frozen

from ...domain.errors import InvalidInput
from ...domain.events import OrderEvent
from ...domain.text import identifier, shown
from .handlers import Handler, check_handler, event_types

A = TypeVar("A", bound=OrderEvent)
B = TypeVar("B", bound=OrderEvent)
C = TypeVar("C", bound=OrderEvent)
R = TypeVar("R", bound=Awaitable[None] | None)
F = TypeVar("F", bound=Callable[..., Any])

Start = Literal["beginning", "now"]
"""The beginning of a consumer that has no cursors yet: the first event of the log, or after the last one."""
_ATTRIBUTE = "__orderflow_consumer__"


@frozen(kw_only=True)
class Declaration:
    """A function's declaration by a decorator; ``name`` is empty if it gives none."""

    handler: Handler
    types: frozenset[str]
    name: str = ""
    start: Start = "beginning"
    batch: bool = False


@frozen
class HandlerDecorator:
    """Declares a function as a consumer of events, and hands the declaration to ``declared``."""

    declared: Callable[[Declaration], None]

    @overload
    def __call__(
        self, type_: type[A], /, *, name: str | None = None, start: Start = "beginning", batch: Literal[False] = False
    ) -> Callable[[Callable[[A], R]], Callable[[A], R]]: ...

    @overload
    def __call__(
        self,
        type_: type[A],
        other: type[B],
        /,
        *,
        name: str | None = None,
        start: Start = "beginning",
        batch: Literal[False] = False,
    ) -> Callable[[Callable[[A | B], R]], Callable[[A | B], R]]: ...

    @overload
    def __call__(
        self,
        type_: type[A],
        other: type[B],
        third: type[C],
        /,
        *,
        name: str | None = None,
        start: Start = "beginning",
        batch: Literal[False] = False,
    ) -> Callable[[Callable[[A | B | C], R]], Callable[[A | B | C], R]]: ...

    @overload
    def __call__(
        self,
        *types: type[OrderEvent] | str,
        name: str | None = None,
        start: Start = "beginning",
        batch: Literal[False] = False,
    ) -> Callable[[Callable[[OrderEvent], R]], Callable[[OrderEvent], R]]: ...

    @overload
    def __call__(
        self, type_: type[A], /, *, name: str | None = None, start: Start = "beginning", batch: Literal[True]
    ) -> Callable[[Callable[[list[A]], R]], Callable[[list[A]], R]]: ...

    @overload
    def __call__(
        self,
        *types: type[OrderEvent] | str,
        name: str | None = None,
        start: Start = "beginning",
        batch: Literal[True],
    ) -> Callable[[Callable[[list[OrderEvent]], R]], Callable[[list[OrderEvent]], R]]: ...

    def __call__(
        self,
        *types: Any,
        name: str | None = None,
        start: Start = "beginning",
        batch: bool = False,
    ) -> Callable[[F], F]:
        """Return a decorator for the handler of events of ``types``: classes or names, by default all.

        The handler takes one event, or with ``batch`` a list of them. Raises InvalidInput for an unknown type, and for
        a function that cannot be called so.
        """
        named = event_types(*types)
        if start not in get_args(Start):
            raise InvalidInput("start", shown(start), ", ".join(get_args(Start)))
        if not isinstance(batch, bool):
            raise InvalidInput("batch", shown(batch), "True or False")
        reader = "" if name is None else identifier(name, field="name")

        def declare(handler: F) -> F:
            check_handler(handler)
            self.declared(Declaration(handler=handler, types=named, name=reader, start=start, batch=batch))
            return handler

        return declare


def _attach(declaration: Declaration) -> None:
    try:
        setattr(declaration.handler, _ATTRIBUTE, declaration)
    except AttributeError:
        problem = f"{shown(declaration.handler)} takes no attributes"
        raise InvalidInput("handler", problem, "a function of a module") from None


consumer = HandlerDecorator(_attach)
"""Declares a function of a module as a consumer, for ``orderflow consume MODULE:FUNCTION`` and the settings."""


def declaration_of(function: object) -> Declaration | None:
    """Return what ``@consumer(...)`` declared of ``function``; None if it did not."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else None
