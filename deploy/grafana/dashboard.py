"""The rows of the dashboard, from the alerts at the top to the details of single components."""

import json
import re
from collections.abc import Iterator, Sequence

from orderflow.adapters.telemetry.metrics import catalogue as a

from .panels import MINE, SOURCE, Json, Panel, lines, number, of

GLANCE = (
    number(
        "Firing alerts",
        'count(ALERTS{alertstate="firing", alertname=~"Orderflow.*"}) or vector(0)',
        unit="short",
        says="docs/runbooks describes each alert.",
        limits=(1, 3),
    ),
    number("Processes up", 'sum(up{job="orderflow"})', unit="short", says="Processes that Prometheus can scrape."),
    number(
        "Orders per minute",
        f"60 * sum(rate({a.CREATED.name}[5m]))",
        unit="short",
        says="As counted by analytics, averaged over five minutes.",
    ),
    number(
        "Revenue in the last hour",
        "3600 * orderflow:revenue:rate1h",
        unit="short",
        says="By currency, including cancelled orders.",
        legend="{{currency}}",
    ),
    number(
        "Oldest unpublished event",
        "orderflow:log_waiting_seconds:max",
        unit="s",
        says="Age of the oldest event that waits in the log for the relay.",
        limits=(30, 60),
    ),
    number(
        "Largest consumer lag",
        "max(orderflow:consumer_own_lag_seconds:max)",
        unit="s",
        says="Age of the oldest published event that a consumer has not handled.",
        limits=(30, 60),
    ),
    number(
        "Parked orders",
        "sum(orderflow:parked_orders:max)",
        unit="short",
        says="Total over all consumers.",
        limits=(1, 10),
    ),
    number(
        "5xx responses",
        "orderflow:http_errors:ratio5m",
        unit="percentunit",
        says="Share of all responses in five minutes, without probes.",
        limits=(0.005, 0.01),
    ),
)

REVENUE_COMPARED = lines(
    "Revenue per hour, now and a week ago",
    ("3600 * orderflow:revenue:rate1h", "{{currency}}"),
    ("3600 * orderflow:revenue:rate1h offset 1w", "{{currency}} a week ago"),
    unit="short",
    says="The alert on a revenue drop compares these two.",
)
UNTOUCHED = lines(
    "Longest time without change, by state",
    (f"max by (state) ({a.ORDERS_OLDEST.name})", "{{state}}"),
    ("orderflow:limit:state_seconds", "{{state}}: limit"),
    unit="s",
    says=a.ORDERS_OLDEST.help,
)
OWN_LAG = lines(
    "Consumer lag without unpublished events",
    ("orderflow:consumer_own_lag_seconds:max", "{{consumer}}"),
    ("orderflow:limit:consumer_lag_seconds", "limit"),
    unit="s",
    says="Age of the oldest published event that the consumer has not handled.",
)
WAITING = lines(
    "Oldest unpublished event",
    (f"max({a.LOG_WAITING_AGE.name})", "oldest"),
    ("orderflow:limit:relay_lag_seconds", "limit while events are published"),
    ("orderflow:limit:stalled_seconds", "limit while none are published"),
    unit="s",
    says=a.LOG_WAITING_AGE.help,
)
ERRORS = lines(
    "Share of 5xx responses",
    ("orderflow:http_errors:ratio5m", "errors"),
    ("orderflow:limit:http_error_ratio", "limit"),
    unit="percentunit",
    says="Share of all responses in five minutes, without probes.",
)
HANDLER_ERRORS = lines(
    "Share of failed events by consumer",
    ("orderflow:handler_errors:ratio5m", "{{consumer}}"),
    ("orderflow:limit:handler_error_ratio", "limit"),
    unit="percentunit",
    says="Share of all events that handlers processed in five minutes.",
)
DATABASE_UP = lines(
    "Database reachable",
    (f"min by (part, instance) ({a.DATABASE_UP.name})", "{{part}} {{instance}}"),
    unit="short",
    says=a.DATABASE_UP.help,
)
SEEN = lines(
    "Processes",
    ('sum by (part) (up{job="orderflow"})', "{{part}}"),
    unit="short",
    says="Processes that Prometheus can scrape.",
)

Row = tuple[str, Sequence[Panel]]

ROWS: Sequence[Row] = (
    ("At a glance", GLANCE),
    (
        "Business",
        (
            of(a.CREATED, per="minute", title="Orders per minute"),
            REVENUE_COMPARED,
            of(a.REVENUE, "currency", per="minute", title="Revenue per minute by currency"),
            of(a.REVENUE_LOST, "currency", per="minute", title="Cancelled revenue per minute by currency"),
            of(a.ENDED, "state", per="minute", title="Completed and cancelled orders per minute by state"),
            of(a.CANCELLATIONS, "reason", per="minute", title="Cancellations per minute by reason"),
            of(a.DELIVERY, title="Time from creation to delivery"),
            of(a.PROCESSING, "state", quantiles=(0.5, 0.95), title="Time from creation to the final state"),
        ),
    ),
    (
        "Orders",
        (
            of(a.ORDERS, "state", title="Open orders by state"),
            UNTOUCHED,
            of(a.IN_STATE, "state", quantiles=(0.5, 0.95), title="Time in each state"),
            of(a.COMMANDS, "command", "outcome", title="Commands by outcome"),
            of(a.COMMAND_SECONDS, "command", quantiles=(0.5, 0.99), title="Command duration"),
        ),
    ),
    (
        "Publishing",
        (
            WAITING,
            of(a.LOG_WAITING, title="Unpublished events"),
            of(a.LOG_HELD, title="Events held back by the rollout"),
            of(a.SENT_MESSAGES, "type", "via", "outcome", title="Events sent by type"),
            of(a.SEND_SECONDS, "via", "outcome", title="Time to publish a batch"),
            of(a.SEND_BATCH, "via", quantiles=(0.5, 0.95), title="Events per published batch"),
            of(a.LOG_EVENTS, title="Events in the log"),
            of(a.PARTITION_EVENTS, "partition", title="Events by partition"),
            of(a.PARTITION_SKEW, title="Partition skew"),
        ),
    ),
    (
        "Consumers",
        (
            OWN_LAG,
            of(a.LAG_SECONDS, "consumer", title="Lag in seconds"),
            of(a.LAG, "consumer", title="Lag in events"),
            HANDLER_ERRORS,
            of(a.PROCESSED, "consumer", "type", "outcome", title="Handled events by type and outcome"),
            of(a.CONSUMED, "consumer", "outcome", title="Received records by outcome"),
            of(a.PROCESS_SECONDS, "consumer", "type", quantiles=(0.95,), title="Handler duration per event"),
            of(a.BATCH_SECONDS, "consumer", quantiles=(0.5, 0.95), title="Consumer batch duration"),
            of(a.BATCH_EVENTS, "consumer", quantiles=(0.5, 0.95), title="Records per consumer batch"),
            of(a.PAUSED, "consumer", title="Paused consumers"),
            of(a.PARKED, "consumer"),
            of(a.DEAD_LETTERS, "consumer"),
            of(a.FOREIGN, "consumer", title="Unrecognized records by consumer"),
            of(a.GAPS, "consumer", title="Gaps detected"),
            of(a.NOTIFIED, "channel", "outcome", quantiles=(0.5, 0.95), title="Time to send a notification"),
        ),
    ),
    (
        "HTTP",
        (
            ERRORS,
            lines(
                "Requests by route and status",
                (
                    f"sum by (method, route, status) (rate({a.HTTP_SECONDS.name}_count{{{MINE}}}[$__rate_interval]))",
                    "{{method}} {{route}} {{status}}",
                ),
                unit="reqps",
                says="Responses started, including live streams.",
            ),
            of(a.HTTP_SECONDS, "route", quantiles=(0.5, 0.99), title="Time to first byte by route"),
            of(a.HTTP_ACTIVE, title="Active requests"),
        ),
    ),
    (
        "Database",
        (
            DATABASE_UP,
            of(a.COMMIT_SECONDS, "outcome", title="Commit duration"),
            of(a.STATEMENT_SECONDS, "operation", quantiles=(0.5, 0.95), title="Statement duration"),
            of(a.STATEMENT_ERRORS, title="Failed statements"),
            of(a.POOL, "state", title="Connections in the pool"),
            of(a.POOL_MAX, title="Maximum connections"),
        ),
    ),
    (
        "Kafka client",
        (
            of(a.BROKER_UP, "client", "broker", title="Connected brokers"),
            of(a.BROKER_ROUND_TRIP, "client", "broker", "quantile", title="Round trip to a broker"),
            of(a.BROKER_ERRORS, "client", "broker", title="Failed requests to brokers"),
            of(a.TRANSACTION_ERRORS, "error", title="Failed transactions by error"),
            of(a.QUEUE_MESSAGES, "client", title="Messages queued in the client"),
            of(a.QUEUE_BYTES, "client", title="Bytes queued in the client"),
        ),
    ),
    ("Processes", (SEEN, of(a.SCRAPE_ERRORS, "backend", title="Incomplete scrapes"))),
)
WIDTH = 24


def rows() -> Sequence[Row]:
    """Return ROWS, and a last row with the metrics that are in none of them."""
    asked = " ".join(expression for _, panels in ROWS for panel in panels for expression, _ in panel.questions)
    named = set(re.findall(r"[\w:]+", asked))
    rest = [
        of(metric, *(label.name for label in metric.labels))
        for metric in a.CATALOGUE
        if not named & {metric.name, f"{metric.name}_bucket"}
    ]
    return [*ROWS, *([("Everything else", rest)] if rest else [])]


def dashboard() -> Json:
    """Return the complete dashboard in Grafana's import format."""
    return {
        "uid": "orderflow",
        "title": "orderflow",
        "tags": ["orderflow"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [_datasource(), _part()]},
        "annotations": {"list": [_fired()]},
        "panels": list(_placed()),
    }


def written() -> str:
    """Return the dashboard as text; the text is the same each time."""
    return json.dumps(dashboard(), indent=1) + "\n"


def _placed() -> Iterator[Json]:
    """Yield the rows from top to bottom, with three panels side by side; the first row has small panels."""
    identity, y = 1, 0
    for title, panels in rows():
        yield {
            "id": identity,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        identity, y = identity + 1, y + 1
        small = panels is GLANCE
        width, height = (WIDTH // 8, 4) if small else (WIDTH // 3, 8)
        for at, panel in enumerate(panels):
            down, across = divmod(at, WIDTH // width)
            yield panel.placed(identity, across * width, y + down * height, width, height)
            identity += 1
        y += -(-len(panels) * width // WIDTH) * height


def _datasource() -> Json:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _part() -> Json:
    return {
        "name": "part",
        "label": "Process",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": 'label_values(up{job="orderflow"}, part)', "refId": "part"},
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }


def _fired() -> Json:
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", alertname=~"Orderflow.*"}',
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }
