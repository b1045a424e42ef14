"""The rows of the dashboard, from what wakes somebody down to what a specialist asks for."""

import json
import re
from collections.abc import Iterator, Sequence

from orderflow.adapters.telemetry.metrics import catalogue as a

from .panels import MINE, SOURCE, Json, Panel, lines, number, of

GLANCE = (
    number(
        "Alerts that fire",
        'count(ALERTS{alertstate="firing", alertname=~"Orderflow.*"}) or vector(0)',
        unit="short",
        says="What each means is told under docs/runbooks.",
        limits=(1, 3),
    ),
    number("Processes seen", 'sum(up{job="orderflow"})', unit="short", says="Those that answered Prometheus."),
    number(
        "Orders a minute",
        f"60 * sum(rate({a.CREATED.name}[5m]))",
        unit="short",
        says="As analytics saw them, over five minutes.",
    ),
    number(
        "Revenue of the last hour",
        "3600 * orderflow:revenue:rate1h",
        unit="short",
        says="By currency, cancelled orders included.",
        legend="{{currency}}",
    ),
    number(
        "Oldest event not published",
        "orderflow:log_waiting_seconds:max",
        unit="s",
        says="What waits in the log for the relay.",
        limits=(30, 60),
    ),
    number(
        "Furthest consumer behind",
        "max(orderflow:consumer_own_lag_seconds:max)",
        unit="s",
        says="Age of the oldest published event that it has yet to handle.",
        limits=(30, 60),
    ),
    number("Parked orders", "sum(orderflow:parked_orders:max)", unit="short", says="Of all consumers.", limits=(1, 10)),
    number(
        "Answers that are 5xx",
        "orderflow:http_errors:ratio5m",
        unit="percentunit",
        says="Among all of five minutes, probes aside.",
        limits=(0.005, 0.01),
    ),
)

REVENUE_COMPARED = lines(
    "Revenue an hour, and a week ago",
    ("3600 * orderflow:revenue:rate1h", "{{currency}}"),
    ("3600 * orderflow:revenue:rate1h offset 1w", "{{currency}} a week ago"),
    unit="short",
    says="The alert compares these two.",
)
UNTOUCHED = lines(
    "Longest untouched, by state",
    (f"max by (state) ({a.ORDERS_OLDEST.name})", "{{state}}"),
    ("orderflow:limit:state_seconds", "{{state}}: limit"),
    unit="s",
    says=a.ORDERS_OLDEST.help,
)
OWN_LAG = lines(
    "A consumer's own lag",
    ("orderflow:consumer_own_lag_seconds:max", "{{consumer}}"),
    ("orderflow:limit:consumer_lag_seconds", "limit"),
    unit="s",
    says="Without what has not been published yet.",
)
WAITING = lines(
    "Oldest event not published",
    (f"max({a.LOG_WAITING_AGE.name})", "oldest"),
    ("orderflow:limit:relay_lag_seconds", "limit while some are published"),
    ("orderflow:limit:stalled_seconds", "limit while none is"),
    unit="s",
    says=a.LOG_WAITING_AGE.help,
)
ERRORS = lines(
    "Share of 5xx",
    ("orderflow:http_errors:ratio5m", "errors"),
    ("orderflow:limit:http_error_ratio", "limit"),
    unit="percentunit",
    says="Among all answers of five minutes, probes aside.",
)
HANDLER_ERRORS = lines(
    "Share of failures by consumer",
    ("orderflow:handler_errors:ratio5m", "{{consumer}}"),
    ("orderflow:limit:handler_error_ratio", "limit"),
    unit="percentunit",
    says="Among all that handlers took on within five minutes.",
)
DATABASE_UP = lines(
    "Does the database answer?",
    (f"min by (part, instance) ({a.DATABASE_UP.name})", "{{part}} {{instance}}"),
    unit="short",
    says=a.DATABASE_UP.help,
)
SEEN = lines(
    "Processes", ('sum by (part) (up{job="orderflow"})', "{{part}}"), unit="short", says="That answered Prometheus."
)

Row = tuple[str, Sequence[Panel]]

ROWS: Sequence[Row] = (
    ("At a glance", GLANCE),
    (
        "Business",
        (
            of(a.CREATED, per="minute", title="Orders a minute"),
            REVENUE_COMPARED,
            of(a.REVENUE, "currency", per="minute", title="Revenue a minute by currency"),
            of(a.REVENUE_LOST, "currency", per="minute", title="Cancelled revenue a minute by currency"),
            of(a.ENDED, "state", per="minute", title="Orders ended by state"),
            of(a.CANCELLATIONS, "reason", per="minute", title="Cancellations a minute by reason"),
            of(a.DELIVERY, title="From placing to delivery"),
            of(a.PROCESSING, "state", quantiles=(0.5, 0.95), title="From placing to the final state"),
        ),
    ),
    (
        "Orders",
        (
            of(a.ORDERS, "state", title="Open orders by state"),
            UNTOUCHED,
            of(a.IN_STATE, "state", quantiles=(0.5, 0.95), title="Time in each state"),
            of(a.COMMANDS, "command", "outcome", title="Commands by outcome"),
            of(a.COMMAND_SECONDS, "command", quantiles=(0.5, 0.99), title="Until a command was done"),
        ),
    ),
    (
        "Publishing",
        (
            WAITING,
            of(a.LOG_WAITING, title="Events not published"),
            of(a.LOG_HELD, title="Events held back by the rollout"),
            of(a.SENT_MESSAGES, "type", "via", "outcome", title="Events sent by type"),
            of(a.SEND_SECONDS, "via", "outcome", title="Until Kafka had a batch"),
            of(a.SEND_BATCH, "via", quantiles=(0.5, 0.95), title="Events in a batch to Kafka"),
            of(a.LOG_EVENTS, title="Events in the log"),
            of(a.PARTITION_EVENTS, "partition", title="Events by partition"),
            of(a.PARTITION_SKEW, title="Skew of the partitions"),
        ),
    ),
    (
        "Consumers",
        (
            OWN_LAG,
            of(a.LAG_SECONDS, "consumer", title="Lag in seconds"),
            of(a.LAG, "consumer", title="Lag in events"),
            HANDLER_ERRORS,
            of(a.PROCESSED, "consumer", "type", "outcome", title="Events handled, by type and outcome"),
            of(a.CONSUMED, "consumer", "outcome", title="Records received, by what came of them"),
            of(a.PROCESS_SECONDS, "consumer", "type", quantiles=(0.95,), title="In a handler, for one event"),
            of(a.BATCH_SECONDS, "consumer", quantiles=(0.5, 0.95), title="For a consumer's batch"),
            of(a.BATCH_EVENTS, "consumer", quantiles=(0.5, 0.95), title="Records in a consumer's batch"),
            of(a.PAUSED, "consumer", title="Consumers that somebody paused"),
            of(a.PARKED, "consumer"),
            of(a.DEAD_LETTERS, "consumer"),
            of(a.FOREIGN, "consumer"),
            of(a.GAPS, "consumer", title="Gaps found"),
            of(a.NOTIFIED, "channel", "outcome", quantiles=(0.5, 0.95), title="Until a channel took a message"),
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
                says="Answers begun, live streams among them.",
            ),
            of(a.HTTP_SECONDS, "route", quantiles=(0.5, 0.99), title="Until an answer begins, by route"),
            of(a.HTTP_ACTIVE, title="Requests being answered"),
        ),
    ),
    (
        "Database",
        (
            DATABASE_UP,
            of(a.COMMIT_SECONDS, "outcome", title="Until a unit of work was durable"),
            of(a.STATEMENT_SECONDS, "operation", quantiles=(0.5, 0.95), title="Until a statement was done"),
            of(a.STATEMENT_ERRORS, title="Statements that failed"),
            of(a.POOL, "state", title="Connections of the pool"),
            of(a.POOL_MAX, title="Connections allowed"),
        ),
    ),
    (
        "Kafka's client",
        (
            of(a.BROKER_UP, "client", "broker", title="Brokers that are connected"),
            of(a.BROKER_ROUND_TRIP, "client", "broker", "quantile", title="Round trip to a broker"),
            of(a.BROKER_ERRORS, "client", "broker", title="Requests to a broker that failed"),
            of(a.TRANSACTION_ERRORS, "error", title="Transactions given up, by error"),
            of(a.QUEUE_MESSAGES, "client", title="Messages in the client"),
            of(a.QUEUE_BYTES, "client", title="Bytes in the client"),
        ),
    ),
    ("Processes", (SEEN, of(a.SCRAPE_ERRORS, "backend", title="Scrapes that left something out"))),
)
WIDTH = 24


def rows() -> Sequence[Row]:
    """ROWS, and behind them one of the metrics that stand in none of those."""
    asked = " ".join(expression for _, panels in ROWS for panel in panels for expression, _ in panel.questions)
    named = set(re.findall(r"[\w:]+", asked))
    rest = [
        of(metric, *(label.name for label in metric.labels))
        for metric in a.CATALOGUE
        if not named & {metric.name, f"{metric.name}_bucket"}
    ]
    return [*ROWS, *([("Everything else", rest)] if rest else [])]


def dashboard() -> Json:
    """The whole dashboard as Grafana imports it."""
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
    """The same as text; made twice it is the same text."""
    return json.dumps(dashboard(), indent=1) + "\n"


def _placed() -> Iterator[Json]:
    """Rows from top to bottom, three panels side by side; the first row is of small ones."""
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
