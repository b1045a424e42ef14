"""The manifests as kubectl makes them of deploy/kubernetes, against Kubernetes' own schemas, and against each other."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from orderflow.adapters.telemetry.metrics.catalogue import LAG
from orderflow.entrypoints.settings import CONSUMERS

from tests.support.deployed import DEPLOY, dockerfile, kustomized, pods
from tests.support.prometheus import promtool
from tests.support.promql import names
from tests.support.servers import obtain

VERSION = "1.32.0"
FOLDER = DEPLOY / "kubernetes"


def manifests(*folders: str) -> list[dict[str, Any]]:
    return obtain(lambda: [one for folder in folders for one in kustomized(folder)])


def named(kind: str, *folders: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in manifests(*(folders or (".",))) if one["kind"] == kind}


@pytest.mark.parametrize("folder", ["setup", "."])
def test_every_manifest_is_one_of_kubernetes(folder: str) -> None:
    for one in manifests(folder):
        kubernetes_validate.validate(one, VERSION, strict=True)


def test_the_example_of_a_secret_is_one_too() -> None:
    kubernetes_validate.validate(yaml.safe_load((FOLDER / "secret.example.yaml").read_text()), VERSION, strict=True)


def test_what_is_no_manifest_is_found_out() -> None:
    wrong = deepcopy(named("Deployment")["api"])
    wrong["spec"]["template"]["spec"]["containers"][0]["image_pull"] = "Always"

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_every_file_of_the_folder_is_in_a_kustomization() -> None:
    known = {"kustomization.yaml", "secret.example.yaml", "scrape.yml"}
    for folder in (FOLDER, FOLDER / "setup", FOLDER / "keda"):
        read = yaml.safe_load((folder / "kustomization.yaml").read_text())
        known |= {*read["resources"], *(patch["path"] for patch in read.get("patches", ()))}

    assert {file.name for file in FOLDER.rglob("*.y*ml")} == known


def test_every_pod_is_locked_down_and_bounded() -> None:
    for name, pod in pods(manifests("setup", ".")):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            locked = container["securityContext"]
            assert locked["allowPrivilegeEscalation"] is False, name
            assert locked["readOnlyRootFilesystem"] is True, name
            assert locked["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert container["resources"]["limits"].keys() == {"memory"}, name


def test_everybody_is_run_as_the_user_of_the_image() -> None:
    (user,) = (each.text for each in dockerfile()[-1] if each.word == "USER")

    for name, pod in pods(manifests("setup", ".")):
        context = pod["spec"]["securityContext"]
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == user, name


def test_settings_and_secrets_come_from_what_is_there() -> None:
    there = {
        *named("ConfigMap", "setup"),
        yaml.safe_load((FOLDER / "secret.example.yaml").read_text())["metadata"]["name"],
    }

    for name, pod in pods(manifests("setup", ".")):
        for container in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]:
            asked = {next(iter(source.values()))["name"] for source in container["envFrom"]}
            assert asked == there, name


def test_every_process_has_a_budget_for_disruptions_that_lets_a_node_be_emptied() -> None:
    deployments, budgets = named("Deployment"), named("PodDisruptionBudget")

    assert budgets.keys() == deployments.keys()
    for name, budget in budgets.items():
        labels = deployments[name]["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
        always = budget["spec"].get("minAvailable", 0)
        assert always < least(name), "with as many as must be there, no node could ever be emptied"


def least(name: str) -> int:
    """Return the least number of replicas of that process."""
    if scaler := named("HorizontalPodAutoscaler").get(name):
        return int(scaler["spec"]["minReplicas"])
    return int(named("Deployment")[name]["spec"].get("replicas", 1))


def test_what_an_autoscaler_decides_is_not_said_in_the_deployment_too() -> None:
    scaled = [*named("HorizontalPodAutoscaler").values(), *named("ScaledObject", "keda").values()]

    for scaler in scaled:
        assert "replicas" not in named("Deployment")[scaler["spec"]["scaleTargetRef"]["name"]]["spec"]
    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled} == {"api", *CONSUMERS}


def test_consumers_are_scaled_by_a_lag_that_is_measured_up_to_the_number_of_partitions() -> None:
    partitions = int(named("ConfigMap", "setup")["orderflow-settings"]["data"]["ORDERFLOW_TOPIC_PARTITIONS"])

    for name, scaler in named("ScaledObject", "keda").items():
        (trigger,) = scaler["spec"]["triggers"]
        asked = names(trigger["metadata"]["query"])
        assert asked.metrics == {LAG.name: {"consumer"}}
        assert asked.values == {("consumer", name)}
        assert scaler["spec"]["maxReplicaCount"] == partitions
        assert scaler["spec"]["minReplicaCount"] == 1, "no process would report a lag"


def test_the_scaled_objects_are_of_the_form_that_keda_asks_for() -> None:
    known = {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "cooldownPeriod", "fallback", "triggers"}

    for scaler in named("ScaledObject", "keda").values():
        assert scaler["apiVersion"] == "keda.sh/v1alpha1"
        assert scaler["spec"].keys() <= known
        (trigger,) = scaler["spec"]["triggers"]
        assert trigger["type"] == "prometheus"
        assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
        assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_the_network_lets_in_what_is_served() -> None:
    labels = named("Deployment")["api"]["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in named("Deployment")["api"]["spec"]["template"]["spec"]["containers"][0]["ports"]}

    policies = named("NetworkPolicy").values()

    let_in = {port["port"] for policy in policies for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert let_in == ports
    assert all(policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items() for policy in policies)


def test_prometheus_reads_how_processes_are_named(tmp_path: Path) -> None:
    """Debian's Prometheus is made without Kubernetes' service discovery, so that part is left out here."""
    config = yaml.safe_load((FOLDER / "scrape.yml").read_text())
    (job,) = config["scrape_configs"]

    (discovery,) = job.pop("kubernetes_sd_configs")
    (tmp_path / "scrape.yml").write_text(yaml.safe_dump(config))

    obtain(lambda: promtool("check", "config", tmp_path / "scrape.yml"))
    assert discovery == {"role": "pod", "namespaces": {"names": ["orderflow"]}}
    assert job["job_name"] == "orderflow"
    assert "part" in {rule.get("target_label") for rule in job["relabel_configs"]}
