"""The dashboard is generated from the catalogue, has all of its metrics, and uses none that do not exist."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.grafana.dashboard import dashboard_json
from deploy.grafana.panels import metric_panel
from deploy.grafana.rows import rows
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.telemetry.metrics.catalogue import CATALOGUE, COMMANDS, Kind, Metric

from tests.support.prometheus import promtool
from tests.support.promql import names
from tests.support.rules import DEPLOY, Known
from tests.support.servers import obtain

COMMITTED = json.loads((DEPLOY / "grafana" / "orderflow.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in COMMITTED["panels"] if panel["type"] != "row"]


def expressions(panel: dict[str, Any]) -> list[str]:
    """Return the expressions of a panel, with values for Grafana's variables."""
    return [target["expr"].replace("$__rate_interval", "1m").replace("$part", ".*") for target in panel["targets"]]


def test_the_committed_dashboard_is_the_generated_one() -> None:
    committed = (DEPLOY / "grafana" / "orderflow.json").read_text(encoding="utf-8")

    assert committed == dashboard_json(), "run python -m deploy.grafana"


def test_a_panel_uses_only_metrics_and_labels_that_exist() -> None:
    metrics = Known.now()

    faults = {
        panel["title"]: [fault for expression in expressions(panel) for fault in metrics.faults(expression)]
        for panel in PANELS
    }

    assert {title: found for title, found in faults.items() if found} == {}


def test_every_panel_has_a_description() -> None:
    assert [panel["title"] for panel in PANELS if not panel["description"]] == []


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for panel in PANELS for expression in expressions(panel) for name in names(expression).metrics}

    missing = [metric.name for metric in CATALOGUE if not {metric.name, f"{metric.name}_bucket"} & shown]

    assert missing == []


def test_a_metric_without_a_row_is_in_the_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Metric("orderflow_new_total", Kind.COUNTER, "New ones.", COMMANDS.labels)
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, new))

    title, panels = rows()[-1]

    assert title == "Everything else"
    assert [panel.title for panel in panels] == ["New by command and outcome"]


def test_every_expression_is_valid_promql(tmp_path: Path) -> None:
    checked = [expression for panel in PANELS for expression in expressions(panel)]
    records = [{"record": f"expression:{number}", "expr": expression} for number, expression in enumerate(checked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))

    output = obtain(lambda: promtool("check", "rules", tmp_path / "rules.yml"))

    assert f"{len(checked)} rules found" in output


def test_no_panel_overlaps_another() -> None:
    positions = [(panel["id"], panel["gridPos"]) for panel in COMMITTED["panels"]]

    assert len({number for number, _ in positions}) == len(positions)
    assert all(position["x"] >= 0 and position["x"] + position["w"] <= 24 for _, position in positions)
    assert [(one, other) for (one, a), (other, b) in combinations(positions, 2) if _overlap(a, b)] == []


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )


def test_a_panel_by_a_label_that_its_metric_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="orderflow_commands_total has no label consumer"):
        metric_panel(COMMANDS, "command", "consumer")
