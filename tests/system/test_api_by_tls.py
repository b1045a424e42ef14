"""``orderflow serve`` with a certificate: a new certificate, and one that cannot be used."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from orderflow.adapters.telemetry.metrics import catalogue

from tests.support.certificates import Certificates
from tests.support.commands import order_json
from tests.support.installation import Installation, RunningProcess, installation
from tests.support.metrics import Samples
from tests.support.stack import Stack
from tests.support.waiting import eventually

CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path)
    made.write()
    return made


@pytest.fixture
def orderflow(tmp_path: Path, migrated_url: str, certificates: Certificates) -> Iterator[Installation]:
    """An installation on PostgreSQL, without Kafka, whose API has a certificate."""
    settings = {
        "ORDERFLOW_HTTP_TLS_CERTIFICATE": certificates.path("server.pem"),
        "ORDERFLOW_HTTP_TLS_KEY": certificates.path("server-key.pem"),
    }
    with installation(Stack(tmp_path, migrated_url, "", "orders", settings=settings)) as here:
        yield here


def serials(service: RunningProcess, certificates: Certificates) -> set[Any]:
    """The certificates that new connections get."""
    found = set()
    trusted = certificates.client()
    for _ in range(10):
        with (
            socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), timeout=180) as plain,
            trusted.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            found.add((secured.getpeercert() or {})["serialNumber"])
    return found


def test_new_certificates_are_used_by_every_worker_and_no_connection_is_lost(
    orderflow: Installation, certificates: Certificates
) -> None:
    service = orderflow.start("serve", "--workers", "2", "--no-consumers")
    url = service.url.replace("127.0.0.1", "localhost")
    with httpx.Client(base_url=url, verify=certificates.client(), timeout=180) as kept:
        placed = kept.post("/v1/orders", content=order_json("o1"), headers=CUSTOMER)
        before = serials(service, certificates)
        certificates.write(age="soon")
        eventually(
            lambda: len(now := serials(service, certificates)) == 1 and not now & before,
            every=0.5,
            that="every worker has the new certificate",
        )
        shown = kept.get("/v1/orders/o1", headers=CUSTOMER)
    findings = {found["code"]: found for found in orderflow.stack.command_line("--json", "doctor").data["findings"]}
    listening = {part["url"] for process in orderflow.run("status")["processes"] for part in process["parts"]}
    expires = Samples.at(service.operations).total(catalogue.HTTP_CERTIFICATE_EXPIRES)

    assert url.startswith("https://")
    assert (placed.status_code, shown.status_code) == (201, 200)
    assert len(before) == 1
    assert "expires on" in findings["certificate_expires"]["found"]
    assert service.url in listening
    assert expires > 1_000_000_000
    assert service.operations.startswith("http://")
    assert service.exit_code(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("workers", "age", "setting", "problem"),
    [
        ("1", "expired", {}, "has expired"),
        ("2", "valid", {"HTTP_TLS_KEY": "/none"}, "cannot be read: No such file"),
        ("2", "valid", {"HTTP_TLS_CERTIFICATE": ""}, "it is set without ORDERFLOW_HTTP_TLS_CERTIFICATE"),
    ],
)
def test_a_certificate_that_cannot_be_used_ends_the_start_with_the_reason(
    orderflow: Installation,
    certificates: Certificates,
    workers: str,
    age: str,
    setting: dict[str, str],
    problem: str,
) -> None:
    certificates.write(age=age)

    service = orderflow.attempt("serve", "--workers", workers, "--no-consumers", HTTP_DEV="true", **setting)

    assert service.code == 2
    assert problem in service.err
    assert "Traceback" not in service.err


def test_the_doctor_says_why_a_certificate_cannot_be_used(orderflow: Installation, certificates: Certificates) -> None:
    certificates.write(age="expired")

    result = orderflow.stack.command_line("--json", "doctor")

    findings = {found["code"]: found["found"] for found in result.data["findings"]}
    assert result.code == 1
    assert "has expired" in findings["certificate_unusable"]
