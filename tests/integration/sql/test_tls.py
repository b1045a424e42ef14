"""PostgreSQL by TLS: what is asked for is kept, and what is wrong is said; never plain text in its stead."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import trustme
from attrs import frozen
from orderflow import OrderFlow
from orderflow.adapters.sql import SqlStorage
from orderflow.domain.errors import InvalidInput, StorageUnavailable

from tests.support.commands import CommandLine, order_json
from tests.support.databases import migrated_database
from tests.support.postgres import LocalPostgres, PostgresServer
from tests.support.process import Account
from tests.support.servers import obtain, started


@frozen
class TlsPostgres:
    """A PostgreSQL whose certificate names ``localhost``; ``folder`` has the files that clients are given."""

    server: PostgresServer
    folder: Path
    database: str

    def url(self, *, host: str = "localhost", user: str = "orderflow", **parameters: str) -> str:
        """The database's address; ``parameters`` are libpq's, files by their names in the folder."""
        parts = urlsplit(self.database)
        said = "&".join(
            f"{name}={self.folder / value if value.endswith('.pem') else value}" for name, value in parameters.items()
        )
        return urlunsplit(parts._replace(netloc=f"{user}@{host}:{parts.port}", query=said))


@pytest.fixture(scope="module")
def certified() -> Iterator[TlsPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="orderflow-tls-"))
    folder.chmod(0o755)
    account = Account.unprivileged()
    authority, another = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    another.cert_pem.write_to_path(str(folder / "another.pem"))
    for name, leaf in {
        "server": authority.issue_cert("localhost"),
        "client": authority.issue_cert("client@example.com", common_name="certified"),
    }.items():
        leaf.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        leaf.private_key_pem.write_to_path(str(folder / f"{name}-key.pem"))
        (folder / f"{name}-key.pem").chmod(0o600)
    if account is not None:
        account.own(folder / "server-key.pem")
    settings = {
        "ssl": "on",
        "ssl_cert_file": str(folder / "server.pem"),
        "ssl_key_file": str(folder / "server-key.pem"),
        "ssl_ca_file": str(folder / "authority.pem"),
    }
    server = obtain(lambda: started(LocalPostgres(settings, access=["hostssl all certified all cert"])))
    server.execute("CREATE ROLE certified LOGIN SUPERUSER")
    yield TlsPostgres(server, folder, migrated_database(server))
    server.close()
    shutil.rmtree(folder)


async def encrypted(url: str) -> bool:
    """Return whether a connection of ours is encrypted."""
    storage = SqlStorage.at(url)
    await storage.open()
    try:
        async with storage.database.reading() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert isinstance(driver, asyncpg.Connection)
            return bool(await driver.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    finally:
        await storage.close()


async def test_orders_go_over_an_encrypted_connection_to_a_server_whose_name_is_certified(
    certified: TlsPostgres,
) -> None:
    url = certified.url(sslmode="verify-full", sslrootcert="authority.pem")

    assert await encrypted(url)
    async with OrderFlow.open(url) as flow:
        assert await flow.list_orders()


async def test_a_client_may_present_its_own_certificate(certified: TlsPostgres) -> None:
    files = {"sslcert": "client.pem", "sslkey": "client-key.pem", "sslrootcert": "authority.pem"}

    assert await encrypted(certified.url(user="certified", sslmode="verify-full", **files))
    with pytest.raises(StorageUnavailable, match="certificate"):
        await encrypted(certified.url(user="certified", sslmode="verify-full", sslrootcert="authority.pem"))


async def test_libpqs_variables_apply_unless_the_url_sets_them(
    certified: TlsPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(certified.folder / "another.pem"))

    with pytest.raises(StorageUnavailable, match="not signed by a trusted authority"):
        await encrypted(certified.url())


@pytest.mark.parametrize(
    ("host", "authority", "reason"),
    [
        ("localhost", "another.pem", "its certificate is not signed by a trusted authority, see sslrootcert"),
        ("127.0.0.1", "authority.pem", "its certificate is for another host name"),
    ],
    ids=["authority", "host"],
)
def test_the_error_says_whether_authority_or_host_is_wrong(
    certified: TlsPostgres, host: str, authority: str, reason: str
) -> None:
    url = certified.url(host=host, sslmode="verify-full", sslrootcert=authority)

    answer, doctor = CommandLine(url)("orders", "create", "-", stdin=order_json()), CommandLine(url)("--json", "doctor")

    assert (answer.code, reason in answer.err) == (5, True), answer.err
    assert [finding["code"] for finding in doctor.data["findings"]] == ["database_tls"]


@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_a_server_without_tls_is_refused_if_tls_is_required(
    postgresql_url: str, mode: str, certified: TlsPostgres
) -> None:
    url = f"{postgresql_url}?sslmode={mode}&sslrootcert={certified.folder / 'authority.pem'}"

    with pytest.raises(StorageUnavailable, match="rejected SSL upgrade"):
        await encrypted(url)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"sslmode": "always"}, "`sslmode` parameter must be one of"),
        (
            {"sslmode": "verify-full", "sslrootcert": "nowhere.pem"},
            "a file that it names is not there: sslrootcert .*nowhere.pem",
        ),
    ],
    ids=["mode", "file"],
)
async def test_wrong_settings_are_refused_as_such(
    certified: TlsPostgres, parameters: dict[str, str], reason: str
) -> None:
    url = certified.url(**parameters)

    with pytest.raises(InvalidInput, match=reason):
        await encrypted(url)
    doctor = await asyncio.to_thread(CommandLine(url), "--json", "doctor")
    assert [finding["code"] for finding in doctor.data["findings"]] == ["database_settings"]
