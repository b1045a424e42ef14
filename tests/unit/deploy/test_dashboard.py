"""The dashboard is drawn from the catalogue, shows all of it, and names nothing that does not exist."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy.grafana.dashboard import rows, written
from deploy.grafana.panels import of
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.adapters.telemetry.metrics.catalogue import CATALOGUE, COMMANDS, Kind, Metric

from tests.support.prometheus import promtool
from tests.support.promql import names
from tests.support.rules import DEPLOY, Known
from tests.support.servers import obtain

KEPT = json.loads((DEPLOY / "grafana" / "orderflow.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in KEPT["panels"] if panel["type"] != "row"]


def questions(panel: dict[str, Any]) -> list[str]:
    """Its expressions, with Grafana's own variables as Grafana fills them in."""
    return [target["expr"].replace("$__rate_interval", "1m").replace("$part", ".*") for target in panel["targets"]]


def test_the_dashboard_that_is_kept_is_the_one_that_is_drawn_now() -> None:
    kept = (DEPLOY / "grafana" / "orderflow.json").read_text(encoding="utf-8")

    assert kept == written(), "run python -m deploy.grafana"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel['id']} {panel['title']}")
def test_a_panel_names_only_what_exists(panel: dict[str, Any]) -> None:
    known = Known.now()

    assert panel["description"]
    assert [fault for question in questions(panel) for fault in known.faults(question)] == []


def test_every_metric_stands_on_the_dashboard() -> None:
    shown = {name for panel in PANELS for question in questions(panel) for name in names(question).metrics}

    missing = [metric.name for metric in CATALOGUE if not {metric.name, f"{metric.name}_bucket"} & shown]

    assert missing == []


def test_a_metric_that_nobody_gave_a_place_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Metric("orderflow_new_total", Kind.COUNTER, "New ones.", COMMANDS.labels)
    monkeypatch.setattr(catalogue, "CATALOGUE", (*CATALOGUE, new))

    title, panels = rows()[-1]

    assert title == "Everything else"
    assert [panel.title for panel in panels] == ["New by command and outcome"]


def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    asked = [question for panel in PANELS for question in questions(panel)]
    records = [{"record": f"question:{number}", "expr": question} for number, question in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))

    said = obtain(lambda: promtool("check", "rules", tmp_path / "rules.yml"))

    assert f"{len(asked)} rules found" in said


def test_no_panel_covers_another() -> None:
    places = [(panel["id"], panel["gridPos"]) for panel in KEPT["panels"]]

    assert len({number for number, _ in places}) == len(places)
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for _, place in places)
    assert [(one, other) for (one, a), (other, b) in combinations(places, 2) if _overlap(a, b)] == []


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]
    )


def test_a_panel_by_a_label_that_its_metric_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="orderflow_commands_total has no label consumer"):
        of(COMMANDS, "command", "consumer")
