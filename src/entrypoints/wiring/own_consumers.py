"""The installation's own consumers: their names, known from the settings alone, and their functions.

A consumer's module is imported when a process runs, redrives or replays it: not to show its lag or its dead letters.
"""

from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from ...application.consuming.consumer import Consumer
from ...application.consuming.declaring import Declaration, declaration_of
from ...application.consuming.handlers import HandlerConsumer
from ...domain.text import shown
from ..settings import BUILT_IN, CONSUMERS, Settings, consumer_name
from .parts import PartKind, load
from .storage_and_consumers import ShippedTransaction

CONSUMER = PartKind(
    setting="ORDERFLOW_CONSUMERS",
    what="consumer",
    port=None,
    group="orderflow.consumers",
    shipped=BUILT_IN,
    form="[NAME=]MODULE:FUNCTION, such as printer=shop.handlers:printer",
)


def own_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of the consumers of one's own that the settings list."""
    return tuple(consumer_name(listed) for listed in settings.consumers)


def consumer_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of the consumers that the installation runs in any case, the shipped ones first."""
    return (*CONSUMERS, *own_names(settings))


def known_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of all consumers that may run: those, and webhooks, which run once there is an endpoint."""
    return (*BUILT_IN, *own_names(settings))


def with_consumer(settings: Settings, named: str) -> tuple[Settings, str]:
    """Return the settings with the consumer that a command line names, and its name.

    ``named`` is the name of a consumer of the installation, or what ``ORDERFLOW_CONSUMERS`` may list. Without a name
    before it, ``MODULE:FUNCTION`` is called what its decorator says. Raises InvalidInput.
    """
    kind = evolve(CONSUMER, setting="consumer", shipped=known_names(settings))
    if named in kind.shipped:
        return settings, named
    for listed in settings.consumers:
        if named in (listed, listed.partition("=")[2]):
            return settings, consumer_name(listed)
    declared = _declared(kind, named.partition("=")[2] or named)
    listed = f"{declared.name}={named}" if ":" in named and "=" not in named and declared.name else named
    try:
        return evolve(settings, consumers=(*settings.consumers, listed)), consumer_name(listed)
    except ValueError as error:
        raise kind.refused(f"{shown(listed)}: {error}") from error


@frozen
class Consumers(Mapping[str, Consumer[ShippedTransaction]]):
    """All consumers by name. One of one's own is imported when it is asked for. Raises InvalidInput if it cannot be."""

    shipped: Mapping[str, Consumer[ShippedTransaction]]
    settings: Settings

    def __getitem__(self, name: str) -> Consumer[ShippedTransaction]:
        return self.shipped[name] if name in self.shipped else self.handler(name)[0]

    def __iter__(self) -> Iterator[str]:
        return iter((*self.shipped, *own_names(self.settings)))

    def __len__(self) -> int:
        return len(self.shipped) + len(self.settings.consumers)

    def handler(self, name: str) -> tuple[HandlerConsumer, Declaration]:
        """Return a consumer of one's own and its declaration. Raises KeyError for another name, InvalidInput."""
        listed = next((it for it in self.settings.consumers if consumer_name(it) == name), None)
        if listed is None:
            raise KeyError(name)
        declared = _declared(CONSUMER, listed.partition("=")[2] or listed)
        if declared.name and declared.name != name and "=" not in listed:
            raise CONSUMER.refused(f"{listed} is declared as {declared.name}: write {declared.name}={listed}")
        return HandlerConsumer(name, declared.types, declared.handler, declared.batch), declared


def _declared(kind: PartKind, path: str) -> Declaration:
    found = load(kind, path)
    if (declared := declaration_of(found)) is None:
        raise kind.refused(f"{path} is no consumer: decorate the function with @orderflow.consumer(...)")
    return declared
