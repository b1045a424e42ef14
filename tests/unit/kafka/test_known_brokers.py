"""A client is lost when its statistics show no broker that was configured or learned."""

import json

import pytest
from orderflow.adapters.kafka.known_brokers import KnownBrokers


def statistics(*sources: str) -> str:
    return json.dumps(
        {"name": "orderflow#consumer-1", "brokers": {str(n): {"source": s} for n, s in enumerate(sources)}}
    )


@pytest.mark.parametrize(
    ("sources", "lost"),
    [
        (("configured", "logical"), False),
        (("learned", "logical"), False),
        (("logical",), True),
        (("internal", "logical"), True),
        ((), True),
    ],
)
def test_a_client_without_an_address_to_connect_to_is_lost(sources: tuple[str, ...], lost: bool) -> None:
    brokers = KnownBrokers()

    brokers.note(statistics(*sources))

    assert brokers.lost is lost


def test_the_loss_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    brokers = KnownBrokers()

    for _ in range(3):
        brokers.note(statistics("logical"))

    assert [(record.message, vars(record)["client"]) for record in caplog.records] == [
        ("kafka client lost all brokers", "orderflow#consumer-1")
    ]


@pytest.mark.parametrize("unreadable", ["", "{", "[]", "{}", '{"name": "x"}', '{"name": "x", "brokers": {"b": {}}}'])
def test_statistics_that_cannot_be_read_change_nothing(unreadable: str) -> None:
    brokers = KnownBrokers()

    brokers.note(unreadable)

    assert not brokers.lost
