"""Orders are created and changed over HTTP."""

import json
from decimal import Decimal

import pytest
from httpx import AsyncClient
from orderflow.adapters.payment_gateway.sandbox import DECLINE, SUCCESS, TIME_OUT

from tests.support.door import CUSTOMER, RESTAURANT, SHIPPER, Installation, an_order, calling, placed


async def test_a_new_order_is_returned_with_its_location_and_version(boss: AsyncClient) -> None:
    body = an_order(
        orderId="O1",
        totalPrice=28,
        currency="EUR",
        paymentMethod="card",
        cardToken=SUCCESS,
        address={"street": "Main Street 1", "city": "Springfield"},
        customerName="Ann Smith",
        customerPhone="+1 212 555 0100",
        note="no onions",
        metadata={"table": "12"},
    )

    answer = await boss.post("/v1/orders", json=body)

    assert (answer.status_code, answer.headers["location"], answer.headers["etag"]) == (201, "/v1/orders/O1", '"1"')
    assert answer.json() == {
        "orderId": "O1",
        "version": 1,
        "state": "waiting_for_shipper",
        "userId": "C1",
        "restaurantId": "R7",
        "shipperId": None,
        "orderDetails": [{"foodId": "F1", "foodName": "Pizza", "price": 12.5, "quantity": 2, "discount": 0}],
        "totalPrice": 28,
        "deliveryFee": 3,
        "currency": "EUR",
        "paymentMethod": "credit_card",
        "paymentStatus": "pending",
        "refundable": 0,
        "refundRequested": 0,
        "refundDeclined": 0,
        "refunded": 0,
        "address": {"street": "Main Street 1", "city": "Springfield", "postalCode": "", "note": ""},
        "customerName": "Ann Smith",
        "customerPhone": "+1 212 555 0100",
        "note": "no onions",
        "metadata": {"table": "12"},
        "createdAt": "2024-05-17T11:30:00Z",
        "updatedAt": "2024-05-17T11:30:00Z",
        "estimatedAt": None,
        "deliveredAt": None,
        "deliveryMinutes": None,
        "cancelReason": None,
        "cancelledBy": None,
        "allowedActions": [
            {"name": "preparing", "needs": []},
            {"name": "cancelled", "needs": ["reason"]},
            {"name": "assign_shipper", "needs": ["shipperId"]},
            {"name": "record_payment", "needs": []},
        ],
    }


async def test_an_order_without_an_id_gets_one_and_is_found_at_its_location(boss: AsyncClient) -> None:
    answer = await boss.post("/v1/orders", json=an_order())

    found = await boss.get(answer.headers["location"])

    assert found.json() == answer.json()


async def test_the_default_currency_is_that_of_the_installation(installation: Installation) -> None:
    async with calling(installation.app(currency="CHF")) as client:
        answer = await placed(client)

    assert answer.json()["currency"] == "CHF"


async def test_amounts_are_exact(boss: AsyncClient) -> None:
    line = '{"foodId":"F1","foodName":"Gold","price":123456789012.3457,"quantity":1}'
    order = '"orderId":"O1","userId":"C1","restaurantId":"R7","paymentMethod":"cash","currency":"CLF"'
    body = f'{{{order},"orderDetails":[{line}]}}'

    answer = await boss.post("/v1/orders", content=body, headers={"Content-Type": "application/json"})

    assert json.loads(answer.text, parse_float=Decimal)["totalPrice"] == Decimal("123456789012.3457")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"currency":"JPY","totalPrice":1250.5,"price":1250}', "/totalPrice"),
        ('{"currency":"JPY","price":12.5}', "/orderDetails/0/price"),
        ('{"currency":"USD","price":0.0001}', "/orderDetails/0/price"),
        ('{"currency":"USD","price":1e-4}', "/orderDetails/0/price"),
        ('{"currency":"KWD","price":10,"discount":0.0005}', "/orderDetails/0/discount"),
    ],
)
async def test_a_part_of_a_minor_unit_is_refused_at_its_place(boss: AsyncClient, body: str, pointer: str) -> None:
    amounts = json.loads(body)
    line = {"foodId": "F1", "foodName": "Pizza", "quantity": 1} | {
        name: amounts.pop(name) for name in ("price", "discount") if name in amounts
    }

    answer = await boss.post("/v1/orders", json=an_order(orderDetails=[line], **amounts))

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_an_order_id_may_contain_slashes_and_percent_signs(boss: AsyncClient) -> None:
    answer = await placed(boss, "2024/5%2F17?#")

    moved = await boss.patch(answer.headers["location"] + "/state", json={"state": "preparing"})

    assert (moved.json()["orderId"], moved.json()["state"]) == ("2024/5%2F17?#", "preparing")


async def test_the_same_order_is_created_once(boss: AsyncClient) -> None:
    first = await placed(boss)

    again = await placed(boss)

    assert (again.json(), again.headers["etag"]) == (first.json(), '"1"')


async def test_an_order_goes_through_all_states(installation: Installation) -> None:
    async with calling(installation.app()) as client:
        await placed(client)

        async def move(actor: str, method: str, path: str, body: dict[str, object]) -> str:
            answer = await client.request(method, f"/v1/orders/O1/{path}", json=body, headers={"X-Actor": actor})
            assert answer.status_code == 200, answer.text
            return str(answer.json()["state"])

        states = [
            await move(RESTAURANT, "PATCH", "state", {"state": "preparing"}),
            await move(RESTAURANT, "PUT", "shipper", {"shipperId": "S3"}),
            await move(SHIPPER, "PATCH", "state", {"state": "on_the_way"}),
            await move(SHIPPER, "PATCH", "state", {"state": "delivered"}),
        ]

    assert states == ["preparing", "preparing", "on_the_way", "delivered"]


async def test_a_shipper_may_be_assigned_with_the_state(boss: AsyncClient) -> None:
    await placed(boss)
    await boss.patch("/v1/orders/O1/state", json={"state": "preparing"})

    answer = await boss.patch("/v1/orders/O1/state", json={"state": "on_the_way", "shipperId": "S3"})

    assert (answer.json()["state"], answer.json()["shipperId"]) == ("on_the_way", "S3")


async def test_an_order_is_cancelled_with_a_reason(boss: AsyncClient) -> None:
    await placed(boss)

    answer = await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"}, headers={"X-Actor": CUSTOMER})

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["cancelReason"], answer.json()["cancelledBy"]) == (
        "cancelled",
        "too late",
        "C1",
    )


async def test_an_order_is_cancelled_by_a_change_of_state(boss: AsyncClient) -> None:
    await placed(boss)

    answer = await boss.patch("/v1/orders/O1/state", json={"state": "cancel", "reason": "too late"})

    assert answer.json()["state"] == "cancelled"


async def test_a_card_is_charged(installation: Installation, boss: AsyncClient) -> None:
    await placed(boss, paymentMethod="credit_card", cardToken=SUCCESS)

    answer = await boss.post("/v1/orders/O1/payment", json={})

    assert (answer.status_code, answer.json()["paymentStatus"]) == (200, "paid")
    assert [str(amount) for amount in installation.gateway.moved.values()] == ["25.0 USD", "25.0 USD"]


async def test_a_declined_card_is_a_result_and_not_an_error(boss: AsyncClient) -> None:
    await placed(boss, paymentMethod="credit_card", cardToken=DECLINE)

    answer = await boss.post("/v1/orders/O1/payment", json={})

    assert (answer.status_code, answer.json()["paymentStatus"]) == (200, "failed")


async def test_cash_is_recorded_as_received(boss: AsyncClient) -> None:
    await placed(boss)

    answer = await boss.post("/v1/orders/O1/payment", json={"paid": True})

    assert answer.json()["paymentStatus"] == "paid"


async def test_an_unavailable_gateway_is_503(boss: AsyncClient) -> None:
    await placed(boss, paymentMethod="credit_card", cardToken=TIME_OUT)

    answer = await boss.post("/v1/orders/O1/payment", json={})

    assert (answer.status_code, answer.json()["code"]) == (503, "gateway_unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_a_stale_version_charges_no_card(installation: Installation, boss: AsyncClient) -> None:
    await placed(boss, "O1", paymentMethod="card", cardToken=SUCCESS)
    await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})

    answer = await boss.post("/v1/orders/O1/payment", json={}, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch")
    assert installation.gateway.moved == {}
