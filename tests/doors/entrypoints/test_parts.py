"""Parts of one's own: named by a setting or given to ``open``, checked, and refused with the reason."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from orderflow import InvalidInput, NotConfigured, OrderFlow
from orderflow.adapters.memory import MemoryNotifier
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.application.notifications.notification import MessageText
from orderflow.domain.actor import Role
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.settings_source import load_settings
from orderflow.entrypoints.wiring import parts
from orderflow.testing.consumers.shop import HandClock

from tests.doors.entrypoints.test_embedded import placed

SHOP = """
import asyncio
from orderflow.adapters.memory import MemoryNotifier
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.application.notifications.notification import MessageText

class Gateway(SandboxGateway):
    pass

gateway = Gateway()

def make_gateway():
    return gateway

def make_sms():
    return MemoryNotifier(name="sms", everybody=True)

def texts(role, values, *, event_type):
    return MessageText("shop", event_type)

def raises():
    raise ValueError("SHOP_KEY is not set")

def ends():
    raise SystemExit(3)

def blocks():
    import threading
    threading.Event().wait()

def number():
    return 5

async def later():
    return gateway

class Synchronous(SandboxGateway):
    def refund(self, *, capture, amount, key): ...

class NoList(SandboxGateway):
    async def payments(self, *, since):
        return []

class OtherNames(SandboxGateway):
    async def authorize(self, *, order_id, card, amount, key): ...
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_shop.py").write_text(SHOP)
    (tmp_path / "own_broken.py").write_text("import shop_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["own_shop:Gateway", "own_shop:make_gateway", "own_shop:gateway"])
async def test_a_gateway_is_a_class_a_function_or_an_object_of_a_module(name: str) -> None:
    async with OrderFlow.open("memory://", payment_gateway=name) as flow:
        order = await placed(flow, payment_method="card", card_token="tok_success")
        paid = await flow.record_payment(order)

        assert type(flow.container.gateway()).__name__ == "Gateway"
        assert len(flow.container.gateway().moved) >= 2
    assert paid.payment.status == "paid"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("own_shop.make_gateway", "'own_shop.make_gateway' is no payment gateway; did you mean own_shop:make_gateway"),
        ("sandbx", "'sandbx' is no payment gateway; did you mean sandbox.*allowed: sandbox, .*MODULE:ATTRIBUTE"),
        ("own_shops:gateway", "there is no module own_shops in the current directory"),
        ("own_broken:gateway", "own_broken fails: ModuleNotFoundError: No module named 'shop_that_is_not_there'"),
        ("own_shop:make_gatway", "own_shop has no make_gatway; did you mean make_gateway"),
        ("own_shop:asynci", "own_shop has no asynci; allowed"),
        ("own_shop:texts", "called without arguments, and is missing a required argument: 'role'"),
        ("own_shop:raises", r"own_shop:raises\(\) fails: ValueError: SHOP_KEY is not set"),
        ("own_shop:ends", r"own_shop:ends\(\) fails: SystemExit: 3"),
        ("own_shop:number", "own_shop:number is no payment gateway: int has no authorize"),
        ("own_shop:SHOP", "own_shop has no SHOP"),
        ("own_shop:__doc__", "is no payment gateway: NoneType has no authorize"),
        ("own_shop:later", "own_shop:later is an `async def`"),
        ("own_shop:Synchronous", "its refund is not `async def`"),
        ("own_shop:NoList", "its payments is a coroutine function .* not awaited"),
        ("own_shop:OtherNames", "its authorize cannot be called as PaymentGateway's is: missing .* 'card'"),
    ],
)
def test_a_gateway_that_cannot_be_is_refused_with_the_reason(name: str, reason: str) -> None:
    container = container_for(Settings(database_url="memory://", payment_gateway=name))

    with pytest.raises(InvalidInput, match=f"ORDERFLOW_PAYMENT_GATEWAY: .*{reason}"):
        container.gateway()


def test_a_factory_that_never_returns_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LOAD_SECONDS", 0.05)
    container = container_for(Settings(database_url="memory://", payment_gateway="own_shop:blocks"))

    with pytest.raises(InvalidInput, match=r"own_shop:blocks\(\) did not return within 0.05 s"):
        container.gateway()


@pytest.mark.parametrize("name", ["a b", "x:", ":x", "a:b:c", "../x:y", "x" * 201])
def test_what_names_no_part_is_refused_when_settings_are_read(name: str) -> None:
    for setting in ("ORDERFLOW_PAYMENT_GATEWAY", "ORDERFLOW_NOTIFICATION_TEMPLATES", "ORDERFLOW_NOTIFICATION_CHANNELS"):
        with pytest.raises(InvalidInput, match=f"{setting}: .* allowed: .*MODULE:ATTRIBUTE"):
            load_settings(environment={setting: name})


def test_an_installed_package_names_parts_by_entry_points(tmp_path: Path) -> None:
    installed = tmp_path / "acme-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[orderflow.gateways]\nacme = own_shop:make_gateway\n\n[orderflow.channels]\nacme-sms = own_shop:make_sms\n"
    )
    parts._declared.cache_clear()
    try:
        container = container_for(
            Settings(database_url="memory://", payment_gateway="acme", notification_channels=("log", "acme-sms"))
        )
        gateway, channels = container.gateway(), container.channels()
        with pytest.raises(InvalidInput, match=r"'acmee' .* did you mean acme.*allowed: sandbox, .*acme, or"):
            container_for(Settings(database_url="memory://", payment_gateway="acmee")).gateway()
    finally:
        parts._declared.cache_clear()

    assert type(gateway).__name__ == "Gateway"
    assert [channel.name for channel in channels] == ["log", "sms"]


def test_channels_of_ones_own_are_added_to_the_shipped_ones() -> None:
    settings = load_settings(
        environment={"ORDERFLOW_NOTIFICATION_CHANNELS": "log,own_shop:make_sms"}, database_url="memory://"
    )

    assert [channel.name for channel in container_for(settings).channels()] == ["log", "sms"]


def test_templates_of_ones_own_write_the_messages() -> None:
    settings = load_settings(
        environment={"ORDERFLOW_NOTIFICATION_TEMPLATES": "own_shop:texts"}, database_url="memory://"
    )

    text = container_for(settings).templates()(Role.CUSTOMER, {}, event_type="order.created")

    assert text == MessageText("shop", "order.created")


async def test_an_application_gives_parts_when_it_opens() -> None:
    gateway, sms, clock = SandboxGateway(), MemoryNotifier(name="sms", everybody=True), HandClock()

    def texts(role: Role, values: Any, *, event_type: str) -> MessageText:
        return MessageText(f"{event_type} for a {role}", "")

    async with OrderFlow.in_memory(gateway=gateway, channels=[sms], templates=texts, clock=clock) as flow:
        order_id = await placed(flow, payment_method="card", card_token="tok_success")
        await flow.record_payment(order_id)
        await flow.settled()
        order = await flow.get_order(order_id)

        gateway_name = flow.container.settings().gateway_name

    assert gateway_name == "orderflow.adapters.payment_gateway.sandbox:SandboxGateway"
    assert order.created_at == clock.now
    assert len(gateway.moved) == 2
    assert "order.created for a customer" in [message.subject for message in sms.sent]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ({"gateway": object()}, "gateway: it is no payment gateway: object has no authorize; allowed: an object with"),
        ({"gateway": "sandbox"}, r"str has no authorize; allowed: .* a name is given as payment_gateway=\.\.\."),
        ({"gateway": SandboxGateway}, "gateway: it is no payment gateway: SandboxGateway is a class; give an object"),
        ({"channels": MemoryNotifier()}, "channels: it is a MemoryNotifier; allowed: a list"),
        ({"channels": ["sms"]}, "channels: it is no notification channel: str has no name"),
        ({"channels": [MemoryNotifier(), MemoryNotifier()]}, "two channels have the name email"),
        ({"channels": [MemoryNotifier(name="An SMS")]}, "a channel has the name 'An SMS'; allowed: a lower-case word"),
        ({"templates": 5}, "templates: it is no message templates: int has no __call__"),
        ({"templates": len}, "templates: .* its __call__ cannot be called as MessageTemplates's is"),
        ({"clock": "noon"}, "clock: it is a str; allowed: a function that returns the time"),
        ({"clock": datetime.now}, "clock: it returns a time without a zone; allowed: .* aware"),
        ({"clock": lambda: 5}, "clock: it returns a int"),
        ({"consumers": "kitchen"}, "consumers: it is a str; allowed: a list of names"),
        ({"gatway": SandboxGateway()}, "gatway: there is no such part or setting; did you mean gateway"),
        ({"currancy": "EUR"}, "currancy: there is no such setting; did you mean currency"),
    ],
)
async def test_an_argument_that_is_no_part_is_refused_before_anything_opens(part: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        async with OrderFlow.open("memory://", **part):
            raise AssertionError("it opened")


@pytest.mark.parametrize("part", ["gateway", "channels", "clock", "storage", "effects"])
async def test_a_part_that_comes_too_late_is_refused(part: str) -> None:
    async with OrderFlow.in_memory(consumers=()) as flow:
        await placed(flow)

        with pytest.raises(RuntimeError, match=r"given too late.* OrderFlow\.open"):
            getattr(flow.container, part).override(object())


async def test_parts_that_can_be_closed_are_closed_at_the_end() -> None:
    closed: list[str] = []

    class Gateway(SandboxGateway):
        async def close(self) -> None:
            closed.append("gateway")

    class Sms(MemoryNotifier):
        async def close(self) -> None:
            closed.append("sms")

    async with OrderFlow.in_memory(gateway=Gateway(), channels=[Sms(name="sms")]):
        assert closed == []

    assert closed == ["gateway", "sms"]


async def test_parts_of_settings_are_made_before_anything_opens() -> None:
    for settings in (
        Settings(database_url="memory://", payment_gateway="own_shop:raises"),
        Settings(database_url="memory://", notification_channels=("own_shop:raises",)),
        Settings(database_url="memory://", notification_templates="own_shop:raises"),
    ):
        with pytest.raises((InvalidInput, NotConfigured), match="SHOP_KEY is not set"):
            async with OrderFlow.open(settings):
                raise AssertionError("it opened")
