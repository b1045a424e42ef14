"""The faults and their times, made from a seed: the same for the same seed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from random import Random

from attrs import frozen

from .proxy import Way


class Kind(StrEnum):
    """Each as the report names it."""

    API_KILLED = "API killed"
    RELAY_KILLED = "relay killed"
    CONSUMER_KILLED = "consumer killed"
    RELAY_STOPPED = "relay stopped past its session and its transaction"
    CONSUMER_STOPPED = "consumer stopped past its session"
    LEADER_KILLED = "broker killed: a partition's leader"
    CONTROLLER_KILLED = "broker killed: the controller"
    BROKER_KILLED = "broker killed: any"
    BROKER_PAUSED = "broker paused"
    POSTGRES_KILLED = "PostgreSQL stopped at once"
    BACKEND_TERMINATED = "backend terminated"
    API_POSTGRES = "link API - PostgreSQL"
    RELAY_POSTGRES = "link relay - PostgreSQL"
    RELAY_KAFKA = "link relay - Kafka"
    CONSUMER_KAFKA = "link consumer - Kafka"
    COMMIT_SWALLOWED = "COMMIT without its acknowledgement"
    TRANSACTION_HELD = "write transaction held"
    RETRIES = "concurrent retries of one request"
    REBALANCE = "rebalance forced"
    RECEIVER_KILLED = "webhook receiver killed"


DEMANDED: Mapping[Kind, int] = {
    Kind.API_KILLED: 10,
    Kind.RELAY_KILLED: 10,
    Kind.CONSUMER_KILLED: 10,
    Kind.RELAY_STOPPED: 6,
    Kind.CONSUMER_STOPPED: 3,
    Kind.LEADER_KILLED: 2,
    Kind.CONTROLLER_KILLED: 2,
    Kind.BROKER_KILLED: 1,
    Kind.BROKER_PAUSED: 2,
    Kind.POSTGRES_KILLED: 3,
    Kind.BACKEND_TERMINATED: 20,
    Kind.API_POSTGRES: 3,
    Kind.RELAY_POSTGRES: 3,
    Kind.RELAY_KAFKA: 3,
    Kind.CONSUMER_KAFKA: 3,
    Kind.COMMIT_SWALLOWED: 10,
    Kind.TRANSACTION_HELD: 2,
    Kind.RETRIES: 1,
    Kind.REBALANCE: 6,
    Kind.RECEIVER_KILLED: 3,
}
"""The number of each in the large campaign."""

LANES: Sequence[Mapping[Kind, float]] = (
    {Kind.API_KILLED: 6.0, Kind.API_POSTGRES: 8.0, Kind.RETRIES: 4.0},
    {Kind.RELAY_KILLED: 6.0, Kind.RELAY_STOPPED: 14.0, Kind.RELAY_POSTGRES: 8.0, Kind.RELAY_KAFKA: 8.0},
    {Kind.CONSUMER_KILLED: 6.0, Kind.CONSUMER_STOPPED: 10.0, Kind.CONSUMER_KAFKA: 8.0, Kind.REBALANCE: 5.0},
    {Kind.LEADER_KILLED: 18.0, Kind.CONTROLLER_KILLED: 18.0, Kind.BROKER_KILLED: 18.0, Kind.BROKER_PAUSED: 14.0},
    {Kind.POSTGRES_KILLED: 6.0, Kind.BACKEND_TERMINATED: 0.5, Kind.COMMIT_SWALLOWED: 2.0},
    {Kind.TRANSACTION_HELD: 31.0},
    {Kind.RECEIVER_KILLED: 20.0},
)
"""Faults of one lane come one after the other, and each about so many seconds after the last; lanes do not wait."""


@frozen
class Fault:
    """``at`` is in seconds from the beginning. ``which`` picks among several; ``way`` is None where a link is cut."""

    at: float
    kind: Kind
    which: int
    way: Way | None


def timetable(seed: int, seconds: float, wanted: Mapping[Kind, int] = DEMANDED) -> Sequence[Sequence[Fault]]:
    """The faults of each lane, in order, spread over so many ``seconds``.

    Raises ValueError when a lane's faults take longer than that.
    """
    chance = Random(f"timetable {seed}")
    return [_lane(lane, chance, seconds, wanted) for lane in LANES]


def counted(lanes: Sequence[Sequence[Fault]]) -> Counter[Kind]:
    return Counter(fault.kind for lane in lanes for fault in lane)


def _lane(lane: Mapping[Kind, float], chance: Random, seconds: float, wanted: Mapping[Kind, int]) -> Sequence[Fault]:
    kinds = [kind for kind in lane for _ in range(wanted.get(kind, 0))]
    ways = {kind: chance.sample([None, Way.UP, Way.DOWN], 3) for kind in lane}
    chance.shuffle(kinds)
    taken = sum(lane[kind] for kind in kinds)
    if taken > seconds:
        raise ValueError(f"{', '.join(lane)} take {taken:g} s, and there are {seconds:g}")
    starts = sorted(chance.uniform(0, seconds - taken) for _ in kinds)
    faults: list[Fault] = []
    seen: Counter[Kind] = Counter()
    before = 0.0
    for kind, start in zip(kinds, starts, strict=True):
        way = ways[kind][seen[kind] % 3]
        faults.append(Fault(start + before, kind, chance.randrange(1 << 16), way))
        seen[kind] += 1
        before += lane[kind]
    return faults
