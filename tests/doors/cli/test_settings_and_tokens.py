"""``config``, ``--settings`` and ``tokens``: secrets are shown once or never."""

import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.commands import CommandLine


def test_config_shows_every_setting_with_its_secrets_masked() -> None:
    cli = CommandLine(
        "postgresql://keeper:hunter2@db.example.org/orders",
        {"ORDERFLOW_SMTP_PASSWORD": "hunter3", "ORDERFLOW_KAFKA_SASL_PASSWORD": "hunter4"},
    )

    as_json, as_table = cli("--json", "config"), cli("config")

    assert as_json.data["database_url"] == "postgresql://keeper:********@db.example.org/orders"
    assert as_json.data["smtp_password"] == "********"
    assert "ORDERFLOW_DATABASE_URL" in as_table.out
    assert "hunter" not in as_json.out + as_table.out


def test_a_file_of_settings_is_read_and_the_environment_wins_over_it(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "orderflow.toml"
    file.write_text('[orderflow]\ncurrency = "EUR"\ndatabase_url = "memory://"\n')

    shown = cli.json("--settings", file, "config")

    assert shown["currency"] == "EUR"
    assert shown["database_url"] == cli.database_url


def test_a_wrong_name_in_a_file_of_settings_exits_2_and_names_file_and_name(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "orderflow.toml"
    file.write_text('[orderflow]\ncurency = "EUR"\n')

    answer = cli("--settings", file, "config")

    assert (answer.code, answer.out) == (2, "")
    assert "curency" in answer.err
    assert "orderflow.toml" in answer.err


def test_a_setting_is_shown_with_all_its_digits(cli: CommandLine) -> None:
    shown = CommandLine(cli.database_url, {"ORDERFLOW_POLL_SECONDS": "0.01"})("config")

    assert "0.01" in next(line for line in shown.out.splitlines() if "POLL_SECONDS" in line)


def test_a_token_is_shown_once_and_only_its_hash_is_kept(cli: CommandLine) -> None:
    made = cli("tokens", "make", "--role", "restaurant", "--id", "R7", "--label", "till")

    secret = made.out.strip()
    with closing(sqlite3.connect(cli.file)) as database:
        kept = database.execute("SELECT digest, role, actor_id, label FROM tokens").fetchall()
    assert made.code == 0
    assert secret.startswith("of_")
    assert secret not in made.err
    assert kept == [(sha256(secret.encode()).hexdigest(), "restaurant", "R7", "till")]
    assert secret.encode() not in cli.file.read_bytes()


def test_a_first_token_is_made_once(cli: CommandLine) -> None:
    first = cli("tokens", "make", "--role", "admin", "--id", "ops", "--if-none")

    again = cli("tokens", "make", "--role", "admin", "--id", "ops", "--if-none")
    as_json = cli.json("tokens", "make", "--role", "admin", "--id", "ops", "--if-none")

    assert first.out.startswith("of_")
    assert (again.code, again.out) == (0, "")
    assert "a token exists" in again.err
    assert as_json == {"token": None, "actor": None}


def test_a_token_is_never_made_in_a_database_that_ends_with_the_command() -> None:
    answer = CommandLine("memory://")("tokens", "make", "--role", "admin", "--id", "A1")

    assert (answer.code, answer.out) == (1, "")
    assert "ends with this command" in answer.err


def test_a_token_is_listed_rotated_and_revoked_by_its_id(cli: CommandLine) -> None:
    options = ("--label", "till 1", "--scope", "read", "--scope", "write", "--days", "30")
    secret = cli.json("tokens", "make", "--role", "restaurant", "--id", "R7", *options)["token"]

    [listed] = cli.json("tokens", "list")
    rotated = cli.json("tokens", "rotate", listed["id"], "--hours", "2")
    revoked = cli.json("tokens", "revoke", listed["id"])
    new, old = cli.json("tokens", "list")

    assert listed["id"] == sha256(secret.encode()).hexdigest()[:12]
    assert (listed["status"], listed["actor"], listed["label"]) == ("valid", "restaurant:R7", "till 1")
    assert (listed["scopes"], listed["lastUsedAt"]) == (["read", "write"], None)
    assert rotated["token"].startswith("of_")
    assert rotated["token"] != secret
    assert revoked == {"revoked": listed["id"]}
    assert (new["status"], new["label"], new["scopes"]) == ("valid", "till 1", ["read", "write"])
    assert (old["status"], old["expiresAt"]) == ("revoked", rotated["until"])


def test_a_token_that_is_rotated_twice_has_successors_of_the_same_lifetime_and_says_when_they_expire(
    cli: CommandLine,
) -> None:
    unlimited = cli.json("tokens", "make", "--role", "restaurant", "--id", "R7")["token"]
    limited = cli.json("tokens", "make", "--role", "restaurant", "--id", "R8", "--days", "30")["token"]

    first = [cli.json("tokens", "rotate", secret)["expiresAt"] for secret in (unlimited, limited)]
    lost = [cli("tokens", "rotate", secret) for secret in (unlimited, limited)]
    again = cli.json("tokens", "list")

    assert first[0] is None
    assert "the new one does not expire" in lost[0].err
    assert again[0]["expiresAt"] >= first[1]
    assert f"the new one expires {again[0]['expiresAt'][:19]}" in lost[1].err


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["revoke", "0123456789ab"], 3, "there is no token '0123456789ab'"),
        (["rotate", "0123456789ab"], 3, "there is no valid token '0123456789ab'"),
        (["rotate", "0123456789ab", "--hours", "-1"], 2, "hours: -1"),
        (["make", "--role", "admin", "--id", "A1", "--days", "0"], 2, "days: 0"),
        (["make", "--role", "admin", "--id", "A 1"], 2, "id: 'A 1'"),
        (["make", "--role", "admin", "--id", "A1", "--label", "x" * 201], 2, "label: 201 characters"),
        (["make", "--role", "admin", "--id", "A1", "--label", "a\x1bb"], 2, "label: a control character"),
        (["make", "--role", "admin", "--id", "A1", "--scope", "everything"], 2, "everything"),
    ],
)
def test_what_is_no_token_and_no_time_is_refused(
    cli: CommandLine, arguments: list[str], code: int, problem: str
) -> None:
    answer = cli("tokens", *arguments)

    assert (answer.code, answer.out) == (code, "")
    assert problem in answer.err
