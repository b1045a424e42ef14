"""Place an order and follow it to the door, with a client that is generated from the OpenAPI document.

    pip install openapi-python-client
    openapi-python-client generate --path docs/contract/openapi.json --meta none --output-path orderflow_client
    python python_client.py http://127.0.0.1:8080 TOKEN

TOKEN is that of an admin: orderflow tokens make --role admin --id me
"""

import sys
from typing import TypeVar
from uuid import uuid4

from orderflow_client import AuthenticatedClient
from orderflow_client.api.orders import assign_shipper, change_state, get_order, place_order, timeline
from orderflow_client.models import (
    AssignShipperBody,
    ChangeState,
    Currency,
    LineBody,
    OrderState,
    OrderView,
    PlaceOrder,
    Problem,
    RequestedPaymentMethod,
    RequestedState,
    TimelineView,
)

T = TypeVar("T")


def received(answer: object, kind: type[T]) -> T:
    if isinstance(answer, Problem):
        raise SystemExit(f"{answer.code}: {answer.detail}")
    assert isinstance(answer, kind)
    return answer


def main(url: str, token: str) -> None:
    with AuthenticatedClient(base_url=url, token=token) as client:
        new = PlaceOrder(
            user_id="C1",
            restaurant_id="R7",
            order_details=[LineBody(food_id="F1", food_name="Pizza Margherita", price=12.5, quantity=2)],
            total_price=28,
            currency=Currency.EUR,
            payment_method=RequestedPaymentMethod.CASH,
        )
        order = received(place_order.sync(client=client, body=new, idempotency_key=str(uuid4())), OrderView)
        print(f"{order.state}: {order.total_price:g} {order.currency}")

        early = ChangeState(state=RequestedState.ON_THE_WAY)
        refused = change_state.sync_detailed(order.order_id, client=client, body=early)
        assert isinstance(refused.parsed, Problem)
        print(f"{refused.status_code.value}: {refused.parsed.code}, allowed: {refused.parsed.allowed}")

        assign_shipper.sync(order.order_id, client=client, body=AssignShipperBody(shipper_id="S3"))
        for state in (RequestedState.ON_THE_WAY, RequestedState.DELIVERED):
            received(change_state.sync(order.order_id, client=client, body=ChangeState(state=state)), OrderView)

        order = received(get_order.sync(order.order_id, client=client), OrderView)
        assert order.state is OrderState.DELIVERED
        for it in received(timeline.sync(order.order_id, client=client), TimelineView).events:
            print(f"{it.sequence}: {it.event.type_} at {it.event.occurred_at}")


if __name__ == "__main__":
    main(*sys.argv[1:])
