"""Several workers that share PROMETHEUS_MULTIPROC_DIR expose at each scrape what all of them counted."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from orderflow.adapters.telemetry.metrics import catalogue

from tests.support.commands import order_json
from tests.support.installation import Installation, installation
from tests.support.metrics import Samples
from tests.support.stack import Stack
from tests.support.waiting import eventually

CUSTOMER = {"X-Actor": "customer:C1", "Content-Type": "application/json"}


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation on a SQLite file whose processes share one folder of metrics."""
    shared = tmp_path / "metrics"
    shared.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))
    with installation(Stack(tmp_path, f"sqlite:///{tmp_path}/orderflow.db", "", "orders")) as here:
        here.run("db", "upgrade")
        yield here


def test_two_workers_add_up_what_they_count_and_expose_states_once(workers: Installation) -> None:
    first, second = workers.start("serve"), workers.start("serve", "--no-consumers")
    for number in range(5):
        worker = first if number < 2 else second
        asked = httpx.post(f"{worker.url}/v1/orders", content=order_json(f"o{number}"), headers=CUSTOMER, timeout=180)
        assert asked.status_code == 201
    eventually(lambda: Samples.at(second.operations).total(catalogue.CREATED) == 5, that="analytics has handled all")

    for worker in (first, second):
        seen = Samples.complete(worker.operations)
        assert seen.by(catalogue.COMMANDS, "outcome", command="create_order") == {"ok": 5}
        assert seen.total(catalogue.HTTP_SECONDS, "_count", route="/v1/orders", status="201") == 5
        assert seen.total(catalogue.HTTP_SECONDS, "_bucket", route="/v1/orders", le="+Inf") == 5
        assert seen.total(catalogue.REVENUE, currency="USD") == 5 * 25
        assert seen.by(catalogue.ORDERS, "state") == {"waiting_for_shipper": 5}
        assert seen.total(catalogue.LOG_EVENTS) == 5
        assert seen.total(catalogue.POOL_MAX) == 20

    assert second.exit_code(signal.SIGTERM) == 0
    left = Samples.complete(first.operations)
    assert left.total(catalogue.COMMANDS) == 5
    assert left.total(catalogue.POOL_MAX) == 10


def test_a_folder_that_is_not_there_is_named(workers: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere/metrics")

    service = workers.start("serve", "--no-consumers")

    assert service.exit_code() == 1
    assert "PROMETHEUS_MULTIPROC_DIR" in service.said()
    assert "Traceback" not in service.said()
