"""Kafka by TLS and with a login: everything works, and what is wrong is said and loses nothing."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
import trustme

from tests.support.commands import CommandLine, order_json
from tests.support.installation import Installation, installation
from tests.support.kafka import KafkaBroker, SecuredListener
from tests.support.stack import Stack
from tests.support.waiting import eventually

CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@pytest.fixture
def listener(secured_kafka: KafkaBroker) -> SecuredListener:
    assert secured_kafka.secured is not None
    return secured_kafka.secured


@pytest.fixture
def orderflow(tmp_path: Path, migrated_url: str, listener: SecuredListener, topic_name: str) -> Iterator[Installation]:
    """An installation on PostgreSQL and the secured Kafka, its topic made."""
    stack = Stack(tmp_path, migrated_url, listener.address, topic_name, settings=dict(listener.settings))
    with installation(stack) as here:
        here.run("topics", "create")
        yield here


@pytest.fixture
def another_authority(tmp_path: Path) -> str:
    """A PEM file of an authority that has issued no certificate."""
    file = tmp_path / "another.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return str(file)


def faults(listener: SecuredListener, another_authority: str) -> Mapping[str, tuple[dict[str, str], str]]:
    """Return the wrong settings of each fault, and the text that must report it."""
    return {
        "password": ({"KAFKA_SASL_PASSWORD": "guessed"}, "the login is refused"),
        "authority": ({"KAFKA_SSL_CA_LOCATION": another_authority}, "is not signed by a trusted authority"),
        "host": ({"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{listener.port}"}, "is for another host name"),
    }


@pytest.mark.parametrize("fault", ["password", "authority", "host"])
def test_an_operator_learns_which_of_login_authority_and_host_is_wrong(
    listener: SecuredListener, another_authority: str, fault: str
) -> None:
    wrong, reason = faults(listener, another_authority)[fault]
    settings = {"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": listener.address, **listener.settings}
    settings |= {f"ORDERFLOW_{name}": value for name, value in wrong.items()}

    answer = CommandLine("memory://", settings)("topics", "describe")

    assert answer.code == 5
    assert reason in answer.err
    assert listener.password not in answer.err
    assert "guessed" not in answer.err


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"SSL_CA_LOCATION": "another"}, "kafka_tls"),
        ({"SECURITY_PROTOCOL": "PLAINTEXT"}, "kafka_tls"),
        ({"SSL_CA_LOCATION": "/nowhere.pem"}, "kafka_settings"),
    ],
)
def test_the_doctor_calls_what_is_set_wrongly_by_its_name(
    listener: SecuredListener, another_authority: str, wrong: dict[str, str], code: str
) -> None:
    settings = {"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": listener.address, **listener.settings}
    settings |= {
        f"ORDERFLOW_KAFKA_{name}": value.replace("another", another_authority) for name, value in wrong.items()
    }

    doctor = CommandLine("memory://", settings)("--json", "doctor")

    assert [finding["code"] for finding in doctor.data["findings"]] == [code]
    assert listener.password not in doctor.out + doctor.err


def test_an_order_goes_all_the_way_and_publishing_goes_on_once_a_wrong_password_is_corrected(
    orderflow: Installation, listener: SecuredListener
) -> None:
    wrong = orderflow.start("serve", KAFKA_SASL_PASSWORD="guessed")

    placed = _place(wrong.url, "o1")
    said = [wrong.line(f"{reader} waits")["event"] for reader in ("relay", "analytics")]
    eventually(lambda: "the login is refused" in _not_ready(wrong.url), every=0.2, that="the API says why")
    waiting = {lag["reader"]: lag["events"] for lag in orderflow.run("lag")}
    ended = wrong.exit_code(signal.SIGTERM)

    assert placed == 201
    assert all("the login is refused" in line for line in said)
    assert waiting["relay"] == waiting["analytics"] == 1
    assert ended == 0
    right = orderflow.start("serve")
    assert _place(right.url, "o2") == 201
    eventually(lambda: not any(lag["events"] for lag in orderflow.run("lag")), every=0.2)
    assert orderflow.run("check")["clean"]
    for process in (wrong, right):
        assert "guessed" not in process.said()
        assert listener.password not in process.said()


def test_direct_publishing_goes_by_it_too_and_says_what_is_wrong(
    orderflow: Installation, another_authority: str
) -> None:
    service = orderflow.start("serve", "--no-consumers", PUBLISHING="direct")
    wrong = orderflow.start("serve", "--no-consumers", PUBLISHING="direct", KAFKA_SSL_CA_LOCATION=another_authority)

    placed = [_place(service.url, "o1"), _place(wrong.url, "o2")]

    assert placed == [201, 201]
    assert "is not signed by a trusted authority" in wrong.line("event not published")["problem"]
    stands = orderflow.run("events", "tail", "--from-beginning", "--limit", "1")
    assert orderflow.stack.topic in stands["foreign"]  # without an address in the log, which only a relay's have


def _not_ready(url: str) -> str:
    """Return why Kafka keeps the API from being ready; empty if nothing does."""
    answer = httpx.get(f"{url}/readyz", timeout=180)
    return str(answer.json()["checks"]["kafka"]) if answer.status_code == 503 else ""


def _place(url: str, order_id: str) -> int:
    return httpx.post(f"{url}/v1/orders", content=order_json(order_id), headers=CUSTOMER, timeout=180).status_code
