"""The one list of all metrics: what each counts, its labels, and its buckets.

To add a metric: write it here as a constant and put it into CATALOGUE; count it where it happens through
``Instruments`` (``instruments.add(COMMANDS, command="create_order", outcome="ok")``, ``observe`` for a histogram,
``set`` for a gauge), which the container passes to every instrumented class; or, if it is ``scraped``, return
it from ``States`` at a scrape. A label that is not in ``labels.py`` needs all its values, or a pattern and a
bound. Then put what ``python -m orderflow.adapters.telemetry.metrics.docs_page`` prints into docs/metrics.md, and make
the metric move in tests/system/telemetry, which finds those that did not.

Names begin with ``orderflow_``, units are base units, counters end in ``_total``; what OpenTelemetry has a name for
(``messaging.process.duration``, ``http.server.request.duration``, ``db.client.operation.duration``) is called so.
"""

from enum import StrEnum

from attrs import field, frozen

from . import labels
from .labels import OTHER, Label


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class Metric:
    """One metric. ``buckets`` are a histogram's upper bounds, in its unit.

    ``scraped``: a state of the whole installation or of this process, read at each scrape. Every process shows the same
    state of the installation, so it must not be summed over processes. ``merged`` is how the gauges of several workers
    of one process become one.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    scraped: bool = field(kw_only=True, default=False)
    merged: str = field(kw_only=True, default="livesum")


def _counter(name: str, help: str, *labels: Label) -> Metric:
    return Metric(name, Kind.COUNTER, help, labels)


def _histogram(name: str, help: str, buckets: tuple[float, ...], *labels: Label) -> Metric:
    return Metric(name, Kind.HISTOGRAM, help, labels, buckets)


def _gauge(name: str, help: str, *labels: Label, merged: str = "livesum") -> Metric:
    return Metric(name, Kind.GAUGE, help, labels, merged=merged)


def _state(name: str, help: str, *labels: Label) -> Metric:
    return Metric(name, Kind.GAUGE, help, labels, scraped=True)


QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds of what a caller waits for."""
EACH = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""Seconds of one event out of a batch."""
BATCH = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0, 10000.0)
LIFE = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0, 3600.0, 5400.0, 7200.0, 14400.0, 86400.0)
"""Seconds in the life of an order."""

COMMAND = Label(
    "command",
    ("create_order", "transition_order_state", "assign_shipper", "record_payment", "cancel_order", "refund_order"),
)
VIA = Label("via", ("relay", "direct"))
SENT = Label("outcome", ("ok", "failed"))
DEALT = Label("outcome", ("handled", "duplicate", "parked", "foreign", "superseded"))
ROUTE = Label(
    "route", source="the route templates of the API, such as /v1/orders/{order_id}; unmatched", pattern=r"[\w/{}:.-]+"
)
METHOD = Label("method", ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", OTHER))
STATUS = Label("status", source="HTTP status codes", pattern=r"[1-5]\d\d")

# Orders.
COMMANDS = _counter(
    "orderflow_commands_total", "Commands that orders were given, by how they ended.", COMMAND, labels.ERROR_OUTCOME
)
COMMAND_SECONDS = _histogram(
    "orderflow_command_duration_seconds", "From asking for a command until its commit or refusal.", QUICK, COMMAND
)
ORDERS = _state("orderflow_orders_open", "Orders that are in a state which is not final.", labels.OPEN_STATE)
ORDERS_OLDEST = _state(
    "orderflow_orders_untouched_seconds",
    "Since anything happened to the order in this state that nothing has happened to for longest; 0 without any.",
    labels.OPEN_STATE,
)
PAYMENTS_UNSETTLED = _state(
    "orderflow_payment_attempts_unsettled", "Requests to move money that the payment gateway has not answered."
)
PAYMENTS_UNSETTLED_AGE = _state(
    "orderflow_payment_attempts_unsettled_seconds", "Age of the oldest of them; 0 without any."
)
REFUNDS_DECLINED = _state(
    "orderflow_refunds_declined", "Refunds that the payment gateway declined and that were not resolved."
)
AUTHORIZATIONS_HELD = _state(
    "orderflow_authorizations_held", "Authorizations that nothing will capture and that were not released."
)

# Business: counted by the consumer analytics, once for each event, when its effects are committed.
CREATED = _counter("orderflow_orders_created_total", "Orders placed; its rate over a minute is orders a minute.")
ENDED = _counter("orderflow_orders_ended_total", "Orders that came to a final state.", labels.FINAL_STATE)
REVENUE = _counter(
    "orderflow_revenue_total", "The totals of all orders placed, in units of the currency.", labels.CURRENCY
)
REVENUE_LOST = _counter(
    "orderflow_revenue_cancelled_total", "The totals of those of them that were cancelled.", labels.CURRENCY
)
CANCELLATIONS = _counter("orderflow_cancellations_total", "Cancelled orders by reason.", labels.REASON)
DELIVERY = _histogram(
    "orderflow_order_delivery_seconds", "From placing to delivery: the event's whole minutes, times 60.", LIFE
)
PROCESSING = _histogram(
    "orderflow_order_processing_seconds", "From placing an order until its final state.", LIFE, labels.FINAL_STATE
)
IN_STATE = _histogram(
    "orderflow_order_state_seconds",
    "That orders were in a state, observed when they leave it.",
    LIFE,
    labels.OPEN_STATE,
)

# The log, and its way to Kafka.
LOG_EVENTS = _state("orderflow_log_events", "Events in the log.")
LOG_WAITING = _state("orderflow_log_waiting_events", "Events in the log that the relay has not yet published.")
LOG_WAITING_AGE = _state(
    "orderflow_log_waiting_seconds", "Age of the oldest event that the relay has not yet published; 0 without any."
)
LOG_HELD = _state("orderflow_log_held_events", "Events that the relay holds back, for the share does not reach them.")
SENT_MESSAGES = _counter(
    "orderflow_messaging_client_sent_messages_total",
    "Events handed to Kafka; those of a failed transaction are tried again, and count again.",
    labels.TYPE,
    VIA,
    SENT,
)
SEND_SECONDS = _histogram(
    "orderflow_messaging_client_operation_duration_seconds",
    "Until Kafka had a batch of events for good, or it failed: a transaction of the relay, or a direct publishing.",
    QUICK,
    VIA,
    SENT,
)
SEND_BATCH = _histogram("orderflow_messaging_batch_message_count", "Events that went to Kafka together.", BATCH, VIA)
PARTITION_EVENTS = _state(
    "orderflow_partition_events", "Events in the log by the partition they belong to.", labels.PARTITION
)
PARTITION_SKEW = _state(
    "orderflow_partition_skew_ratio", "Events of the fullest partition over their mean; 1 is even, 0 is no events."
)

# Consumers.
CONSUMED = _counter(
    "orderflow_messaging_client_consumed_messages_total",
    "Records that consumers were given, by what came of them.",
    labels.CONSUMER,
    DEALT,
)
PROCESSED = _counter(
    "orderflow_messaging_processed_messages_total",
    "Events that a handler took: ok when its effects were committed, failed at each try that raised.",
    labels.CONSUMER,
    labels.TYPE,
    SENT,
)
PROCESS_SECONDS = _histogram(
    "orderflow_messaging_process_duration_seconds",
    "In a handler for one event: the time of its batch shared evenly, observed once for each type in it.",
    EACH,
    labels.CONSUMER,
    labels.TYPE,
    SENT,
)
BATCH_SECONDS = _histogram(
    "orderflow_consumer_batch_duration_seconds",
    "For a whole batch: decoding, handling and the commit of effects and cursors, whatever came of it.",
    QUICK,
    labels.CONSUMER,
)
BATCH_EVENTS = _histogram(
    "orderflow_consumer_batch_message_count", "Records that a consumer got together.", BATCH, labels.CONSUMER
)
GAPS = _counter("orderflow_consumer_gaps_total", "Times that a bucket was found to lack events.", labels.CONSUMER)
LAG = _state("orderflow_consumer_lag_events", "Events of the log that a consumer has yet to handle.", labels.CONSUMER)
LAG_SECONDS = _state(
    "orderflow_consumer_lag_seconds", "Age of the oldest event that a consumer has yet to handle.", labels.CONSUMER
)
PAUSED = _state("orderflow_consumer_paused", "Whether a consumer is paused: 1 or 0.", labels.CONSUMER)
PARKED = _state("orderflow_parked_orders", "Orders that wait for an event which cannot be handled.", labels.CONSUMER)
DEAD_LETTERS = _state(
    "orderflow_dead_letters", "Events that are set aside, also those that only wait.", labels.CONSUMER
)
FOREIGN = _state("orderflow_unrecognized_records", "Records of the topic that are none of ours.", labels.CONSUMER)
NOTIFICATIONS_PENDING = _state("orderflow_notifications_pending", "Notifications that are not sent yet.")
NOTIFICATIONS_PENDING_AGE = _state(
    "orderflow_notifications_pending_seconds", "Age of the oldest notification that is not sent yet; 0 without any."
)
NOTIFICATIONS_FAILED = _state(
    "orderflow_notifications_failed", "Notifications that failed for good and were not resent or dropped."
)
NOTIFIED = _histogram(
    "orderflow_notification_duration_seconds",
    "Until a channel took a message, refused it for good, or did not answer.",
    QUICK,
    labels.CHANNEL,
    Label("outcome", ("sent", "refused", "unavailable", "failed")),
)

WEBHOOKS_UNSETTLED = _state(
    "orderflow_webhook_deliveries_pending", "Webhooks to enabled endpoints that are not delivered yet."
)
WEBHOOKS_UNSETTLED_AGE = _state(
    "orderflow_webhook_deliveries_pending_seconds", "Age of the oldest of them; 0 without any."
)
WEBHOOKS_FAILED = _state("orderflow_webhook_deliveries_failed", "Webhooks that failed for good and are still kept.")
WEBHOOK_ENDPOINTS = _state(
    "orderflow_webhook_endpoints",
    "Endpoints: failing ones accept nothing now, behind ones have events that wait in the log (both are enabled), "
    "stopped ones were disabled by orderflow itself (and are disabled).",
    Label("state", ("enabled", "failing", "behind", "disabled", "stopped")),
)
WEBHOOK_SECONDS = _histogram(
    "orderflow_webhook_duration_seconds",
    "Of one attempt to send a webhook: accepted, refused by a status, without an answer, or failed here.",
    QUICK,
    Label("outcome", ("delivered", "refused", "unanswered", "failed")),
)

# HTTP.
HTTP_SECONDS = _histogram(
    "orderflow_http_server_request_duration_seconds",
    "From a request until its answer begins: live streams count until their first byte.",
    QUICK,
    ROUTE,
    METHOD,
    STATUS,
)
HTTP_REFUSALS = _counter(
    "orderflow_http_refusals_total",
    "Connections and requests that a limit refused or ended, by the limit; invalid_http is what is not HTTP.",
    Label(
        "reason",
        (
            "connections",
            "connections_per_address",
            "slow_handshake",
            "failed_handshake",
            "slow_headers",
            "slow_body",
            "unread_response",
            "invalid_http",
            "request_rate",
            "requests_at_once",
            "streams_at_once",
            "batches_at_once",
            "exports_at_once",
            "logins",
        ),
    ),
)
HTTP_ACTIVE = _gauge("orderflow_http_server_active_requests", "Requests being answered, live streams among them.")

HTTP_CERTIFICATE_EXPIRES = _gauge(
    "orderflow_http_certificate_expiry_timestamp_seconds",
    "When the API's certificate expires, in Unix time; 0 without TLS.",
    merged="livemax",
)
HTTP_CERTIFICATE_UNUSABLE = _gauge(
    "orderflow_http_certificate_unusable",
    "1 while the files of the API's certificate cannot be used, so that the former certificate stays; otherwise 0.",
    merged="livemax",
)
OIDC_READS = _counter(
    "orderflow_oidc_key_reads_total",
    "Readings of the keys of the OpenID provider, by how they ended.",
    SENT,
)

# Database.
COMMIT_SECONDS = _histogram(
    "orderflow_db_commit_duration_seconds",
    "Until a unit of work of the orders was durable, or refused.",
    QUICK,
    labels.ERROR_OUTCOME,
)
WORK = Label("work", ("commit", "read"))
BATCH_SIZE = _histogram(
    "orderflow_db_batch_size", "Callers whose work went to the database in one transaction or query.", BATCH, WORK
)
BATCH_WAIT_SECONDS = _histogram(
    "orderflow_db_batch_wait_seconds", "How long the first of them waited for the work before theirs.", QUICK, WORK
)
BATCH_REFUSALS = _counter(
    "orderflow_db_batch_refusals_total", "Callers who were refused, because too many waited already.", WORK
)
STATEMENT_SECONDS = _histogram(
    "orderflow_db_client_operation_duration_seconds",
    "Until the database had done a statement.",
    QUICK,
    Label("operation", ("select", "insert", "update", "delete", "with", OTHER)),
)
STATEMENT_ERRORS = _counter(
    "orderflow_db_client_errors_total", "Statements that the database refused or did not answer."
)
POOL = _gauge("orderflow_db_client_connections", "Connections of the pool.", Label("state", ("used", "idle")))
POOL_MAX = _gauge("orderflow_db_client_connections_max", "Connections that the pool may open.")
DATABASE_UP = _state("orderflow_db_up", "Whether the database answered this scrape: 1 or 0.")
SCRAPE_ERRORS = _counter(
    "orderflow_scrape_errors_total",
    "Scrapes that left states out, because a backend did not answer, or the process did not.",
    Label("backend", ("database", "kafka", "process")),
)

# The process.
PART_STOPPED = _gauge(
    "orderflow_process_part_stopped",
    "Whether a part of the process has stopped with an error and is started again: 1 or 0.",
    labels.PROCESS_PART,
    merged="livemax",
)

# librdkafka's own statistics, every five seconds (statistics.interval.ms).
BROKER_ROUND_TRIP = _gauge(
    "orderflow_kafka_broker_round_trip_seconds",
    "Of requests to a broker, over the last interval that had any.",
    labels.CLIENT,
    labels.BROKER,
    Label("quantile", ("0.5", "0.99")),
    merged="livemax",
)
BROKER_UP = _gauge(
    "orderflow_kafka_broker_up",
    "Whether a client's connection to a broker stands: 1 or 0.",
    labels.CLIENT,
    labels.BROKER,
    merged="livemin",
)
BROKER_ERRORS = _counter(
    "orderflow_kafka_broker_errors_total",
    "Requests to a broker that failed or timed out, and answers that failed.",
    labels.CLIENT,
    labels.BROKER,
)
QUEUE_MESSAGES = _gauge(
    "orderflow_kafka_queue_messages", "Messages in the client: to be sent, or fetched and not yet read.", labels.CLIENT
)
QUEUE_BYTES = _gauge("orderflow_kafka_queue_bytes", "The same in bytes.", labels.CLIENT)
TRANSACTION_ERRORS = _counter(
    "orderflow_kafka_transaction_errors_total",
    "Transactions of the relay that were given up, by librdkafka's error.",
    Label("error", source="librdkafka's names of errors", pattern=r"_?[A-Z][A-Z0-9_]{1,60}", most=50),
)

CATALOGUE: tuple[Metric, ...] = tuple(thing for thing in globals().values() if isinstance(thing, Metric))
"""Every metric of this page, in its order."""
