"""HEAD, OPTIONS, and requests of which a part would be ignored."""

import json

import pytest
from httpx import AsyncClient

from tests.doors.http.test_problems import problem
from tests.support.door import FEATURES, Installation, an_order, calling, placed

GETS = ["/livez", "/readyz", "/openapi.json", "/docs", "/v1/orders", "/v1/orders/O1", "/v1/orders/O1/timeline"]


@pytest.mark.parametrize("path", [*GETS, "/v1/orders/O1/stream"])
async def test_head_is_get_without_the_body(visitor: AsyncClient, path: str) -> None:
    await placed(visitor)

    head = await visitor.head(path)

    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", GETS)
async def test_head_has_the_headers_of_get(visitor: AsyncClient, path: str) -> None:
    await placed(visitor)
    varying = {"x-correlation-id", "traceparent", "ratelimit"}

    head, get = await visitor.head(path), await visitor.get(path)

    assert {n: v for n, v in head.headers.items() if n not in varying} == {
        n: v for n, v in get.headers.items() if n not in varying
    }


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("/v1/orders/O1", "GET, HEAD, OPTIONS"),
        ("/v1/orders/O1/state", "OPTIONS, PATCH"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_and_a_refused_method_name_all_methods(visitor: AsyncClient, path: str, allowed: str) -> None:
    options, refused = await visitor.options(path, headers={"X-Actor": ""}), await visitor.delete(path)

    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    assert refused.headers["allow"] == allowed
    assert problem(refused, 405, "method_not_allowed")["detail"].endswith(f"allowed methods: {allowed}")


async def test_every_route_answers_options_without_a_caller(installation: Installation) -> None:
    app = installation.app(features=FEATURES)
    paths = {route.path_format for route in app.routes}
    statuses = {}

    async with calling(app, "") as anyone:
        for path in paths:
            statuses[path] = (await anyone.options(path)).status_code

    assert {path: status for path, status in statuses.items() if status != 204} == {}


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/docs/start.js", "/openapi.json"])
async def test_routes_without_parameters_refuse_unknown_ones(visitor: AsyncClient, path: str) -> None:
    answer = await visitor.get(path, params={"limit": "1"})

    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "limit")


async def test_a_compressed_body_is_an_unsupported_media_type(visitor: AsyncClient) -> None:
    answer = await visitor.post("/v1/orders", json=an_order(), headers={"Content-Encoding": "gzip"})

    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize("charset", ["latin-1", "UTF-16", '"iso-8859-1"'])
async def test_a_body_in_another_charset_is_an_unsupported_media_type(visitor: AsyncClient, charset: str) -> None:
    declared = {"Content-Type": f"application/json; charset={charset}"}

    answer = await visitor.post("/v1/orders", json=an_order(), headers=declared)

    assert answer.status_code == 415


@pytest.mark.parametrize("declared", ["application/json;charset=UTF-8", 'Application/JSON; charset="utf-8"'])
async def test_a_body_in_utf_8_may_say_so(visitor: AsyncClient, declared: str) -> None:
    answer = await visitor.post("/v1/orders", json=an_order(), headers={"Content-Type": declared})

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "header"),
    [
        ("GET", "/v1/orders/O1", "If-Match"),
        ("GET", "/v1/orders", "If-Match"),
        ("POST", "/v1/orders", "If-Match"),
        ("POST", "/v1/orders", "If-None-Match"),
        ("PATCH", "/v1/orders/O1/state", "If-None-Match"),
        ("PUT", "/v1/orders/O1/shipper", "If-None-Match"),
        ("POST", "/v1/orders/O1/payment", "If-None-Match"),
        ("POST", "/v1/orders/O1/cancel", "If-None-Match"),
    ],
)
async def test_a_condition_that_is_not_compared_is_refused(
    visitor: AsyncClient, method: str, path: str, header: str
) -> None:
    await placed(visitor)

    answer = await visitor.request(method, path, json=None if method == "GET" else {}, headers={header: '"9"'})

    assert (answer.status_code, answer.json()["errors"][0]["header"]) == (400, header)


async def test_an_unknown_parameter_of_a_write_is_named_as_a_parameter(visitor: AsyncClient) -> None:
    unknown = await visitor.post("/v1/orders?dry=1", json=an_order())
    nameless = await visitor.get("/v1/orders?=1")

    assert (unknown.status_code, unknown.json()["errors"][0]["parameter"]) == (400, "dry")
    assert (nameless.status_code, nameless.json()["detail"]) == (400, "the query: there is no such parameter")


@pytest.mark.parametrize("number", ["1e99999999999999999999", "0e-99999999999999999999"])
async def test_a_number_without_bounds_is_named_as_one(visitor: AsyncClient, number: str) -> None:
    body = f'{{"totalPrice": {number}}}'

    answer = await visitor.post("/v1/orders", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["detail"]) == (400, "the body: a number is out of range")


@pytest.mark.parametrize("order_id", [".", ".."])
async def test_an_id_that_is_a_relative_path_is_refused(visitor: AsyncClient, order_id: str) -> None:
    answer = await visitor.post("/v1/orders", json=an_order(orderId=order_id))

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/orderId")


@pytest.mark.parametrize("path", ["/v1/orders?limit=1&limit=1", "/v1/orders/O1?asOf=1&asOf=2"])
async def test_a_repeated_parameter_is_refused(visitor: AsyncClient, path: str) -> None:
    answer = await visitor.get(path)

    assert (answer.status_code, answer.json()["errors"][0]["problem"]) == (400, "it is given 2 times")


@pytest.mark.parametrize(
    "name", ["X-Actor", "Authorization", "Idempotency-Key", "If-Match", "Content-Type", "Content-Encoding"]
)
async def test_a_repeated_header_is_refused(visitor: AsyncClient, name: str) -> None:
    headers = [("X-Actor", "admin:boss"), ("Content-Type", "application/json"), (name, "a"), (name, "b")]

    answer = await visitor.post("/v1/orders", json=an_order(), headers=headers)

    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["header"] == name


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"reason": "a", "reason": "b"}', "reason"),
        ('{"reason": "a", "r\\u0065ason": "b"}', "reason"),
    ],
)
async def test_a_repeated_field_is_refused(visitor: AsyncClient, body: str, name: str) -> None:
    await placed(visitor)

    answer = await visitor.post("/v1/orders/O1/cancel", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")
    assert (await visitor.get("/v1/orders/O1")).json()["state"] == "waiting_for_shipper"


LINE = '{"foodId": "F1", "foodName": "Pizza", "price": 1, "quantity": 1}'


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        (f'"orderDetails": [{LINE}, {LINE[:-1]}, "price": 2}}]', "/orderDetails/1/price"),
        ('"address": {"street": "a", "city": "a", "city": "b"}', "/address/city"),
        ('"address": {"street": "a", "city": "a", "city": "b"}, "userId": "C1"', "/userId"),
    ],
)
async def test_a_repeated_field_is_named_by_its_whole_path(visitor: AsyncClient, members: str, pointer: str) -> None:
    order = an_order()
    if "orderDetails" in members:
        del order["orderDetails"]
    body = f"{json.dumps(order)[:-1]}, {members}}}"

    answer = await visitor.post("/v1/orders", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_too_many_lines_are_counted_before_they_are_decoded(visitor: AsyncClient) -> None:
    lines = [{"not": "a line"}] * 18_000

    answer = await visitor.post("/v1/orders", json=an_order(orderDetails=lines))

    assert (answer.status_code, answer.json()["detail"]) == (400, "orderDetails: 18000 lines")


async def test_a_name_that_looks_like_a_path_of_the_body_is_refused(visitor: AsyncClient) -> None:
    answer = await visitor.post("/v1/orders", json={"x` - at `$.y": 1})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


async def test_the_two_shapes_of_an_order_need_not_exclude_each_other(visitor: AsyncClient) -> None:
    document = (await visitor.get("/openapi.json")).json()

    schema = document["paths"]["/v1/orders/{order_id}"]["get"]["responses"]["200"]["content"]["application/json"]

    assert len(schema["schema"]["anyOf"]) == 2
    assert "oneOf" not in schema["schema"]
