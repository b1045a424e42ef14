"""The rows of the dashboard, from the alerts at the top to the details of single components."""

import re
from collections.abc import Sequence

from orderflow.adapters.telemetry.metrics import catalogue

from .panels import SELECTED, Panel, metric_panel, stat, time_series

SUMMARY = (
    stat(
        "Firing alerts",
        'count(ALERTS{alertstate="firing", alertname=~"Orderflow.*"}) or vector(0)',
        unit="short",
        description="docs/runbooks describes each alert.",
        limits=(1, 3),
    ),
    stat("Processes up", 'sum(up{job="orderflow"})', unit="short", description="Processes that Prometheus can scrape."),
    stat(
        "Orders per minute",
        f"60 * sum(rate({catalogue.CREATED.name}[5m]))",
        unit="short",
        description="As counted by analytics, averaged over five minutes.",
    ),
    stat(
        "Revenue in the last hour",
        "3600 * orderflow:revenue:rate1h",
        unit="short",
        description="By currency, including cancelled orders.",
        legend="{{currency}}",
    ),
    stat(
        "Oldest unpublished event",
        "orderflow:log_waiting_seconds:max",
        unit="s",
        description="Age of the oldest event that waits in the log for the relay.",
        limits=(30, 60),
    ),
    stat(
        "Largest consumer lag",
        "max(orderflow:consumer_own_lag_seconds:max)",
        unit="s",
        description="Age of the oldest published event that a consumer has not handled.",
        limits=(30, 60),
    ),
    stat(
        "Parked orders",
        "sum(orderflow:parked_orders:max)",
        unit="short",
        description="Total over all consumers.",
        limits=(1, 10),
    ),
    stat(
        "5xx responses",
        "orderflow:http_errors:ratio5m",
        unit="percentunit",
        description="Share of all responses in five minutes, without probes.",
        limits=(0.005, 0.01),
    ),
)

REVENUE_COMPARED = time_series(
    "Revenue per hour, now and a week ago",
    ("3600 * orderflow:revenue:rate1h", "{{currency}}"),
    ("3600 * orderflow:revenue:rate1h offset 1w", "{{currency}} a week ago"),
    unit="short",
    description="The alert on a revenue drop compares these two.",
)
STATE_AGE = time_series(
    "Longest time without change, by state",
    (f"max by (state) ({catalogue.ORDERS_OLDEST.name})", "{{state}}"),
    ("orderflow:limit:state_seconds", "{{state}}: limit"),
    unit="s",
    description=catalogue.ORDERS_OLDEST.help,
)
OWN_LAG = time_series(
    "Consumer lag without unpublished events",
    ("orderflow:consumer_own_lag_seconds:max", "{{consumer}}"),
    ("orderflow:limit:consumer_lag_seconds", "limit"),
    unit="s",
    description="Age of the oldest published event that the consumer has not handled.",
)
WAITING = time_series(
    "Oldest unpublished event",
    (f"max({catalogue.LOG_WAITING_AGE.name})", "oldest"),
    ("orderflow:limit:relay_lag_seconds", "limit while events are published"),
    ("orderflow:limit:stalled_seconds", "limit while none are published"),
    unit="s",
    description=catalogue.LOG_WAITING_AGE.help,
)
ERRORS = time_series(
    "Share of 5xx responses",
    ("orderflow:http_errors:ratio5m", "errors"),
    ("orderflow:limit:http_error_ratio", "limit"),
    unit="percentunit",
    description="Share of all responses in five minutes, without probes.",
)
HANDLER_ERRORS = time_series(
    "Share of failed events by consumer",
    ("orderflow:handler_errors:ratio5m", "{{consumer}}"),
    ("orderflow:limit:handler_error_ratio", "limit"),
    unit="percentunit",
    description="Share of all events that handlers processed in five minutes.",
)
DATABASE_UP = time_series(
    "Database reachable",
    (f"min by (part, instance) ({catalogue.DATABASE_UP.name})", "{{part}} {{instance}}"),
    unit="short",
    description=catalogue.DATABASE_UP.help,
)
PARTS_STOPPED = time_series(
    "Stopped parts of processes",
    (f"max by (process_part, instance) ({catalogue.PART_STOPPED.name})", "{{process_part}} {{instance}}"),
    unit="short",
    description=catalogue.PART_STOPPED.help,
)
PROCESSES = time_series(
    "Processes",
    ('sum by (part) (up{job="orderflow"})', "{{part}}"),
    unit="short",
    description="Processes that Prometheus can scrape.",
)

Row = tuple[str, Sequence[Panel]]

ROWS: Sequence[Row] = (
    ("At a glance", SUMMARY),
    (
        "Business",
        (
            metric_panel(catalogue.CREATED, per="minute", title="Orders per minute"),
            REVENUE_COMPARED,
            metric_panel(catalogue.REVENUE, "currency", per="minute", title="Revenue per minute by currency"),
            metric_panel(
                catalogue.REVENUE_LOST, "currency", per="minute", title="Cancelled revenue per minute by currency"
            ),
            metric_panel(
                catalogue.ENDED, "state", per="minute", title="Completed and cancelled orders per minute by state"
            ),
            metric_panel(catalogue.CANCELLATIONS, "reason", per="minute", title="Cancellations per minute by reason"),
            metric_panel(catalogue.DELIVERY, title="Time from creation to delivery"),
            metric_panel(
                catalogue.PROCESSING, "state", quantiles=(0.5, 0.95), title="Time from creation to the final state"
            ),
        ),
    ),
    (
        "Orders",
        (
            metric_panel(catalogue.ORDERS, "state", title="Open orders by state"),
            STATE_AGE,
            metric_panel(catalogue.IN_STATE, "state", quantiles=(0.5, 0.95), title="Time in each state"),
            metric_panel(catalogue.COMMANDS, "command", "outcome", title="Commands by outcome"),
            metric_panel(catalogue.COMMAND_SECONDS, "command", quantiles=(0.5, 0.99), title="Command duration"),
            metric_panel(catalogue.PAYMENTS_UNSETTLED, title="Payment attempts without an outcome"),
            metric_panel(catalogue.PAYMENTS_UNSETTLED_AGE, title="Oldest payment attempt without an outcome"),
            metric_panel(catalogue.REFUNDS_DECLINED, title="Declined refunds"),
            metric_panel(catalogue.AUTHORIZATIONS_HELD, title="Held authorizations of cancelled orders"),
        ),
    ),
    (
        "Publishing",
        (
            WAITING,
            metric_panel(catalogue.LOG_WAITING, title="Unpublished events"),
            metric_panel(catalogue.LOG_HELD, title="Events held back by the rollout"),
            metric_panel(catalogue.SENT_MESSAGES, "type", "via", "outcome", title="Events sent by type"),
            metric_panel(catalogue.SEND_SECONDS, "via", "outcome", title="Time to publish a batch"),
            metric_panel(catalogue.SEND_BATCH, "via", quantiles=(0.5, 0.95), title="Events per published batch"),
            metric_panel(catalogue.LOG_EVENTS, title="Events in the log"),
            metric_panel(catalogue.PARTITION_EVENTS, "partition", title="Events by partition"),
            metric_panel(catalogue.PARTITION_SKEW, title="Partition skew"),
        ),
    ),
    (
        "Consumers",
        (
            OWN_LAG,
            metric_panel(catalogue.LAG_SECONDS, "consumer", title="Lag in seconds"),
            metric_panel(catalogue.LAG, "consumer", title="Lag in events"),
            HANDLER_ERRORS,
            metric_panel(
                catalogue.PROCESSED, "consumer", "type", "outcome", title="Handled events by type and outcome"
            ),
            metric_panel(catalogue.CONSUMED, "consumer", "outcome", title="Received records by outcome"),
            metric_panel(
                catalogue.PROCESS_SECONDS, "consumer", "type", quantiles=(0.95,), title="Handler duration per event"
            ),
            metric_panel(catalogue.BATCH_SECONDS, "consumer", quantiles=(0.5, 0.95), title="Consumer batch duration"),
            metric_panel(catalogue.BATCH_EVENTS, "consumer", quantiles=(0.5, 0.95), title="Records per consumer batch"),
            metric_panel(catalogue.PAUSED, "consumer", title="Paused consumers"),
            metric_panel(catalogue.PARKED, "consumer"),
            metric_panel(catalogue.DEAD_LETTERS, "consumer"),
            metric_panel(catalogue.FOREIGN, "consumer", title="Unrecognized records by consumer"),
            metric_panel(catalogue.GAPS, "consumer", title="Gaps detected"),
            metric_panel(catalogue.NOTIFICATIONS_PENDING, title="Pending notifications"),
            metric_panel(catalogue.NOTIFICATIONS_PENDING_AGE, title="Oldest pending notification"),
            metric_panel(catalogue.NOTIFICATIONS_FAILED, title="Failed notifications"),
            metric_panel(
                catalogue.NOTIFIED, "channel", "outcome", quantiles=(0.5, 0.95), title="Time to send a notification"
            ),
            metric_panel(catalogue.WEBHOOKS_UNSETTLED, title="Pending webhooks"),
            metric_panel(catalogue.WEBHOOKS_UNSETTLED_AGE, title="Oldest pending webhook"),
            metric_panel(catalogue.WEBHOOKS_FAILED, title="Failed webhooks"),
            metric_panel(catalogue.WEBHOOK_ENDPOINTS, "state", title="Webhook endpoints by state"),
            metric_panel(catalogue.WEBHOOK_SECONDS, "outcome", quantiles=(0.5, 0.95), title="Time to send a webhook"),
        ),
    ),
    (
        "HTTP",
        (
            ERRORS,
            time_series(
                "Requests by route and status",
                (
                    "sum by (method, route, status) "
                    f"(rate({catalogue.HTTP_SECONDS.name}_count{{{SELECTED}}}[$__rate_interval]))",
                    "{{method}} {{route}} {{status}}",
                ),
                unit="reqps",
                description="Responses started, including live streams.",
            ),
            metric_panel(catalogue.HTTP_SECONDS, "route", quantiles=(0.5, 0.99), title="Time to first byte by route"),
            metric_panel(catalogue.HTTP_ACTIVE, title="Active requests"),
            metric_panel(catalogue.HTTP_REFUSALS, title="Refused by a limit, by reason"),
            metric_panel(catalogue.HTTP_CERTIFICATE_EXPIRES, title="Expiry of the certificate"),
            metric_panel(catalogue.HTTP_CERTIFICATE_UNUSABLE, title="Files of the certificate cannot be used"),
            metric_panel(catalogue.OIDC_READS, "outcome", title="Readings of the OpenID provider's keys"),
        ),
    ),
    (
        "Database",
        (
            DATABASE_UP,
            metric_panel(catalogue.COMMIT_SECONDS, "outcome", title="Commit duration"),
            metric_panel(
                catalogue.BATCH_SIZE, "work", quantiles=(0.5, 0.95), title="Callers in one transaction or query"
            ),
            metric_panel(catalogue.BATCH_WAIT_SECONDS, "work", quantiles=(0.5, 0.95), title="Wait for the work before"),
            metric_panel(catalogue.BATCH_REFUSALS, "work", title="Callers refused because too many waited"),
            metric_panel(catalogue.STATEMENT_SECONDS, "operation", quantiles=(0.5, 0.95), title="Statement duration"),
            metric_panel(catalogue.STATEMENT_ERRORS, title="Failed statements"),
            metric_panel(catalogue.POOL, "state", title="Connections in the pool"),
            metric_panel(catalogue.POOL_MAX, title="Maximum connections"),
        ),
    ),
    (
        "Kafka client",
        (
            metric_panel(catalogue.BROKER_UP, "client", "broker", title="Connected brokers"),
            metric_panel(catalogue.BROKER_ROUND_TRIP, "client", "broker", "quantile", title="Round trip to a broker"),
            metric_panel(catalogue.BROKER_ERRORS, "client", "broker", title="Failed requests to brokers"),
            metric_panel(catalogue.TRANSACTION_ERRORS, "error", title="Failed transactions by error"),
            metric_panel(catalogue.QUEUE_MESSAGES, "client", title="Messages queued in the client"),
            metric_panel(catalogue.QUEUE_BYTES, "client", title="Bytes queued in the client"),
        ),
    ),
    (
        "Processes",
        (PROCESSES, PARTS_STOPPED, metric_panel(catalogue.SCRAPE_ERRORS, "backend", title="Incomplete scrapes")),
    ),
)


def rows() -> Sequence[Row]:
    """Return ROWS, and a last row with the metrics that are in none of them."""
    expressions = " ".join(expression for _, panels in ROWS for panel in panels for expression, _ in panel.targets)
    names = set(re.findall(r"[\w:]+", expressions))
    rest = [
        metric_panel(metric, *(label.name for label in metric.labels))
        for metric in catalogue.CATALOGUE
        if not names & {metric.name, f"{metric.name}_bucket"}
    ]
    return [*ROWS, *([("Everything else", rest)] if rest else [])]
