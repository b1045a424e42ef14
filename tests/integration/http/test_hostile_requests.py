"""Requests that no HTTP library sends get the response of their kind, and never a fault."""

import asyncio
import json

import pytest
from orderflow.application.auth import digest_of
from orderflow.domain.actor import Actor
from orderflow.entrypoints.http import create_ops_app

from tests.integration.http.conftest import served
from tests.support.door import BOSS, Installation, ServedApi, an_order

DEADLINE = 60.0
HOSTS = [b"a:99999", b"a:b", b"a:-1", b"[::1", b"[::1]:99999", b"\xff\xfe", b"", b"a/b?c#d@e", b"@", b":", b"a" * 2_000]
REQUESTS = {
    b"GET /nope": 404,
    b"GET /v1/orders/%ff%00%zz": 404,
    b"GET /v1/orders/" + b"a" * 3_000: 404,
    b"GET http://[::1/nope": 404,
    b"GET *": 404,
    b"GET //[::1/%5d": 404,
    b"GET /v1/orders?%ff=%00&%zz=1": 400,
    b"GET /v1/orders?limit=%ff": 400,
    b"GET /v1/orders?cursor=%ed%a0%80": 400,
    b"GET /v1/orders?" + 1_000 * b"1@" + b"=x": 400,
    b"FOO /v1/orders": 501,
    b"PROPFIND /v1/orders": 405,
    b"DELETE /v1/orders/O1": 405,
    b"OPTIONS /nope": 404,
    b"HEAD /nope": 404,
    b"CONNECT a:99999": 404,
}
HEADERS = [
    b"X-Correlation-ID: \xff\xfe",
    b"X-Correlation-ID: " + b"a" * 10_000,
    b"traceparent: \xff",
    b"traceparent: 00-" + b"0" * 10_000,
    b'Cookie: \xb2=;;="',
    b"Accept: \xff",
    b'If-None-Match: \xff"""',
]


@pytest.fixture(autouse=True)
async def boss_has_a_token(installation: Installation) -> None:
    """So that no refusal comes from development mode, which has rules of its own for hosts."""
    await installation.storage.tokens.add(
        digest_of("of_boss"), Actor.parse(BOSS), label="test", at=installation.clock()
    )


async def response_of(server: ServedApi, request: bytes) -> bytes:
    host, _, port = server.url.removeprefix("http://").partition(":")
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        response = await reader.read()
        writer.close()
    return response


async def status_of(server: ServedApi, start: bytes, *headers: bytes) -> int:
    lines = [start + b" HTTP/1.1", *headers, b"Authorization: Bearer of_boss", b"Connection: close", b"", b""]
    return int((await response_of(server, b"\r\n".join(lines))).split(b" ", 2)[1])


async def test_no_host_makes_a_refusal_fail(server: ServedApi) -> None:
    refused_hosts = {b"\xff\xfe", b"a/b?c#d@e", b"@", b":"}

    for start, expected in REQUESTS.items():
        statuses = {host: await status_of(server, start, b"Host: " + host) for host in HOSTS}
        assert {status for host, status in statuses.items() if host not in refused_hosts} == {expected}, start
        assert {statuses[host] for host in refused_hosts} <= {400, expected}, start


async def test_no_header_makes_a_refusal_fail(server: ServedApi) -> None:
    for header in HEADERS:
        statuses = {start: await status_of(server, start, b"Host: door", header) for start in REQUESTS}
        assert statuses == REQUESTS, header


async def test_a_path_has_one_spelling(server: ServedApi) -> None:
    others = [b"//livez", b"/livez/", b"//metrics", b"/metrics/", b"/v1//orders", b"/v1/orders/"]

    statuses = {path: await status_of(server, b"GET " + path, b"Host: door") for path in others}

    assert statuses == dict.fromkeys(others, 404)


async def test_a_refusal_names_the_path_that_was_sent(server: ServedApi) -> None:
    for path in ("//livez", "/livez/", "/v1//orders", "/v1/orders/"):
        start = b"GET %b HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n" % path.encode()
        problem = json.loads((await response_of(server, start)).partition(b"\r\n\r\n")[2])
        assert problem["instance"] == path
        assert problem["detail"] == f"there is no resource {path}; see /openapi.json"


async def test_an_endless_body_is_not_read_after_a_refusal(server: ServedApi) -> None:
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    headers = [
        b"Host: localhost",
        b"Authorization: Bearer of_boss",
        b"Content-Type: application/json",
        b"Transfer-Encoding: chunked",
    ]

    for start in (b"POST /nope", b"POST /v1/orders/O1", b"POST /v1/orders?a=b", b"POST /livez"):
        response = await response_of(server, b"\r\n".join([start + b" HTTP/1.1", *headers, b"", chunk]))
        assert response.split(b" ", 2)[1] in (b"400", b"404", b"405"), start


async def test_the_operations_server_has_one_spelling_of_a_path(installation: Installation) -> None:
    async def scrape(accept: str) -> tuple[bytes, str]:
        return b"", "text/plain"

    async with served(create_ops_app({}, scrape)) as server:  # type: ignore[arg-type]
        assert await status_of(server, b"HEAD /metrics", b"Host: a:99999") == 200
        assert await status_of(server, b"GET //metrics", b"Host: door") == 404


async def test_a_target_may_be_a_whole_url(server: ServedApi) -> None:
    targets = {
        b"http://example.org/livez": 200,
        b"HTTP://example.org:8080/v1/orders?limit=1": 200,
        b"https://example.org/v1/orders/O%2F1": 404,
        b"http://example.org//livez": 404,
        b"http://example.org": 200,
    }

    statuses = {target: await status_of(server, b"GET " + target, b"Host: example.org") for target in targets}

    assert statuses == targets


async def test_options_of_the_server_names_the_methods_of_all_routes(server: ServedApi) -> None:
    response = await response_of(server, b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert response.startswith(b"HTTP/1.1 204 ")
    assert b"allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\r\n" in response


async def test_white_space_around_a_value_is_no_part_of_it(server: ServedApi) -> None:
    body = json.dumps(an_order()).encode()

    async def placed(around: bytes) -> bytes:
        headers = {
            b"Host": b"localhost",
            b"Authorization": b"Bearer of_boss",
            b"Content-Type": b"application/json",
            b"Idempotency-Key": b"K1",
        }
        lines = [name + b":" + around + value + around for name, value in headers.items()]
        lines += [b"Content-Length: %d" % len(body), b"Connection: close", b"", body]
        return await response_of(server, b"\r\n".join([b"POST /v1/orders HTTP/1.1", *lines]))

    first = await placed(b"")
    again = [await placed(space) for space in (b" ", b"\t", b" \t  ")]

    assert first.startswith(b"HTTP/1.1 201 ")
    assert all(b"idempotent-replayed: true" in each for each in again)
    assert {each.partition(b"\r\n\r\n")[2] for each in again} == {first.partition(b"\r\n\r\n")[2]}


async def test_a_body_of_two_lengths_is_refused_and_the_connection_closed(server: ServedApi) -> None:
    head = [
        b"POST /v1/orders HTTP/1.1",
        b"Host: a",
        b"Authorization: Bearer of_boss",
        b"Content-Type: application/json",
        b"Content-Length: 7",
        b"Transfer-Encoding: chunked",
    ]

    response = await response_of(
        server, b"\r\n".join([*head, b"", b"2\r\n{}\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n"])
    )

    assert response.count(b"HTTP/1.1") == 1
    assert b" 400 " in response.splitlines()[0]


POST = (
    b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer of_boss\r\n"
    b"Content-Type: application/json\r\n"
)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = b"x" * 70_000


AMBIGUOUS_OR_TOO_LONG = [
    (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    (POST + b"Content-Length : 2\r\n\r\n{}", 400),
    (POST + b"Content-Length: 2\r\n folded\r\n\r\n{}", 400),
    (POST + b"X: a\rb\r\n\r\n", 400),
    (CHUNKED + b"-1\r\n", 400),
    (CHUNKED + b"2\n{}\n0\n\n", 400),
    (CHUNKED + b"2;" + LONG + 20_000 * b"x", 400),
    (CHUNKED + b"0\r\nTrailer: " + LONG + 20_000 * b"x", 400),
    (b"GET /livez HTTP/1.1\n\n", 400),
    (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /livez\r\n\r\n", 505),
    (b"GET /" + LONG, 431),
    (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + LONG, 431),
    (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + LONG + b"\r\n\r\n", 431),
]


async def test_what_is_ambiguous_or_too_long_is_refused_and_ends_the_connection(server: ServedApi) -> None:
    for request, status in AMBIGUOUS_OR_TOO_LONG:
        response = await response_of(server, request)
        assert response.startswith(b"HTTP/1.1 %d " % status), request[-200:]
        assert response.count(b"HTTP/1.1") == 1, request[-200:]


OF_OTHER_PROTOCOLS = [
    [b"GET /livez RTSP/1.0\r\n\r\n"],
    [b"GET /livez  RTSP/1.1\r\nHost: a\r\n\r\n"],
    [b"\r\nPOST /v1/orders RTSP/1.0\r\nContent-Length: 0\r\n\r\n"],
    [b"OPTIONS * RTSP/1.0\r\n\r\n"],
    [b"SOURCE /livez ICE/1.0\r\n\r\n"],
    [b"GET /liv", b"ez RT", b"SP/1.0\r\n\r\n"],
]
"""Requests, each in the parts in which it is sent."""


async def test_another_protocol_is_refused(server: ServedApi) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    for parts in OF_OTHER_PROTOCOLS:
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(host, int(port))
            for part in parts:
                writer.write(part)
                assert (await response_of(server, b"GET /livez HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            response = await reader.read()
            writer.close()
        assert response.startswith(b"HTTP/1.1 400 "), parts
        assert response.count(b"HTTP/1.1") == 1, parts


async def test_a_request_before_one_of_another_protocol_is_answered(server: ServedApi) -> None:
    response = await response_of(
        server, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez RTSP/1.0\r\n\r\nGET /livez HTTP/1.0\r\n\r\n"
    )

    assert response.startswith(b"HTTP/1.1 200 ")
    assert response.count(b"HTTP/1.1") == 1


async def test_other_protocols_may_be_named_anywhere_else(server: ServedApi) -> None:
    text = b'"GET / RTSP/1.0"'
    head = POST + b"X-Note: GET / ICE/1.0\r\nConnection: close\r\n"

    response = await response_of(server, head + b"Content-Length: %d\r\n\r\n" % len(text) + text)

    assert b"it is text" in response


async def test_trailers_are_no_headers(server: ServedApi) -> None:
    trailed = b"2\r\n{}\r\n0\r\nContent-Encoding: gzip\r\nX-Correlation-ID: trailer\r\n\r\n"

    response = await response_of(server, CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + trailed)

    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"X-Correlation-ID: trailer".lower() not in response.lower()


async def test_nothing_is_read_after_the_last_request_of_a_connection(server: ServedApi) -> None:
    get = b"GET /livez HTTP/1.1\r\nHost: a\r\n"

    for header in (b"Connection: close", b"Connection: upgrade\r\nUpgrade: h2c"):
        response = await response_of(server, get + header + b"\r\n\r\n" + get + b"\r\n")
        assert response.startswith(b"HTTP/1.1 200 "), header
        assert response.count(b"HTTP/1.1") == 1, header


async def test_requests_sent_together_are_answered_in_order_and_are_limited(server: ServedApi) -> None:
    paths = [b"/livez", b"/nope"]
    sent = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % paths[number % 2] for number in range(100))

    response = await response_of(server, sent)

    statuses = [int(part[:3]) for part in response.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404] * 32
