"""A right that is taken away by a command is refused by every process: two of them, on one database."""

from collections.abc import Callable, Iterator
from time import monotonic

import httpx
import pytest

from tests.conftest import FIGURE
from tests.support.commands import CommandLine
from tests.support.databases import migrated_database
from tests.support.installation import Installation, installation
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def orderflow(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(Stack(tmp_path_factory.mktemp("tokens"), migrated_database(postgres), "", "orders")) as here:
        yield here


@pytest.fixture(scope="module")
def cli(orderflow: Installation) -> CommandLine:
    return orderflow.stack.command_line


@pytest.fixture(scope="module")
def urls(orderflow: Installation, cli: CommandLine) -> list[str]:
    """Those of two processes that have a token, and may so listen on an address other than 127.0.0.1."""
    cli.json("tokens", "make", "--role", "customer", "--id", "C1")
    processes = [
        orderflow.start("serve", "--no-consumers", "--no-relay", HTTP_DEV="false", HTTP_HOST="127.0.0.2")
        for _ in range(2)
    ]
    return [process.url for process in processes]


def _revoke(cli: CommandLine, token: str) -> str:
    cli.json("tokens", "revoke", token)
    return ""


def _rotate(cli: CommandLine, token: str) -> str:
    return str(cli.json("tokens", "rotate", token, "--hours", "0")["token"])


@pytest.mark.parametrize("take_away", [_revoke, _rotate])
def test_every_process_refuses_a_token_that_was_revoked_or_rotated_out(
    cli: CommandLine,
    urls: list[str],
    take_away: Callable[[CommandLine, str], str],
    record_property: Callable[[str, object], None],
) -> None:
    secret = str(cli.json("tokens", "make", "--role", "admin", "--id", "boss")["token"])
    token = cli.json("tokens", "list")[0]["id"]
    with httpx.Client(timeout=180) as client:

        def statuses(of: str) -> set[int]:
            headers = {"Authorization": f"Bearer {of}"}
            return {client.get(f"{url}/v1/orders", headers=headers).status_code for url in urls}

        before = statuses(secret)

        successor = take_away(cli, token)
        began = monotonic()

        eventually(lambda: statuses(secret) == {401}, deadline=180, every=0.02, that="every process refuses it")
        record_property(
            FIGURE, f"{take_away.__name__[1:]}: refused by both processes after {monotonic() - began:.2f} s"
        )
        by_header = {client.get(f"{url}/v1/orders", headers={"X-Actor": "admin:boss"}).status_code for url in urls}
        assert (before, by_header) == ({200}, {401})
        assert statuses(secret) == {401}
        if successor:
            assert statuses(successor) == {200}


def test_the_last_use_is_stored_by_the_process_that_saw_it(cli: CommandLine, urls: list[str]) -> None:
    secret = str(cli.json("tokens", "make", "--role", "admin", "--id", "boss", "--label", "used")["token"])
    httpx.get(f"{urls[0]}/v1/orders", headers={"Authorization": f"Bearer {secret}"}).raise_for_status()

    def used() -> bool:
        return any(token["label"] == "used" and token["lastUsedAt"] for token in cli.json("tokens", "list"))

    eventually(used, deadline=180, every=0.2, that="the use is stored")
