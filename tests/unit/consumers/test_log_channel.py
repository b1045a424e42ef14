"""Notifications in the log."""

import structlog
from orderflow.adapters.notify.log import LogChannel
from orderflow.application.notices import Message
from structlog.testing import capture_logs


async def test_a_notification_is_a_line_of_the_log() -> None:
    channel = LogChannel(structlog.get_logger())
    message = Message(
        key="k1",
        recipient="customer:C1",
        address="customer:C1",
        subject="hello",
        text="there",
        order_id="o1",
        sequence=1,
        event_type="order.created",
    )

    with capture_logs() as lines:
        receipt = await channel.send(message)

    assert receipt.accepted
    [line] = lines
    assert (line["event"], line["to"], line["subject"], line["key"]) == ("notification", "customer:C1", "hello", "k1")


def test_it_reaches_everybody() -> None:
    channel = LogChannel(structlog.get_logger())

    assert channel.address("shipper:S1", None) == "shipper:S1"
