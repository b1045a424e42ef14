"""``orderflow customers``: a customer is exported and erased; ``orderflow notifications`` afterwards."""

import json

from tests.support.commands import CommandLine, order_json

NOTE = ("--by", "ann", "--reason", "asked for it")


def test_a_customer_is_exported_then_erased_and_the_check_stays_clean(cli: CommandLine) -> None:
    address = {"street": "Planted Street 1", "city": "Springfield"}
    customer = json.loads(order_json())["userId"]
    cli.json("orders", "create", "-", stdin=order_json(address=address))
    cli.json("contacts", "set", f"customer:{customer}", "--email", "planted@example.org")
    early = cli("customers", "erase", customer, *NOTE)
    cli.json("orders", "cancel", "o1", "--reason", "late")

    before = cli("customers", "export", customer)
    erased = cli.json("customers", "erase", customer, *NOTE)
    after = cli("customers", "export", customer)

    assert (early.code, early.out) == (4, "")
    assert "orders that are not delivered or cancelled: 1;" in early.err
    assert "Planted Street 1" in before.out
    assert "planted@example.org" in before.out
    assert erased["orders"] == 1
    assert "lanted" not in after.out
    assert cli("check").code == 0
    [entry] = cli.json("maintenance", "--kind", "erase")
    assert (entry["kind"], entry["note"]["by"], entry["note"]["reason"]) == ("erase", "ann", "asked for it")


def test_every_order_of_a_customer_is_exported(cli: CommandLine) -> None:
    by_card = {"paymentMethod": "credit_card", "cardToken": "tok_1"}
    cli.json("orders", "import", "-", stdin="\n".join(order_json(f"o{number}", **by_card) for number in range(51)))

    exported = cli.json("customers", "export", json.loads(order_json())["userId"])

    assert (len(exported["orders"]), len(exported["hasCard"])) == (51, 51)
    assert exported["nextCursor"] is None


def test_a_notification_that_was_erased_is_not_sent_again_without_its_text(lived: CommandLine) -> None:
    customer = lived.json("orders", "show", "small-o1")["userId"]
    lived.json("customers", "erase", customer, *NOTE)

    again = lived("notifications", "resend", "small-o1", "--to", f"customer:{customer}", "--again", *NOTE)
    others = lived.json("notifications", "resend", "small-o1", "--again", *NOTE)

    assert (again.code, "the texts of the notifications are erased" in again.err) == (2, True), again
    assert {it["recipient"].partition(":")[0] for it in others} == {"restaurant", "shipper"}


def test_a_selection_of_no_notification_is_refused_with_those_that_there_are(lived: CommandLine) -> None:
    answers = [lived("notifications", command, "small-o1", "--to", "customer", *NOTE) for command in ("resend", "drop")]

    assert [answer.code for answer in answers] == [2, 2]
    assert all("1 to customer:" in answer.err for answer in answers), answers
    assert lived("notifications", "drop", "nobody", *NOTE).code == 3
