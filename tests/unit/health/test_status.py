"""The status of an installation: what flows between two looks, and the latest errors of all."""

from datetime import timedelta

import pytest
from attrs import evolve
from orderflow.application.backlog import Backlog
from orderflow.application.health.observation import Observation, ParkedOrder
from orderflow.application.health.processes import Failure, KnownProcess
from orderflow.application.health.status import ERRORS, Status, status_of
from orderflow.application.operator_note import OperatorNote
from orderflow.application.orders.payment_attempts import OutstandingPayments
from orderflow.application.rollout.rollout import RolloutState
from orderflow.entrypoints.cli.status_screen import screen
from rich.console import Console

from tests.unit.domain.actors import AT
from tests.unit.health.observations import HEALTHY, STREAM, known, lag, with_group


def status(observation: Observation, before: Observation | None = None) -> Status:
    return status_of(observation, before, version="0.1.0")


def on_a_terminal(status: Status) -> str:
    console = Console(width=180, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(screen(status))
    return shown.get()


def test_what_flows_is_what_moved_between_two_looks() -> None:
    later = evolve(
        HEALTHY,
        at=AT + timedelta(seconds=2),
        head=340,
        readers=[lag("relay", position=330), lag("analytics", position=300), lag("newcomer", position=7)],
    )

    now = status(later, HEALTHY)

    assert now.committed_per_second == 20
    assert now.readers is not None
    assert {it.reader: it.per_second for it in now.readers} == {"relay": 15, "analytics": 0, "newcomer": None}


def test_one_observation_has_no_rate() -> None:
    now = status(HEALTHY)

    assert now.committed_per_second is None
    assert [it.per_second for it in now.readers or ()] == [None] * 4


def test_kafkas_own_lag_is_shown_next_to_ours() -> None:
    observation = evolve(with_group("analytics", committed={0: 90, 1: 100}), waiting={"analytics": 3.0})
    observation = evolve(observation, readers=[lag("analytics", 12)])

    [reader] = status(observation).readers or ()

    assert (reader.events, reader.waiting, reader.members, reader.group_lag) == (12, 3.0, 1, 110)


def test_who_waits_for_nothing_has_waited_no_time() -> None:
    observation = evolve(HEALTHY, readers=[lag("analytics")], waiting={"analytics": 3.0})

    assert [it.waiting for it in status(observation).readers or ()] == [None]


def test_the_latest_errors_of_processes_and_parked_orders_come_first() -> None:
    processes = [failed(f"p{minute}", minute) for minute in range(ERRORS)]
    parked = ParkedOrder(consumer="analytics", order_id="o1", error="KeyError", at=AT + timedelta(minutes=2.5))

    errors = status(evolve(HEALTHY, processes=processes, latest=[parked])).errors

    assert [error.where for error in errors] == ["p4 on kitchen-1", "p3 on kitchen-1", "analytics", *errors_before()]
    assert errors[2].message == "order o1 is parked"


def errors_before() -> list[str]:
    return ["p2 on kitchen-1", "p1 on kitchen-1"]


def failed(part: str, minute: int) -> KnownProcess:
    failure = Failure(part=part, code="stream_unavailable", message="away", at=AT + timedelta(minutes=minute))
    it = known(part)
    return evolve(it, process=evolve(it.process, failure=failure))


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (HEALTHY, ["postgresql 17.2", "20.0 MB", "migration 0004, the newest", "20 of 200 connections", "3 brokers"]),
        (HEALTHY, ["order-events: 3 partitions, 3 copies", "300 events", "parked orders: none", "order-events-relay"]),
        (evolve(HEALTHY, parked={"analytics": 2}), ["parked orders: analytics 2"]),
        (
            evolve(HEALTHY, payments=OutstandingPayments(unsettled=2, oldest=AT, declined_refunds=1)),
            ["payments", "2 without an outcome, 1 refund declined"],
        ),
        (
            evolve(HEALTHY, notifications=Backlog(pending=3, oldest=AT - timedelta(minutes=20), failed=4)),
            ["messages", "3 pending, the oldest for 20 min", "4 failed"],
        ),
        (evolve(HEALTHY, processes=[]), ["no process is registered"]),
        (evolve(HEALTHY, processes=[known("relay", silent=7200.0)]), ["gone for 2.0 h"]),
        (
            evolve(HEALTHY, rollout=RolloutState(25, {"inventory": OperatorNote(by="a", reason="b", at=AT)})),
            ["25 %", "paused: inventory"],
        ),
        (evolve(HEALTHY, stream=None), ["not configured"]),
        (evolve(HEALTHY, stream=evolve(STREAM, topic=None)), ["no such topic"]),
        (
            evolve(HEALTHY, unanswered={"processes": "no answer in time"}, processes=None),
            ["processes: no answer in time"],
        ),
        (evolve(HEALTHY, processes=[failed("relay", 1)]), ["stream_unavailable", "away"]),
        (
            evolve(HEALTHY, readers=[lag("analytics", 5, held=7, paused=True)], waiting={"analytics": 90.0}),
            ["2 min", "7"],
        ),
    ],
)
def test_the_screen_shows(observation: Observation, words: list[str]) -> None:
    shown = on_a_terminal(status(observation))

    assert [word for word in words if word not in shown] == []
