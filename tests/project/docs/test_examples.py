"""Every example does what its first line says."""

import asyncio
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from orderflow import OrderFlow, OrderState

from tests.doors.entrypoints.test_embedded import placed
from tests.support.pytest_run import run_pytest
from tests.support.waiting import eventually_async

EXAMPLES = Path(__file__).parents[3] / "examples"
ELSEWHERE = {
    "own_gateway.py": "tests/system/test_own_parts.py",
    "own_channel.py": "tests/system/test_own_parts.py",
    "own_handlers.py": "tests/system/test_own_parts.py",
    "own_publisher.py": "tests/system/test_own_parts.py",
    "own_repository.py": "tests/system/test_own_parts.py",
    "test_own_parts.py": "tests/system/test_own_parts.py",
    "kafka_consumer.py": "tests/integration/test_examples_kafka.py",
    "Revenue.java": "tests/system/test_elsewhere.py",
    "flask_app.py": "tests/system/test_frameworks.py",
    "django_app.py": "tests/system/test_frameworks.py",
    "celery_app.py": "tests/system/test_frameworks.py",
    "typescript_client.ts": "tests/system/test_generated_clients.py",
    "python_client.py": "tests/system/test_generated_clients.py",
}
"""Examples that need a server, and the test that runs them with one."""
HERE = {"publish_by_embedding.py", "own_consumer.py", "fastapi_app.py", "test_my_app.py"}


def example(name: str) -> ModuleType:
    spec = util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module  # FastAPI looks its annotations up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/orderflow.db"


def test_no_example_is_left_out() -> None:
    there = {file.name for file in EXAMPLES.iterdir() if file.is_file()}

    assert there == HERE | ELSEWHERE.keys()
    assert all((EXAMPLES.parent / test).is_file() for test in ELSEWHERE.values())


async def test_publishing_by_embedding(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    order_id = await example("publish_by_embedding").main(url)

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"order {order_id} is delivered, 25.00 EUR paid by cash"
    assert [line.split()[1] for line in printed[1:]] == [
        "order.created",
        "order.shipper_assigned",
        "order.state_changed",
        "order.state_changed",
        "order.state_changed",
        "order.payment_processed",
        "order.delivered",
    ]


async def test_a_consumer_of_ones_own(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with OrderFlow.open(url) as shop:
        await placed(shop, "O1")
        await shop.cancel_order("O1", "rain")
    stop, printed = asyncio.Event(), []

    running = asyncio.create_task(example("own_consumer").main(url, stop))
    await eventually_async(lambda: printed.append(capsys.readouterr().out) or "rain" in "".join(printed))
    stop.set()
    await running

    assert "".join(printed).splitlines() == ["R7: O1: 2 x Pizza", "O1: stop, rain"]


async def test_orders_inside_a_fastapi_application(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_DATABASE_URL", url)
    app = example("fastapi_app").app
    lunch = {"guest": "ann", "dish": "soup", "price": "9.90"}

    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://canteen") as client:
            ordered = await client.post("/lunches", json=lunch)
            order = ordered.json()
            stranger = await client.delete(f"/lunches/{order['id']}", params={"guest": "bob"})
            cancelled = await client.delete(f"/lunches/{order['id']}", params={"guest": "ann"})
        await app.state.flow.settled()

    assert (ordered.status_code, order["state"], order["total"]) == (201, "waiting_for_shipper", "9.90 EUR")
    assert (stranger.status_code, stranger.json()["code"]) == (404, "order_not_found")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, OrderState.CANCELLED)


def test_a_test_of_an_embedding_application(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, str(EXAMPLES / "test_my_app.py"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
