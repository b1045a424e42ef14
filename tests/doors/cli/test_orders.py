"""``orderflow orders``: what an operator does with orders."""

import csv
from pathlib import Path
from uuid import UUID

import pytest
from orderflow.entrypoints.cli import session
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings

from tests.support.commands import CommandLine, order_json


def test_an_order_is_created_from_a_file_and_shown_with_its_exact_price(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text(order_json(totalPrice=28.50))

    created = cli("--json", "orders", "create", file)

    assert created.code == 0
    assert '"totalPrice":28.5' in created.out
    assert cli.json("orders", "show", "o1") == created.data
    assert created.data["state"] == "waiting_for_shipper"


def test_an_order_is_created_from_standard_input(cli: CommandLine) -> None:
    created = cli.json("orders", "create", "-", stdin=order_json("from-stdin"))

    assert created["orderId"] == "from-stdin"
    assert [order["orderId"] for order in cli.json("orders", "list")["orders"]] == ["from-stdin"]


def test_what_is_wrong_with_an_order_is_named_by_its_place(cli: CommandLine) -> None:
    answer = cli("orders", "create", "-", stdin=order_json(orderDetails=[]))

    assert (answer.code, answer.out) == (2, "")
    assert "orderDetails" in answer.err


def test_an_order_is_led_to_its_end(cli: CommandLine) -> None:
    cli.json("orders", "create", "-", stdin=order_json(paymentMethod="card", cardToken="tok_ok"))

    paid = cli.json("orders", "pay", "o1")
    assigned = cli.json("orders", "assign", "o1", "S3", "--as", "shipper:S3")
    sent = cli.json("orders", "transition", "o1", "on_the_way", "--as", "shipper:S3")
    done = cli.json("orders", "transition", "o1", "delivered", "--as", "shipper:S3")

    assert paid["paymentStatus"] == "paid"
    assert [order["state"] for order in (assigned, sent, done)] == ["preparing", "on_the_way", "delivered"]
    assert cli.json("check")["clean"] is True


def test_a_cancelled_order_keeps_its_reason(cli: CommandLine) -> None:
    cli.json("orders", "create", "-", stdin=order_json())

    cli.json("orders", "cancel", "o1", "--reason", "changed my mind", "--as", "customer:C1")

    shown = cli("orders", "show", "o1")
    assert "changed my mind" in shown.out


def test_a_payment_that_the_customer_has_to_confirm_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    container = container_for(Settings(database_url="memory://"))  # the sandbox remembers what it was asked
    monkeypatch.setattr(session, "build_container", lambda settings: container)
    cli = CommandLine("memory://")
    placed = cli.json("orders", "create", "-", stdin=order_json(paymentMethod="card", cardToken="tok_confirm_never"))

    asked = cli("--json", "orders", "pay", "o1", "--as", "customer:C1")

    shown = cli.json("orders", "show", "o1", "--as", "customer:C1")
    again = cli.json("orders", "create", "-", stdin=order_json(paymentMethod="card", cardToken="tok_confirm_never"))
    to_restaurant = cli.json("orders", "show", "o1", "--as", "restaurant:R7")
    assert (asked.code, asked.data["orderId"]) == (1, "o1")
    assert asked.data["clientSecret"].startswith("secret_")
    assert "has to confirm the payment" in asked.err
    assert "secret_" not in asked.err
    assert shown["confirmation"] == {"clientSecret": asked.data["clientSecret"], "confirmationUrl": ""}
    assert again["confirmation"] == shown["confirmation"]
    assert "confirmation" not in placed | to_restaurant


def test_orders_are_printed_as_csv(lived_once: CommandLine) -> None:
    listed = lived_once.json("orders", "list")["orders"]

    printed = lived_once("orders", "list", "--csv", "--limit", "4")

    found = [*csv.DictReader(printed.out.splitlines())]
    assert [row["orderId"] for row in found] == [order["orderId"] for order in listed]
    assert len(found) > 4
    assert lived_once("--json", "orders", "list", "--csv").code == 2


def test_a_list_is_read_to_its_end_page_by_page(lived_once: CommandLine) -> None:
    pages = [lived_once.json("orders", "list", "--limit", "4")]
    while cursor := pages[-1]["nextCursor"]:
        pages.append(lived_once.json("orders", "list", "--limit", "4", "--cursor", cursor))

    assert [len(page["orders"]) for page in pages] == [4, 4, 2]
    ids = [order["orderId"] for page in pages for order in page["orders"]]
    assert sorted(ids) == sorted(f"small-o{number}" for number in range(1, 11))


def test_a_table_is_followed_by_the_cursor_of_the_next_page_as_talk(lived_once: CommandLine) -> None:
    answer = lived_once("orders", "list", "--limit", "4")

    assert "--cursor" in answer.err
    assert "--cursor" not in answer.out
    assert answer.out.count("small-o") == 4


def test_a_list_keeps_to_every_condition_given(cli: CommandLine) -> None:
    for order_id, customer in (("o1", "C1"), ("o2", "C1"), ("o3", "C2")):
        cli.json("orders", "create", "-", stdin=order_json(order_id, userId=customer))
    cli.json("orders", "transition", "o2", "preparing")

    found = cli.json("orders", "list", "--customer", "C1", "--state", "preparing", "--restaurant", "R7")

    assert [order["orderId"] for order in found["orders"]] == ["o2"]
    assert cli.json("orders", "list", "--created-until", "2024-01-01T12:00:00Z")["orders"] == []


def test_a_timeline_shows_every_event_with_its_address_in_the_log(lived_once: CommandLine) -> None:
    timeline = lived_once.json("orders", "timeline", "small-o1")

    assert [event["sequence"] for event in timeline] == list(range(1, len(timeline) + 1))
    assert timeline[0]["type"] == "order.created"
    assert len({event["bucket"] for event in timeline}) == 1
    assert [event["position"] for event in timeline] == sorted(event["position"] for event in timeline)


def test_a_timeline_as_of_a_time_shows_the_order_as_it_was_then(lived_once: CommandLine) -> None:
    placed, *_, last = lived_once.json("orders", "timeline", "small-o1")

    then = lived_once.json("orders", "timeline", "small-o1", "--as-of", placed["occurredAt"])
    at_last = lived_once.json("orders", "timeline", "small-o1", "--as-of", last["occurredAt"])

    assert then["state"] == "waiting_for_shipper"
    assert at_last["state"] == lived_once.json("orders", "show", "small-o1")["state"]


def test_what_a_command_causes_carries_the_id_that_it_was_given(cli: CommandLine) -> None:
    cli.json("--correlation-id", "K1", "orders", "create", "-", stdin=order_json("o1"))
    cli.json("orders", "assign", "o1", "S1")

    first, *rest = [event["correlationId"] for event in cli.json("orders", "timeline", "o1")]

    assert first == "K1"
    assert len(set(rest)) == 1
    assert UUID(rest[0]).version == 7


def test_an_id_with_spaces_is_refused(cli: CommandLine) -> None:
    answer = cli("--correlation-id", "two words", "orders", "list")

    assert answer.code == 2
    assert "correlation id" in answer.err


def test_a_file_of_an_order_may_begin_with_a_byte_order_mark(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text("\ufeff" + order_json(), encoding="utf-8")

    assert cli("orders", "create", file).code == 0


def test_an_order_is_read_up_to_the_size_of_a_body(cli: CommandLine) -> None:
    answer = cli("orders", "create", "/dev/zero")

    assert (answer.code, answer.out) == (2, "")
    assert "/dev/zero: more than 1000000 bytes" in answer.err


def test_a_file_that_is_no_order_is_named_as_the_document(cli: CommandLine) -> None:
    answer = cli("orders", "create", "-", stdin="{")

    assert answer.code == 2
    assert "orderflow: the document: it is not valid JSON" in answer.err


@pytest.mark.parametrize("option", ["--customer", "--restaurant", "--shipper", "--state"])
def test_an_empty_condition_is_refused_instead_of_listing_everything_or_nothing(cli: CommandLine, option: str) -> None:
    answer = cli("orders", "list", option, "")

    assert (answer.code, answer.out) == (2, "")
