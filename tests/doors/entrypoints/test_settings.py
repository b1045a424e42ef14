"""Settings come from environment and file, and one that is wrong names itself and what is allowed."""

import re
from contextlib import suppress
from pathlib import Path
from traceback import format_exception

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from orderflow import InvalidInput, Settings, load_settings
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.secret_settings import masked_url
from orderflow.entrypoints.settings import SECRETS, described


def a_file(folder: Path, text: str) -> Path:
    file = folder / "orderflow.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_anything_the_embedded_defaults_hold() -> None:
    settings = load_settings(environment={})

    assert settings == Settings()
    assert settings.database_url == "sqlite:///orderflow.db"
    assert not settings.uses_kafka


def test_the_environment_is_read_and_converted() -> None:
    environment = {
        "ORDERFLOW_HTTP_PORT": "9000",
        "ORDERFLOW_POLL_SECONDS": "0.5",
        "ORDERFLOW_SMTP_SECURITY": "starttls",
        "ORDERFLOW_NOTIFICATION_CHANNELS": "email,log",
        "PATH": "/usr/bin",
    }

    settings = load_settings(environment=environment)

    assert (settings.http_port, settings.poll_seconds, settings.smtp_security) == (9000, 0.5, "starttls")
    assert settings.notification_channels == ("email", "log")


def test_a_file_is_read_from_its_own_table(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[orderflow]\ncurrency = "EUR"\nhttp_port = 9000\n\n[other]\ncurrency = "SEK"\n')

    settings = load_settings(file, environment={})

    assert (settings.currency, settings.http_port) == ("EUR", 9000)


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[orderflow]\ncurrency = "EUR"\n')

    settings = load_settings(environment={"ORDERFLOW_SETTINGS": str(file)})

    assert settings.currency == "EUR"


def test_the_environment_wins_over_the_file_and_the_caller_over_both(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[orderflow]\ncurrency = "EUR"\nhttp_port = 1\nsmtp_port = 1\n')
    environment = {"ORDERFLOW_HTTP_PORT": "2", "ORDERFLOW_SMTP_PORT": "2"}

    settings = load_settings(file, environment=environment, smtp_port=3)

    assert (settings.currency, settings.http_port, settings.smtp_port) == ("EUR", 2, 3)


WRONG = {
    "ORDERFLOW_DATABASE_URL": "mysql://db",
    "ORDERFLOW_DATABASE_POOL_SIZE": "0",
    "ORDERFLOW_DATABASE_POOLER": "session",
    "ORDERFLOW_DATABASE_LISTEN": "on",
    "ORDERFLOW_DATABASE_LISTEN_URL": "sqlite:///orders.db",
    "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": "http://kafka:9092",
    "ORDERFLOW_TOPIC": "order events",
    "ORDERFLOW_EVENT_SOURCE": "",
    "ORDERFLOW_DEAD_LETTER_TOPIC": "..",
    "ORDERFLOW_TOPIC_PARTITIONS": "257",
    "ORDERFLOW_TOPIC_REPLICATION": "0",
    "ORDERFLOW_TOPIC_RETENTION_HOURS": "-2",
    "ORDERFLOW_PUBLISHING": "both",
    "ORDERFLOW_CURRENCY": "ZZZ",
    "ORDERFLOW_SMTP_SENDER": "Pizza, Inc <o@x.example>",
    "ORDERFLOW_ESTIMATE_MINUTES": "soon",
    "ORDERFLOW_HTTP_PORT": "65536",
    "ORDERFLOW_HTTP_MAX_BODY_BYTES": "10",
    "ORDERFLOW_RELAY_BATCH": "1.5",
    "ORDERFLOW_CONSUMER_BATCH": "0",
    "ORDERFLOW_CONSUMER_ATTEMPTS": "0",
    "ORDERFLOW_POLL_SECONDS": "0",
    "ORDERFLOW_NOTIFICATION_CHANNELS": "email,two pigeons",
    "ORDERFLOW_SMTP_PORT": "0",
    "ORDERFLOW_SMTP_SECURITY": "perhaps",
    "ORDERFLOW_LOG_LEVEL": "loud",
    "ORDERFLOW_LOG_FORMAT": "xml",
}


@pytest.mark.parametrize("variable", WRONG)
def test_a_wrong_value_names_its_setting_and_what_is_allowed(variable: str) -> None:
    name = variable.removeprefix("ORDERFLOW_").lower()
    allowed = getattr(fields(Settings), name).metadata["typed-settings"]["help"]

    with pytest.raises(InvalidInput) as refused:
        load_settings(environment={variable: WRONG[variable]})

    assert refused.value.field == variable
    assert repr(WRONG[variable]) in refused.value.problem
    assert refused.value.allowed == allowed


@pytest.mark.parametrize(
    "line",
    [
        "http_port = 80.5",
        "topic_retention_hours = 0.9",
        "database_pool_size = true",
        "poll_seconds = true",
        "event_max_bytes = 1e6",
        "http_host = 5",
        "smtp_password = 5",
        "notification_channels = []",
        'notification_channels = ["log", "log"]',
    ],
)
def test_a_value_of_another_kind_is_refused_instead_of_converted(tmp_path: Path, line: str) -> None:
    file = a_file(tmp_path, f"[orderflow]\n{line}\n")

    with pytest.raises(InvalidInput, match="is not allowed") as refused:
        load_settings(file, environment={})

    assert refused.value.field == f"{line.partition(' ')[0]} in {file}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "1_0"),
        ("HTTP_PORT", "\N{ARABIC-INDIC DIGIT EIGHT}"),
        ("HTTP_PORT", "9" * 5000),
        ("POLL_SECONDS", "1_0"),
        ("HTTP_HOST", ""),
        ("OPS_HOST", ""),
        ("OPS_HOST", " "),
        ("SMTP_HOST", ""),
        ("KAFKA_BOOTSTRAP_SERVERS", " "),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092,kafka 2:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:99999"),
        ("TOPIC", "."),
        ("EVENT_SOURCE", "an order service"),
        ("EVENT_SOURCE", "/" * 201),
        ("TRACING_ENDPOINT", "http://["),
        ("TRACING_ENDPOINT", "http://collector:99999"),
        ("TRACING_ENDPOINT", "http://a..b:4318"),
        ("HTTP_LIMITS_URL", "redis://a..b"),
        ("WEBHOOK_PROXY_URL", "http://" + "x" * 64),
        ("DATABASE_URL", "memory://orders"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:////"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///file:orders?mode=memory"),
        ("DATABASE_URL", "sqlite:///orders.db?timeout=5"),
    ],
)
def test_a_value_that_means_something_else_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match="is not allowed") as refused:
        load_settings(environment={f"ORDERFLOW_{name}": value})

    assert refused.value.field == f"ORDERFLOW_{name}"
    assert len(refused.value.problem) < 120


@pytest.mark.parametrize(
    "value",
    [None, b"x", object(), [[]], {1: 2}, 10**400, float("nan"), "\ud800", int],
    ids=lambda it: type(it).__name__,
)
def test_a_value_of_any_kind_is_accepted_or_refused_by_name(value: object) -> None:
    for each in fields(Settings):
        with suppress(InvalidInput):
            assert load_settings(environment={}, **{each.name: value})


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = a_file(tmp_path, '\ufeff[orderflow]\r\ncurrency = "EUR"\r\n')

    assert load_settings(file, environment={}).currency == "EUR"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql:///shop?host=/run/postgresql", "postgresql:///shop?host=/run/postgresql"),
        ("postgresql:///shop?password=hunter2&host=/run", "postgresql:///shop?password=********&host=/run"),
        ("postgresql://a:hunter2@db/shop?sslmode=require", "postgresql://a:********@db/shop?sslmode=require"),
    ],
)
def test_a_masked_address_is_the_same_address(url: str, masked: str) -> None:
    assert masked_url(url) == masked


def test_a_wrong_value_in_the_file_names_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path, "[orderflow]\nhttp_port = 70000\n")

    with pytest.raises(InvalidInput, match=re.escape(f"http_port in {file}: 70000 is not allowed")):
        load_settings(file, environment={})


def test_an_unknown_variable_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="ORDERFLOW_DATABSE_URL: there is no such setting") as refused:
        load_settings(environment={"ORDERFLOW_DATABSE_URL": "memory://"})

    assert "ORDERFLOW_DATABASE_URL" in refused.value.allowed


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[orderflow]\ntopics = "order-events"\n')

    with pytest.raises(InvalidInput, match=r"topics in .*: there is no such setting"):
        load_settings(file, environment={})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[orderflow", "is not TOML"),
        ("orderflow = 1\n", "is not a table"),
        ("[orderflow]\nx = " + "[" * 5_000 + "]" * 5_000, "is not TOML: it is nested too deeply"),
        ("#" * 1_000_001, "has more than 1000000 characters"),
        ("", r"has no table \[orderflow\], but nothing"),
        ('currency = "EUR"\n', r"has no table \[orderflow\], but currency"),
        ('[orderfow]\ncurrency = "EUR"\n', r"has no table \[orderflow\], but \[orderfow\]"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = a_file(tmp_path, text)

    with pytest.raises(InvalidInput, match=problem):
        load_settings(file, environment={})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_settings(tmp_path / "none.toml", environment={})


def test_what_tests_set_for_themselves_is_passed_over() -> None:
    settings = load_settings(environment={"ORDERFLOW_TEST_KAFKA": "kafka:9092"})

    assert settings == Settings()


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(environment={})

    with pytest.raises(FrozenInstanceError):
        settings.http_port = 1  # type: ignore[misc]


def test_librdkafka_properties_pass_through_from_the_environment() -> None:
    environment = {
        "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "ORDERFLOW_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "ORDERFLOW_KAFKA_SASL_MECHANISM": "PLAIN",
    }

    settings = load_settings(environment=environment)

    assert settings.kafka_bootstrap_servers == "kafka:9092"
    assert settings.kafka == {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}


def test_librdkafka_properties_stand_in_a_table_of_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path, '[orderflow.kafka]\nsecurity.protocol = "SSL"\n"linger.ms" = 5\n')

    settings = load_settings(file, environment={"ORDERFLOW_KAFKA_LINGER_MS": "7"})

    assert settings.kafka == {"security.protocol": "SSL", "linger.ms": "7"}


@pytest.mark.parametrize("variable", ["ORDERFLOW_KAFKA_ACKS", "ORDERFLOW_KAFKA_TRANSACTIONAL_ID"])
def test_a_property_that_the_promises_rest_on_is_refused(variable: str) -> None:
    settings = load_settings(environment={"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", variable: "1"})

    with pytest.raises(InvalidInput, match="promises rest on this property"):
        container_for(settings).kafka()


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    environment = {
        "ORDERFLOW_DATABASE_URL": "postgresql://shop:hunter2@db/shop",
        "ORDERFLOW_SMTP_PASSWORD": "hunter2",
        "ORDERFLOW_KAFKA_SASL_PASSWORD": "hunter2",
        "ORDERFLOW_KAFKA_SSL_KEY_PEM": "hunter2",
        "ORDERFLOW_KAFKA_SASL_USERNAME": "shop",
    }

    settings = load_settings(environment=environment)

    assert "hunter2" not in f"{described(settings)} {settings!r} {settings}"
    assert described(settings)["database_url"] == "postgresql://shop:********@db/shop"
    assert "'sasl.username': 'shop'" in str(described(settings)["kafka"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stripe_api_key", "pk_live_hunter2"),
        ("stripe_webhook_secret", "hunter2"),
        ("oidc_issuer", "https://shop:hunter2/x@provider.example"),
    ],
)
def test_no_traceback_shows_a_secret_that_is_not_allowed(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_settings(environment={f"ORDERFLOW_{name.upper()}": value})

    assert "hunter2" not in "".join(format_exception(refused.value))
    if name in SECRETS:
        with pytest.raises(ValueError, match="not of the form") as given:
            Settings(**{name: value})  # type: ignore[arg-type]
        assert "hunter2" not in str(given.value)


@pytest.mark.parametrize("name", ["http_dev", "webhook_private_addresses"])
def test_settings_that_a_program_makes_take_no_text_for_true(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Settings(**{name: "false"})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [a.name for a in fields(Settings) if a.type is str])
@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@db",
        "https://shop:hunter2@db/",
        "postgresql:shop:hunter2@db/shop",
        "postgresql:///shop?host=db&password=hunter2",
    ],
)
def test_a_password_in_any_address_is_masked_or_refused_without_it(name: str, url: str) -> None:
    try:
        settings = load_settings(environment={f"ORDERFLOW_{name.upper()}": url})
        shown = f"{described(settings)} {settings!r} {settings}"
    except InvalidInput as refused:
        shown = str(refused)

    assert "hunter2" not in shown


@pytest.mark.parametrize("text", ["a\0b", "a\udcff", "a\x1b[31m"])
def test_a_text_with_a_control_character_is_refused(text: str) -> None:
    for name in [a.name for a in fields(Settings) if a.type is str]:
        with pytest.raises(InvalidInput, match=f"ORDERFLOW_{name.upper()}: .* has a control character"):
            load_settings(environment={f"ORDERFLOW_{name.upper()}": text})


@pytest.mark.parametrize("url", ["https://[::1", "https://id.example:99999/", "https://:443/", "https://id..example/"])
@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_JWKS_URL", "STRIPE_API_URL"])
def test_an_address_whose_host_or_port_is_none_is_refused(name: str, url: str) -> None:
    with pytest.raises(InvalidInput, match=f"ORDERFLOW_{name}: .* is not allowed"):
        load_settings(environment={f"ORDERFLOW_{name}": url})


def test_an_encoded_nul_in_the_name_of_a_file_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"sqlite:///a%00b.* is not allowed"):
        load_settings(environment={"ORDERFLOW_DATABASE_URL": "sqlite:///a%00b"})


@pytest.mark.parametrize(
    "text",
    ["[orderflow]\n" + "k" * 900_000 + "=1", "".join(f"[t{n}]\n" for n in range(10_000))],
    ids=["name", "tables"],
)
def test_an_error_about_a_file_is_short_whatever_the_file_is(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_settings(a_file(tmp_path, text))

    assert len(str(refused.value)) < 5000


def test_every_setting_is_shown() -> None:
    shown = described(Settings())

    assert list(shown) == [a.name for a in fields(Settings)]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"file": "curency"}, "currency"),
        ({"variable": "ORDERFLOW_DATABSE_URL"}, "ORDERFLOW_DATABASE_URL"),
        ({"variable": "ORDERFLOW_KAFKA_BOOTSTRAP_SERVER"}, "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS"),
        ({"argument": "currancy"}, "currency"),
    ],
)
def test_an_unknown_name_is_refused_with_the_one_that_is_meant(
    tmp_path: Path, given: dict[str, str], meant: str
) -> None:
    file = a_file(tmp_path, f'[orderflow]\n{given["file"]} = "EUR"\n') if "file" in given else None
    environment = {given["variable"]: "1"} if "variable" in given else {}
    arguments = {given["argument"]: "EUR"} if "argument" in given else {}

    with pytest.raises(InvalidInput, match=rf"did you mean {meant}\?"):
        load_settings(file, environment=environment, **arguments)


@pytest.mark.parametrize("password", ["hun#ter2", "hun/ter2", "hun?ter2", "1#hunter2", "1/hunter2", "1?hunter2"])
@pytest.mark.parametrize("more", ["", "@x", "?a=b", "[x", "/y?z=", ":q"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_LISTEN_URL"])
def test_a_password_that_is_not_encoded_is_refused_and_never_shown(password: str, more: str, name: str) -> None:
    url = f"postgresql://shop:{password}{more}@db.example.org/shop"

    with pytest.raises(InvalidInput) as refused:
        load_settings(environment={f"ORDERFLOW_{name}": url})

    assert refused.value.field == f"ORDERFLOW_{name}"
    assert "ter2" not in f"{refused.value} {masked_url(url)}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a:1@db1:5432,db2:5433/shop?target_session_attrs=read-write",
        "postgresql://shop@[::1]:5432/shop",
        "postgresql:///shop?host=/run/postgresql",
        "postgresql://shop:hun%23ter%40@db/shop?sslmode=verify-full",
        "sqlite:////srv/a@b#c.db",
    ],
)
def test_an_address_that_is_well_formed_is_accepted(url: str) -> None:
    assert load_settings(environment={"ORDERFLOW_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "servers",
    ["kafka-0.example.com:9093, kafka-1.example.com:9093", "[::1]:9092", "kafka", "SASL_SSL://kafka:9092,", ""],
)
def test_the_servers_of_kafka_may_be_all_that_its_client_takes(servers: str) -> None:
    assert load_settings(environment={"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": servers}).kafka_bootstrap_servers == servers
