"""A real Prometheus for tests: this machine's own program, in a temporary folder on a free loopback port."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml
from attrs import define, field, frozen

from .local_server import LocalServer
from .servers import program
from .waiting import eventually

REMEDY = "Install it (Debian: apt-get install prometheus)"
DURATION = re.compile(r"(?P<before>[\[:]|offset )(?P<length>\d+(?:ms|[smhdwy]))\b")
"""Every place in an expression where a length of time stands: in brackets, or behind ``offset``."""


@frozen
class Alert:
    """One alert that is ``pending`` or ``firing``, with the labels that it goes out with."""

    name: str
    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@frozen
class Target:
    """Whom to scrape, and the labels that its metrics get."""

    address: str
    labels: Mapping[str, str]


@define(eq=False)
class LocalPrometheus(LocalServer):
    """A Prometheus that scrapes ``targets`` every second as the job ``orderflow``, by the rules of ``rules``.

    :raises MissingServer: when this machine has no Prometheus, at :meth:`start`.
    """

    rules: str
    targets: Sequence[Target]
    _client: httpx.Client = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=180)

    def answers(self) -> bool:
        try:
            return self._client.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def alerts(self) -> Sequence[Alert]:
        """Those that are pending or firing now."""
        return [
            Alert(found["labels"]["alertname"], found["state"], found["labels"], found["annotations"])
            for found in self._answer("/api/v1/alerts")["alerts"]
        ]

    def firing(self, **labels: str) -> set[str]:
        """The names of the alerts that fire now and have at least these labels."""
        return {
            alert.name for alert in self.alerts() if alert.state == "firing" and labels.items() <= alert.labels.items()
        }

    def wait_firing(self, name: str, *, deadline: float = 60.0, **labels: str) -> None:
        """Return when that alert fires with at least these labels.

        :raises AssertionError: at the deadline, in seconds, with all alerts that there were instead.
        """
        self._wait(lambda: name in self.firing(**labels), f"{name} {dict(labels)} fires", deadline)

    def wait_each_fired(self, expected: Iterable[tuple[str, Mapping[str, str]]], *, deadline: float) -> None:
        """Return when each of these alerts, with at least its labels, has fired; not all at one time."""
        missing = list(expected)

        def all_fired() -> bool:
            missing[:] = [(name, labels) for name, labels in missing if name not in self.firing(**labels)]
            return not missing

        self._wait(all_fired, f"each has fired of {missing}", deadline)

    def wait_clear(self, *names: str, deadline: float = 60.0) -> None:
        """Return when none of them fires; without names, when nothing does."""

        def clear() -> bool:
            firing = self.firing()
            return not (firing & set(names) if names else firing)

        self._wait(clear, f"{', '.join(names) or 'no alert'} fires no more", deadline)

    def query(self, expression: str) -> Mapping[tuple[tuple[str, str], ...], float]:
        """Return the result of an instant query: values by their labels, sorted."""
        result = self._answer("/api/v1/query", query=expression)["result"]
        return {tuple(sorted(found["metric"].items())): float(found["value"][1]) for found in result}

    def unhealthy(self) -> Mapping[str, str]:
        """Rules that cannot be evaluated, and targets that cannot be scraped, with Prometheus' words about each."""
        groups = self._answer("/api/v1/rules")["groups"]
        rules = {
            rule["name"]: rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")
        }
        targets = self._answer("/api/v1/targets")["activeTargets"]
        return rules | {target["scrapeUrl"]: target["lastError"] for target in targets if target["lastError"]}

    def _wait(self, condition: Any, that: str, deadline: float) -> None:
        try:
            eventually(condition, deadline=deadline, every=0.1, that=that)
        except AssertionError as e:
            seen = "\n".join(f"{alert.state} {dict(alert.labels)}" for alert in self.alerts())
            raise AssertionError(f"{e}\nalerts:\n{seen or '(none)'}\nunhealthy: {dict(self.unhealthy())}") from None

    def _answer(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters)
        assert answer.is_success, f"{path} {parameters} was answered {answer.status_code}: {answer.text}"
        return answer.json()["data"]

    def command(self, home: Path) -> list[str]:
        (home / "rules.yml").write_text(self.rules, encoding="utf-8")
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {
                    "job_name": "orderflow",
                    "static_configs": [
                        {"targets": [target.address], "labels": dict(target.labels)} for target in self.targets
                    ],
                }
            ],
        }
        (home / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")  # YAML reads JSON
        return [
            program("prometheus", remedy=REMEDY),
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--query.lookback-delta=5s",
            "--rules.alert.resend-delay=1s",
        ]


def promtool(*arguments: str | Path) -> str:
    """Run promtool, and return its output.

    :raises AssertionError: when it finds a fault, with all that it said.
    :raises MissingServer: when this machine has none.
    """
    done = subprocess.run(
        [program("promtool", remedy=REMEDY), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"promtool {arguments[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def hurried(rules: str, *, lengths: Mapping[str, str], limits: Mapping[str, float]) -> str:
    """The text of a rules file in which all goes faster, and nothing else is changed.

    :param lengths: what each length of time (``for``, ``[5m]``, ``offset 1w``) becomes.
    :param limits: new values of the recording rules that are one number, by name.
    :raises KeyError: for a length that ``lengths`` does not have, or a limit that no rule records.
    """

    def shorter(text: str) -> str:
        return DURATION.sub(lambda found: found["before"] + lengths[found["length"]], text)

    document = yaml.safe_load(rules)
    every = [rule for group in document["groups"] for rule in group["rules"]]
    for rule in every:
        rule["expr"] = str(limits.get(rule.get("record"), shorter(rule["expr"])))
        rule |= {name: lengths[rule[name]] for name in ("for", "keep_firing_for") if name in rule}
    if unknown := limits.keys() - {rule.get("record") for rule in every}:
        raise KeyError(f"no rule records {', '.join(sorted(unknown))}")
    return str(yaml.safe_dump(document, sort_keys=False))
