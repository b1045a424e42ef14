"""Notifications in the log."""

import structlog
from attrs import evolve
from orderflow.adapters.notifications.log import LogChannel
from orderflow.application.notifications.notification import Message
from orderflow.domain.events import event_id
from structlog.testing import capture_logs

MESSAGE = Message(
    key="k1",
    recipient="customer:C1",
    address="customer:C1",
    subject="hello",
    text="there",
    order_id="o1",
    sequence=1,
    event_type="order.created",
)


async def test_a_notification_is_a_line_of_the_log() -> None:
    channel = LogChannel(structlog.get_logger())

    with capture_logs() as lines:
        receipt = await channel.send(MESSAGE)

    assert receipt.accepted
    [line] = lines
    assert (line["event"], line["to"], line["subject"], line["key"]) == ("notification", "customer:C1", "hello", "k1")
    assert (line["order_id"], line["event_id"]) == ("o1", event_id("o1", 1))


async def test_its_text_and_its_address_stay_out_of_the_log() -> None:
    channel = LogChannel(structlog.get_logger())
    message = evolve(MESSAGE, address="jane@mail.example", text="to Main Street 1")

    with capture_logs() as lines:
        await channel.send(message)

    assert "jane" not in str(lines)
    assert "Main Street" not in str(lines)


def test_it_reaches_everybody() -> None:
    channel = LogChannel(structlog.get_logger())

    assert channel.address("shipper:S1", None) == "shipper:S1"
