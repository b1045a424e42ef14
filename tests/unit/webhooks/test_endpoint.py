"""The valid endpoints, and the events that they select."""

from datetime import UTC, datetime

import pytest
from orderflow.application.webhooks.delivery import WebhookDelivery, queued
from orderflow.application.webhooks.endpoint import Endpoint, caught_up, checked_endpoint, checked_url
from orderflow.domain.errors import InvalidInput

AT = datetime(2024, 5, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/orders?key=1",
        "https://hooks.example:8443",
        "https://[2606:4700::1111]/",
        "https://1.2.3.4/",
        "https://XN--a_1/",
    ],
)
def test_a_url_with_https_may_be_an_endpoint(url: str) -> None:
    assert checked_url(url, private=False) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "http://hooks.example/",
        "https://",
        "https:///orders",
        "https://ann:sesame@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example/#",
        "https://hooks.example:port/",
        "https://hooks.example:99999/",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX: 1",
        "https://höoks.example/",
        "https://[::1/",
        "https://[::1]x:80/",
        "https://[::1%25lo]/",
        "https://[v1.x]/",
        "https://hooks.example:0/",
        "https://hooks..example/",
        "https://.example/",
        "https://" + "x" * 64 + ".example/",
        "https://" + "x." * 130 + "example/",
        "https://hooks,example/",
        "https://hooks%2eexample/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0177.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://1.2.3/",
        "https://hooks.example/" + "x" * 2_000,
    ],
)
def test_no_other_url_may_and_the_error_does_not_show_it(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_url(url, private=False)

    assert "sesame" not in str(refused.value)


def test_http_is_for_private_addresses() -> None:
    assert checked_url("http://localhost:8000/", private=True) == "http://localhost:8000/"


def test_an_unknown_type_and_a_restaurant_that_is_none_are_refused() -> None:
    given = {"types": (), "restaurants": (), "label": "", "private": False, "at": AT}

    for wrong in ({"types": ["order.eaten"]}, {"restaurants": ["R 7"]}, {"label": "a\nb"}):
        with pytest.raises(InvalidInput):
            checked_endpoint("e1", "https://hooks.example/", **{**given, **wrong})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="at most 1000"):
        checked_endpoint("e1", "https://x.example/", **{**given, "restaurants": [f"R{n}" for n in range(1_001)]})


def test_an_endpoint_without_a_filter_wants_everything() -> None:
    everything = Endpoint(id="e1", url="https://x.example/", created_at=AT)
    some = Endpoint(id="e2", url="https://x.example/", types=("order.created",), restaurants=("R7",), created_at=AT)

    assert everything.wants("order.delivered", None)
    assert some.wants("order.created", "R7")
    assert not some.wants("order.created", "R8")
    assert not some.wants("order.delivered", "R7")
    assert not some.wants("order.created", None)


def test_an_endpoint_shows_no_url_which_may_hold_a_secret() -> None:
    assert "sesame" not in repr(Endpoint(id="e1", url="https://x.example/?key=sesame", created_at=AT))


def test_positions_are_compared_bucket_by_bucket() -> None:
    assert caught_up({1: 3}, {1: 3, 2: 0})
    assert not caught_up({1: 3}, {1: 4})
    assert not caught_up({1: 3}, {1: 2})


def test_of_each_order_at_an_endpoint_the_first_delivery_is_pending() -> None:
    def delivery(order_id: str, sequence: int, endpoint_id: str = "e1") -> WebhookDelivery:
        return WebhookDelivery(
            order_id=order_id,
            endpoint_id=endpoint_id,
            sequence=sequence,
            bucket=1,
            position=sequence,
            type="order.created",
            event_id="0b1f",
            recorded_at=AT,
            due_at=AT,
        )

    found = queued(
        [delivery("o1", 2), delivery("o1", 1), delivery("o2", 5), delivery("o1", 2, "e2")], held={("o2", "e1")}
    )

    assert [(it.order_id, it.endpoint_id, it.sequence, it.status) for it in found] == [
        ("o1", "e1", 1, "pending"),
        ("o1", "e1", 2, "waiting"),
        ("o1", "e2", 2, "pending"),
        ("o2", "e1", 5, "waiting"),
    ]
