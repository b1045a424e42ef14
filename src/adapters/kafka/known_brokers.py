"""Notices that a client of librdkafka has no broker left to connect to."""

import logging

import msgspec
from attrs import define, field

_ADDRESSED = frozenset({"configured", "learned"})
"""The sources of brokers that have an address of their own. That of a group's coordinator, for one, has none."""


class _Broker(msgspec.Struct):
    source: str


class _Statistics(msgspec.Struct):
    """The fields that are used; msgspec skips the rest."""

    name: str
    brokers: dict[str, _Broker]


logger = logging.getLogger("orderflow.kafka")
_decode = msgspec.json.Decoder(_Statistics).decode


@define(eq=False)
class KnownBrokers:
    """Notes from the statistics of one client whether it still knows a broker to connect to.

    librdkafka forgets the brokers that a metadata response omits. A cluster whose only brokers start or stop may omit
    all of them, and then a client may never connect again (https://github.com/confluentinc/librdkafka/issues/5301).
    It must be replaced by a new one.
    """

    lost: bool = field(default=False, init=False)

    def note(self, statistics: str) -> None:
        """Read librdkafka's JSON. What cannot be read is logged, and changes nothing."""
        try:
            decoded = _decode(statistics)
        except msgspec.DecodeError as error:  # a callback of librdkafka's must not raise
            logger.warning("statistics not understood", extra={"problem": str(error)})
            return
        lost = not any(each.source in _ADDRESSED for each in decoded.brokers.values())
        if lost and not self.lost:
            logger.warning("kafka client lost all brokers", extra={"client": decoded.name})
        self.lost = lost
