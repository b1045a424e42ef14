"""``/metrics`` of real processes agrees with what they did, on a real PostgreSQL and a real Kafka."""

from collections.abc import Iterator, Mapping

import pytest
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.telemetry.metrics.catalogue import CATALOGUE, Kind, Metric
from orderflow.adapters.telemetry.metrics.labels import OTHER
from orderflow.application.event_log.records import bucket_of

from tests.support.kafka import KafkaBroker
from tests.support.metrics import Samples
from tests.support.postgres import PostgresServer
from tests.system.telemetry.life import (
    API,
    COMMANDS,
    CONSUMERS,
    DELIVERED,
    HELD,
    NOTIFIED,
    PARKED,
    RELAY,
    SHORT,
    Life,
    lived,
)

MOVED_ELSEWHERE = {
    catalogue.BROKER_ERRORS: "tests/unit/telemetry/test_instrumented.py",  # no error is made here
    catalogue.BATCH_REFUSALS: "tests/unit/orders/test_batching.py",  # nor so many callers
    **dict.fromkeys(
        (
            catalogue.PAYMENTS_UNSETTLED,
            catalogue.PAYMENTS_UNSETTLED_AGE,
            catalogue.REFUNDS_DECLINED,
            catalogue.AUTHORIZATIONS_HELD,
            catalogue.NOTIFICATIONS_PENDING,
            catalogue.NOTIFICATIONS_PENDING_AGE,
            catalogue.NOTIFICATIONS_FAILED,
            catalogue.WEBHOOKS_UNSETTLED,
            catalogue.WEBHOOKS_UNSETTLED_AGE,
            catalogue.WEBHOOKS_FAILED,
            catalogue.WEBHOOK_ENDPOINTS,
        ),
        "tests/integration/health/test_undelivered.py",
    ),
    catalogue.HTTP_CERTIFICATE_EXPIRES: "tests/system/test_api_by_tls.py",  # nor TLS
    catalogue.HTTP_CERTIFICATE_UNUSABLE: "tests/integration/http/test_tls.py",
    catalogue.OIDC_READS: "tests/system/test_oidc_of_processes.py",  # nor a provider
    catalogue.WEBHOOK_SECONDS: "tests/unit/webhooks/test_instrumented.py",  # nor an endpoint
    catalogue.HTTP_REFUSALS: "tests/doors/http/test_caller_limits.py",  # nor a flood
}


@pytest.fixture(scope="module")
def life(postgres: PostgresServer, kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with lived(tmp_path_factory.mktemp("life"), postgres, kafka, "a-watched-life") as life:
        yield life


def test_commands_are_counted_by_how_they_ended(life: Life) -> None:
    seen = life.end[API]

    assert seen.by(catalogue.COMMANDS, "outcome", command="create_order") == {"ok": 5}
    assert seen.by(catalogue.COMMANDS, "outcome", command="transition_order_state") == {
        "ok": 4,
        "illegal_transition": 1,
    }
    assert seen.by(catalogue.COMMANDS, "outcome", command="cancel_order") == {"ok": 2}
    assert seen.total(catalogue.COMMAND_SECONDS, "_count") == 12
    assert seen.by(catalogue.COMMIT_SECONDS, "outcome", "_count") == {"ok": 11}


def test_requests_are_counted_by_the_template_of_their_route(life: Life) -> None:
    seen = life.end[API].by(catalogue.HTTP_SECONDS, "route", "_count")

    assert seen["/v1/orders"] == 5
    assert seen["/v1/orders/{order_id}/cancel"] == 2
    assert seen["/v1/orders/{order_id}/state"] == 5
    assert seen["unmatched"] == 1
    refused = life.end[API].total(catalogue.HTTP_SECONDS, "_count", route="/v1/orders/{order_id}/state", status="409")
    assert refused == 1


def test_without_a_relay_events_wait_and_their_age_grows(life: Life) -> None:
    seen = life.unpublished

    assert seen.total(catalogue.LOG_WAITING) == seen.total(catalogue.LOG_EVENTS) > 0
    assert seen.total(catalogue.LOG_WAITING_AGE) > 0


def test_a_transaction_that_is_given_up_is_counted_by_its_error(life: Life) -> None:
    seen = life.refused

    assert seen.by(catalogue.TRANSACTION_ERRORS, "error").keys() == {"MSG_SIZE_TOO_LARGE"}
    assert seen.by(catalogue.SENT_MESSAGES, "outcome").keys() == {"failed"}


def test_the_relay_has_sent_every_event_of_the_log(life: Life) -> None:
    seen = life.end[RELAY]

    assert seen.by(catalogue.SENT_MESSAGES, "type", via="relay", outcome="ok") == life.log
    assert seen.total(catalogue.SEND_BATCH, "_sum") == sum(life.log.values())
    assert seen.total(catalogue.SEND_SECONDS, "_count") == seen.total(catalogue.SEND_BATCH, "_count") > 0
    assert life.end[API].total(catalogue.LOG_EVENTS) == sum(life.log.values())


def test_a_paused_consumer_has_a_lag_in_events_and_in_seconds(life: Life) -> None:
    events = life.paused.total(catalogue.LOG_EVENTS)

    assert life.paused.by(catalogue.PAUSED, "consumer") == {"analytics": 1}
    assert life.paused.total(catalogue.LAG, consumer="analytics") == events
    assert life.paused.total(catalogue.LAG_SECONDS, consumer="analytics") > 0
    assert life.end[API].total(catalogue.LAG) == life.end[API].total(catalogue.LAG_SECONDS) == 0


def test_what_the_share_does_not_reach_is_held_and_does_not_wait(life: Life) -> None:
    assert life.held.total(catalogue.LOG_HELD) == 1
    assert life.held.total(catalogue.LOG_WAITING) == 0
    assert life.end[API].total(catalogue.LOG_HELD) == 0


def test_each_consumer_has_handled_every_event_once(life: Life) -> None:
    seen = life.end[CONSUMERS]

    assert seen.by(catalogue.PROCESSED, "type", consumer="inventory", outcome="ok") == life.log
    assert seen.total(catalogue.CONSUMED, consumer="inventory", outcome="handled") == sum(life.log.values())
    assert seen.total(catalogue.PROCESS_SECONDS, "_count", consumer="inventory") > 0


def test_what_cannot_be_handled_is_counted_and_parked(life: Life) -> None:
    seen = life.end[CONSUMERS]

    assert seen.by(catalogue.PROCESSED, "outcome", consumer="analytics")["failed"] == 3
    assert (
        seen.total(catalogue.CONSUMED, consumer="analytics", outcome="parked") == seen.total(catalogue.DEAD_LETTERS) > 0
    )
    assert seen.by(catalogue.PARKED, "consumer") == {"analytics": 1}
    assert seen.by(catalogue.FOREIGN, "consumer") == {"analytics": 1, "inventory": 1, "notifications": 1}


def test_business_is_what_the_orders_came_to(life: Life) -> None:
    seen = life.end[CONSUMERS]

    assert seen.total(catalogue.CREATED) == 5
    assert seen.by(catalogue.REVENUE, "currency") == {"EUR": 25.0, "USD": 20 * 12.5 + 2 * 12.5}
    assert seen.by(catalogue.REVENUE_LOST, "currency") == {"EUR": 25.0}
    assert seen.by(catalogue.ENDED, "state") == {"cancelled": 2, "delivered": 1}
    assert seen.by(catalogue.CANCELLATIONS, "reason") == {"other": 1, "out_of_stock": 1}
    assert seen.total(catalogue.DELIVERY, "_count") == 1
    assert seen.by(catalogue.PROCESSING, "state", "_count") == {"cancelled": 2, "delivered": 1}
    assert seen.by(catalogue.IN_STATE, "state", "_count") == {"on_the_way": 1, "preparing": 1, "waiting_for_shipper": 3}


def test_open_orders_are_exposed_by_state_with_the_one_that_waits_longest(life: Life) -> None:
    seen = life.end[API]

    assert seen.by(catalogue.ORDERS, "state") == {"preparing": 1, "waiting_for_shipper": 1}
    assert seen.by(catalogue.ORDERS_OLDEST, "state").keys() == {"preparing", "waiting_for_shipper"}


def test_events_by_partition_are_those_of_the_orders_in_it(life: Life) -> None:
    events = {DELIVERED: 0, SHORT: 0, NOTIFIED: 0, PARKED: 0, HELD: 0}
    for row in life.query("SELECT order_id, count(*) AS many FROM order_events GROUP BY order_id"):
        events[row["order_id"]] = row["many"]
    expected: dict[str, float] = {}
    for order_id, many in events.items():
        partition = str(bucket_of(order_id) % 3)
        expected[partition] = expected.get(partition, 0) + many

    assert life.end[API].by(catalogue.PARTITION_EVENTS, "partition") == expected
    skew = max(expected.values()) / (sum(expected.values()) / 3)
    assert life.end[API].total(catalogue.PARTITION_SKEW) == pytest.approx(skew)


def test_librdkafka_reports_its_brokers_and_queues(life: Life) -> None:
    for part, client in ((RELAY, "relay"), (CONSUMERS, "analytics"), (CONSUMERS, "inventory")):
        seen = life.end[part]
        trips = seen.by(catalogue.BROKER_ROUND_TRIP, "quantile", client=client)

        assert 0 < trips["0.5"] <= trips["0.99"] < 60
        assert seen.total(catalogue.BROKER_UP, client=client) >= 1
        assert [labels for labels, _ in seen.samples[catalogue.QUEUE_MESSAGES.name] if labels["client"] == client]


def test_while_the_database_is_away_every_process_lives_says_why_it_is_not_ready_and_exposes_the_rest(
    life: Life,
) -> None:
    for part in COMMANDS:
        during, after = life.outage[part], life.after[part]
        readiness = during.ready.json()

        assert (during.live, during.ready.status_code) == (200, 503)
        assert readiness["checks"]["database"] not in ("ok", "")
        assert readiness["checks"]["kafka"] == "ok"
        assert during.metrics.total(catalogue.DATABASE_UP) == 0
        before = life.end[part].total(catalogue.SCRAPE_ERRORS, backend="database")
        assert during.metrics.total(catalogue.SCRAPE_ERRORS, backend="database") - before == 1
        assert catalogue.LAG.name not in during.metrics.samples
        assert during.metrics.total(catalogue.POOL_MAX) == 10
        assert after.total(catalogue.DATABASE_UP) == 1


def test_states_are_the_same_in_every_process(life: Life) -> None:
    for metric in (
        catalogue.LOG_EVENTS,
        catalogue.ORDERS,
        catalogue.PARKED,
        catalogue.DEAD_LETTERS,
        catalogue.PARTITION_EVENTS,
    ):
        assert len({seen.total(metric) for seen in life.end.values()}) == 1, metric.name


def test_no_label_holds_an_order_a_customer_or_free_text(life: Life) -> None:
    catalogue = {metric.name: metric for metric in CATALOGUE}
    wrong = [
        (name, label, value)
        for seen in life.everything()
        for name, series in seen.samples.items()
        for labels, _ in series
        for label, value in labels.items()
        if label != "le" and not _allowed(catalogue[_metric_of(name, catalogue)], label, value)
    ]
    everything = [
        value
        for seen in life.everything()
        for series in seen.samples.values()
        for labels, _ in series
        for value in labels.values()
    ]

    assert wrong == []
    assert [value for value in everything if "planted" in value.lower() or "jane" in value.lower()] == []


def _metric_of(series: str, catalogue: Mapping[str, Metric]) -> str:
    """The catalogue's name behind a series; a histogram has three of them."""
    return next(
        name
        for name in (series, *(series.removesuffix(end) for end in ("_bucket", "_sum", "_count")))
        if name in catalogue
    )


def _allowed(metric: Metric, label: str, value: str) -> bool:
    [known] = [known for known in metric.labels if known.name == label]
    return value == OTHER or known.allows(value)


def test_no_metric_of_the_catalogue_is_dead(life: Life) -> None:
    dead = [metric for metric in CATALOGUE if not any(_moves(metric, seen) for seen in life.everything())]

    assert [metric.name for metric in dead if metric not in MOVED_ELSEWHERE] == []


def _moves(metric: Metric, seen: Samples) -> bool:
    """A gauge of a process may be 0 if it is exposed at all; every other series is above 0."""
    if metric.kind is Kind.HISTOGRAM:
        return seen.total(metric, "_count") > 0
    if metric.kind is Kind.GAUGE and not metric.scraped:
        return metric.name in seen.samples
    return seen.total(metric) > 0
