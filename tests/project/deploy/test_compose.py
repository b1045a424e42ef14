"""The compose file against the specification's schema, and against the files that it mounts."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.support.deployed import DEPLOY, PASSWORDS, compose
from tests.support.published import NpmPackage
from tests.support.servers import obtain

SPECIFICATION = NpmPackage(
    "dclint",
    "3.1.0",
    "afTGdzRFUXK4yCpIiEW/LOR+9TOMEDhNldDp56VCWzn7JDmD451PcUi640GGlMHgbHKJ10rDBm4PtpcBbjqlXw==",
)
"""A linter of compose files, which brings the specification's schema."""


@pytest.fixture(scope="module")
def specification() -> Draft7Validator:
    return Draft7Validator(json.loads((obtain(SPECIFICATION.folder) / "schemas" / "compose.schema.json").read_text()))


def test_it_is_a_compose_file(specification: Draft7Validator) -> None:
    faults = [f"{fault.json_path}: {fault.message}" for fault in specification.iter_errors(compose())]

    assert faults == []


def test_what_is_no_compose_file_is_found_out(specification: Draft7Validator) -> None:
    wrong = compose()
    wrong["services"]["api"]["port"] = ["8080:8080"]

    assert not specification.is_valid(wrong)


def test_every_service_waits_for_services_that_are_there_and_become_ready() -> None:
    services = compose()["services"]

    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            assert other in services, name
            if condition == "service_healthy":
                assert services[other]["healthcheck"]["test"], (name, other)
            else:
                assert condition == "service_completed_successfully", name
                assert services[other]["restart"] == "no", (name, other)


def test_every_image_is_a_release_that_is_named_exactly() -> None:
    for name, service in compose()["services"].items():
        release = service["image"].rpartition(":")[2]
        assert release.lstrip("v")[0].isdigit(), name
        assert release.count(".") >= 1, name


def test_every_file_that_is_mounted_is_there_and_every_volume_is_declared() -> None:
    loaded = compose()

    for service in loaded["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in loaded["volumes"], volume


def test_passwords_are_asked_for_and_are_nowhere() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOY / "compose.env.example").read_text(encoding="utf-8")

    asked = {name for name in PASSWORDS if f"${{{name}:?}}" in text}

    assert asked == set(PASSWORDS)
    assert [line for line in example.splitlines() if not line.startswith("#")] == [f"{name}=" for name in PASSWORDS]
    assert ".env" in (DEPLOY.parent / ".gitignore").read_text().splitlines()


def provisioned(file: str) -> Any:
    return yaml.safe_load((DEPLOY / "grafana" / "provisioning" / file).read_text(encoding="utf-8"))


def test_grafana_finds_the_prometheus_and_the_dashboard() -> None:
    services = compose()["services"]

    (source,) = provisioned("datasources/prometheus.yml")["datasources"]
    (provider,) = provisioned("dashboards/orderflow.yml")["providers"]

    assert source["url"] == "http://prometheus:9090"
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert Path(mounted["./grafana/orderflow.json"]).parent == Path(provider["options"]["path"])
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
