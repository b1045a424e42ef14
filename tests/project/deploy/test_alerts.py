"""The alerting rules: well-formed, of metrics that exist, each with its page, each tried on both sides."""

import re
from pathlib import Path

import pytest
import yaml
from orderflow.domain.lifecycle import LATE_AFTER

from tests.support.pages import understand_orderflow
from tests.support.prometheus import promtool
from tests.support.rules import DEPLOY, RULES, Known, alerts, rules
from tests.support.servers import obtain

PAGES = sorted((DEPLOY.parent / "docs" / "runbooks").glob("*.md"))
TESTS = sorted((DEPLOY / "prometheus").glob("tests*.yml"))


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    said = obtain(lambda: promtool("check", "rules", RULES))

    promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")

    assert f"{len(rules())} rules found" in said


@pytest.mark.parametrize("tests", TESTS, ids=lambda path: path.name)
def test_the_rules_keep_what_their_own_tests_ask(tests: Path) -> None:
    said = obtain(lambda: promtool("test", "rules", tests))

    assert "SUCCESS" in said


def test_every_alert_is_tried_on_both_sides_of_its_limit() -> None:
    tried = [
        (case["alertname"], bool(case.get("exp_alerts")))
        for tests in TESTS
        for test in yaml.safe_load(tests.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]

    assert {alert for alert, fires in tried if fires} == set(alerts())
    assert {alert for alert, fires in tried if not fires} == set(alerts())


def test_the_rules_name_only_what_exists() -> None:
    assert rules()
    assert [fault for rule in rules() for fault in Known.now().faults(rule["expr"])] == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("orderflow_orders_total", "no metric orderflow_orders_total"),
        ("orderflow:lag", "no metric orderflow:lag"),
        ("orderflow_command_duration_seconds", "no metric orderflow_command_duration_seconds"),
        ('orderflow_parked_orders{topic="a"}', "orderflow_parked_orders has no label topic"),
        ("sum by (le) (orderflow_parked_orders)", "no label le"),
        ('orderflow_commands_total{command="eat"}', "command is never 'eat'"),
        ('orderflow:revenue:rate1h{state="x"}', "orderflow:revenue:rate1h has no label state"),
    ],
)
def test_a_name_that_does_not_exist_is_found_out(expression: str, fault: str) -> None:
    assert Known.now().faults(expression) == [fault]


def test_every_record_is_used_by_an_alert_or_the_dashboard() -> None:
    dashboard = (DEPLOY / "grafana" / "orderflow.json").read_text(encoding="utf-8")
    used = dashboard + " ".join(rule["expr"] for rule in rules())

    assert [rule["record"] for rule in rules() if "record" in rule and rule["record"] not in used] == []


def test_an_alert_says_how_bad_it_is_since_when_and_what_to_do() -> None:
    for name, alert in alerts().items():
        assert alert["labels"]["severity"] in ("critical", "warning"), name
        assert alert["for"], name
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}, name


def test_every_alert_has_a_runbook_of_its_name_and_no_other_is_there() -> None:
    pages = [DEPLOY.parent / alert["annotations"]["runbook_url"] for alert in alerts().values()]
    names = [re.findall("[A-Z][a-z]+", alert.removeprefix("Orderflow")) for alert in alerts()]

    assert sorted(pages) == PAGES
    assert [page.stem for page in pages] == ["-".join(words).lower() for words in names]


def test_a_runbook_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        headings = re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.MULTILINE)
        assert headings == ["What it means", "What to look at", "What to do"], page.name
        assert re.search(r"^\$ orderflow ", text, re.MULTILINE), f"{page.name} has no command to look with"


def test_the_pages_name_only_metrics_that_exist() -> None:
    texts = [page.read_text(encoding="utf-8") for page in (*PAGES, DEPLOY.parent / "docs" / "alerts.md")]

    named = [name for text in texts for name in re.findall(r"`([^`]*\borderflow[_:][^`]*)`", text)]

    assert named
    assert [fault for expression in named for fault in Known.now().faults(expression)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_runbook_speaks_of_exists(page: Path) -> None:
    commands = re.findall(r"`(orderflow [a-z][^`]*)`", page.read_text(encoding="utf-8"))

    for command in commands:
        understand_orderflow(command)


def test_the_page_of_alerts_lists_every_alert_and_every_limit_as_it_is() -> None:
    page = (DEPLOY.parent / "docs" / "alerts.md").read_text(encoding="utf-8")

    for table in (_alerts_table(), _limits_table()):
        assert table in page, f"docs/alerts.md must show:\n\n{table}"


def _alerts_table() -> str:
    rows = ["| alert | | fires after | what it says | page |", "|---|---|---|---|---|"]
    for name, alert in alerts().items():
        page = Path(alert["annotations"]["runbook_url"])
        description = alert["annotations"]["description"]
        rows.append(
            f"| `{name}` | {alert['labels']['severity']} | {alert['for']} | {description} "
            f"| [{page.stem.replace('-', ' ')}](runbooks/{page.name}) |"
        )
    return "\n".join(rows) + "\n"


def _limits_table() -> str:
    rows = ["| limit | |", "|---|---|"]
    for rule in rules():
        if rule.get("record", "").startswith("orderflow:limit:"):
            of = "".join(f", {value}" for value in rule.get("labels", {}).values())
            rows.append(f"| `{rule['record']}`{of} | {rule['expr']} |")
    return "\n".join(rows) + "\n"


def test_an_order_is_late_after_the_limit_of_the_alert_for_its_state() -> None:
    limits = {
        rule["labels"]["state"]: float(rule["expr"])
        for rule in rules()
        if rule.get("record") == "orderflow:limit:state_seconds"
    }

    assert {state.value: after.total_seconds() for state, after in LATE_AFTER.items()} == limits
