"""Every command and setting that the deployment files name exists, and their ports and deadlines agree."""

from collections.abc import Iterator
from typing import Any

import pytest
from orderflow import Settings, load_settings
from orderflow.entrypoints.cli.main import app
from orderflow.entrypoints.settings import CONSUMERS

from tests.support.deployed import (
    ProcessCommand,
    compose,
    compose_starts,
    dockerfile,
    image_environment,
    kubernetes_starts,
    kustomized,
    ours,
    pods,
    systemd_starts,
    units,
)
from tests.support.pages import TREE
from tests.support.servers import obtain

PROCESSES = {("serve", "--no-relay", "--no-consumers"), ("relay",), *(("consume", name) for name in CONSUMERS)}
BEFORE = {("db", "upgrade"), ("topics", "create")}
DEFAULTS = Settings()


def of_image() -> Iterator[ProcessCommand]:
    (command,) = (each.parts for each in dockerfile()[-1] if each.word == "CMD")
    yield ProcessCommand("image", command, ours(image_environment()))


STARTS = {
    "image": of_image,
    "compose": compose_starts,
    "kubernetes": kubernetes_starts,
    "systemd": systemd_starts,
}


def started(kind: str) -> list[ProcessCommand]:
    return obtain(lambda: list(STARTS[kind]()))


@pytest.mark.parametrize("kind", STARTS)
def test_every_command_is_one_of_orderflows(kind: str) -> None:
    for one in started(kind):
        app.parse_args(list(one.arguments), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("kind", ["compose", "kubernetes", "systemd"])
def test_every_process_is_started_after_schema_and_topic(kind: str) -> None:
    commands = {tuple(one.arguments) for one in started(kind) if one.arguments[0] != "tokens"}

    assert commands == PROCESSES | BEFORE


@pytest.mark.parametrize("kind", STARTS)
def test_every_variable_is_a_setting_with_a_value_that_is_allowed(kind: str) -> None:
    for one in started(kind):
        settings = load_settings(environment=one.environment)

        if kind != "image":
            assert settings.uses_kafka, one
            assert settings.database_url.startswith("postgresql://"), one


def test_a_setting_or_a_command_that_does_not_exist_is_found_out() -> None:
    with pytest.raises(Exception, match="ORDERFLOW_TOPIK"):
        load_settings(environment={"ORDERFLOW_TOPIK": "a"})
    with pytest.raises(Exception, match="replay-all"):
        app.parse_args(["replay-all"], exit_on_error=False, print_error=False)


@pytest.mark.parametrize("kind", ["compose", "kubernetes"])
def test_what_runs_in_a_container_listens_where_the_image_says(kind: str) -> None:
    exposed = {int(port) for each in dockerfile()[-1] if each.word == "EXPOSE" for port in each.parts}

    for one in started(kind):
        settings = load_settings(environment=one.environment)
        assert {settings.http_port, settings.ops_port} == exposed, one
        assert (settings.http_host, settings.ops_host) == ("0.0.0.0", "0.0.0.0"), one


def test_on_one_machine_each_unit_has_a_port_of_its_own() -> None:
    processes = [one for one in started("systemd") if tuple(one.arguments) in PROCESSES]

    ports = [load_settings(environment=one.environment).ops_port for one in processes]

    assert len(set(ports)) == len(processes) == 5
    assert 0 not in ports


def test_compose_gives_the_api_to_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in compose()["services"].items() if "ports" in service}

    assert published["api"] == ["127.0.0.1:8080:8080"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_kubernetes_asks_and_scrapes_the_ports_of_the_image() -> None:
    manifests = obtain(kustomized)
    ops, http = str(DEFAULT_OPS), str(DEFAULTS.http_port)

    for name, pod in pods(manifests):
        (container,) = pod["spec"]["containers"]
        ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        assert ports == ({"ops": ops, "http": http} if name == "api" else {"ops": ops}), name
        asked = {(container[f"{probe}Probe"]["httpGet"]["path"]) for probe in ("startup", "liveness", "readiness")}
        assert asked == {"/livez", "/readyz"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "ops"}
    (service,) = (one for one in manifests if one["kind"] == "Service")
    assert service["spec"]["ports"][0]["targetPort"] == "http"


DEFAULT_OPS = int(image_environment()["ORDERFLOW_OPS_PORT"])


def test_prometheus_scrapes_every_process_of_compose() -> None:
    scraped = (TREE / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")

    for one in started("compose"):
        if tuple(one.arguments) in PROCESSES:
            name = one.where.removeprefix("compose: ")
            assert f'"{name}:{DEFAULT_OPS}"' in scraped, one.where


def deadlines() -> Iterator[tuple[str, float]]:
    """Seconds until whatever started a process ends it by force."""
    for name, service in compose()["services"].items():
        if service["image"].startswith("orderflow:"):
            yield f"compose: {name}", float(service["stop_grace_period"].removesuffix("s"))
    for name, pod in pods(obtain(kustomized)):
        yield f"kubernetes: {name}", pod["spec"]["terminationGracePeriodSeconds"]
    for name, unit in units().items():
        if unit["Service"]["Type"] != "oneshot":
            yield f"systemd: {name}", float(unit["Service"]["TimeoutStopSec"])


def test_a_supervisor_waits_longer_than_a_process_takes_to_end_in_order() -> None:
    longest = max(
        load_settings(environment=one.environment).stop_seconds
        for kind in ("compose", "kubernetes", "systemd")
        for one in started(kind)
    )

    short = [where for where, seconds in deadlines() if seconds < longest + 5]

    assert short == []


def test_one_version_everywhere() -> None:
    from importlib.metadata import version

    image = f"orderflow:{version('orderflow-service')}"
    wanted: list[Any] = [service["image"] for service in compose()["services"].values() if "build" in service]
    for folder in ("setup", "."):
        for _, pod in pods(obtain(lambda folder=folder: kustomized(folder))):
            wanted += [each["image"] for each in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]]

    assert {one.rpartition("/")[2] for one in wanted} == {image}
