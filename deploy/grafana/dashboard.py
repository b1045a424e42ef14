"""The dashboard in Grafana's import format: its settings, and the positions of its panels."""

import json
from collections.abc import Iterator

from .panels import SOURCE, Json
from .rows import SUMMARY, rows

WIDTH = 24


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
        "templating": {"list": [_datasource_variable(), _part_variable()]},
        "annotations": {"list": [_alert_annotation()]},
        "panels": list(_panels()),
    }


def dashboard_json() -> str:
    """Return the dashboard as JSON text. Equal dashboards give equal text."""
    return json.dumps(dashboard(), indent=1) + "\n"


def _panels() -> Iterator[Json]:
    """Yield the rows from top to bottom, with three panels side by side; the first row has small ones."""
    panel_id, y = 1, 0
    for title, panels in rows():
        yield {
            "id": panel_id,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        panel_id, y = panel_id + 1, y + 1
        is_summary = panels is SUMMARY
        width, height = (WIDTH // 8, 4) if is_summary else (WIDTH // 3, 8)
        for at, panel in enumerate(panels):
            row, column = divmod(at, WIDTH // width)
            yield panel.to_json(panel_id, column * width, y + row * height, width, height)
            panel_id += 1
        y += -(-len(panels) * width // WIDTH) * height


def _datasource_variable() -> Json:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _part_variable() -> Json:
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


def _alert_annotation() -> Json:
    return {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", alertname=~"Orderflow.*"}',
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }
