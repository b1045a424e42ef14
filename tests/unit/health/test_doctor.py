"""Each thing that the doctor can find is found where it is so, alone, and nothing is found where all is well."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from orderflow.application.backlog import Backlog
from orderflow.application.health.doctor import DIAGNOSTICS, Expectations, Severity, diagnosis
from orderflow.application.health.doctor.connections import UNREACHED
from orderflow.application.health.facts import (
    CertificateFacts,
    ClockOffset,
    ConnectionFailure,
    FailureReason,
    GroupFacts,
)
from orderflow.application.health.observation import Observation
from orderflow.application.health.processes import Failure, Part
from orderflow.application.operator_note import OperatorNote
from orderflow.application.orders.payment_attempts import OutstandingPayments
from orderflow.application.recovery.epochs import Epoch, Epochs
from orderflow.application.webhooks.ports import WebhookSummary
from orderflow.entrypoints.settings import CONSUMERS as SHIPPED
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.storage_and_consumers import expectations

from tests.support.pages import TREE
from tests.unit.domain.actors import AT
from tests.unit.health.observations import (
    CONSUMERS,
    HEALTHY,
    STREAM,
    TOPIC,
    WANTED,
    codes,
    known,
    lag,
    with_database,
    with_group,
    with_settings,
    with_sqlite,
    with_topic,
)

SQL = evolve(WANTED, with_kafka=False)
WITH_COPIES = evolve(WANTED, dead_letter_topic="dlq")
LIVING = [known(part) for part in ("api", "relay", *CONSUMERS)]

REFUSED = Failure(part="relay", code="log_behind_topic", message="bucket 7: ...", at=AT)
REFUSING = evolve(known("relay"), process=evolve(known("relay").process, failures=1, failure=REFUSED))
STOPPED = evolve(known("relay"), process=evolve(known("relay").process, parts=(Part("relay", stopped="KeyError"),)))

UNREAD = ConnectionFailure(FailureReason.OTHER, "as it says")
KEYS_UNREAD = Failure(part="oidc", code="unavailable", message="", at=HEALTHY.at - timedelta(minutes=9))


def _without(part: str) -> list[Any]:
    return [each for each in LIVING if each.process.id != part]


def _readers(reader: str, events: int, **more: Any) -> list[Any]:
    return [lag(name, events if name == reader else 0, **more) for name in ("relay", *CONSUMERS)]


def _with_standbys(names: str, *states: str, **settings: str) -> Observation:
    observation = with_settings(synchronous_standby_names=names, **settings)
    return evolve(observation, database=evolve(observation.database, standbys=states))  # type: ignore[arg-type]


UNHEALTHY: dict[str, tuple[Observation, Expectations]] = {
    "database_slow": (with_database(took=0.3), WANTED),
    "kafka_slow": (evolve(HEALTHY, stream=evolve(STREAM, took=0.3)), WANTED),
    "unanswered": (evolve(HEALTHY, unanswered={"parked": "no answer in time"}), WANTED),
    "schema_missing": (with_database(schema=None), WANTED),
    "schema_behind": (with_database(schema="0003"), WANTED),
    "schema_ahead": (with_database(schema="0009"), WANTED),
    "versions_differ": (evolve(HEALTHY, processes=[*_without("api"), known("api", version="0.2.0")]), WANTED),
    "postgresql_synchronous_commit": (with_settings(synchronous_commit="off"), WANTED),
    "postgresql_fsync": (with_settings(fsync="off"), WANTED),
    "postgresql_full_page_writes": (with_settings(full_page_writes="off"), WANTED),
    "postgresql_version": (with_settings(server_version_num="120022"), WANTED),
    "postgresql_read_only": (with_settings(in_hot_standby="on"), WANTED),
    "postgresql_encoding": (with_settings(server_encoding="LATIN1"), WANTED),
    "postgresql_standbys_absent": (with_settings(synchronous_standby_names="s1"), WANTED),
    "postgresql_standbys_unknown": (_with_standbys("s1", ""), WANTED),
    "postgresql_isolation": (with_settings(default_transaction_isolation="serializable"), WANTED),
    "postgresql_connections": (with_database(max_connections=52), WANTED),
    "postgresql_timeouts": (with_settings(lock_timeout="0"), WANTED),
    "sqlite_synchronous": (evolve(with_sqlite(synchronous="1"), stream=None), SQL),
    "sqlite_journal": (evolve(with_sqlite(journal_mode="delete"), stream=None), SQL),
    "sqlite_in_production": (with_sqlite(), WANTED),
    "dead_letter_topic_missing": (HEALTHY, WITH_COPIES),
    "dead_letter_topic_settings": (
        evolve(HEALTHY, stream=evolve(STREAM, dead_letter_topic=evolve(TOPIC, name="dlq", retention_ms=60_000))),
        WITH_COPIES,
    ),
    "topic_missing": (evolve(HEALTHY, stream=evolve(STREAM, topic=None, groups={})), WANTED),
    "topic_partitions": (with_topic(partitions=5), WANTED),
    "topic_replication": (with_topic(replication=1, min_insync=1), evolve(WANTED, replication=1)),
    "topic_fewer_copies": (with_topic(replication=3), evolve(WANTED, replication=4)),
    "topic_min_insync_low": (with_topic(min_insync=1), WANTED),
    "topic_min_insync_high": (with_topic(min_insync=3), WANTED),
    "topic_compacted": (with_topic(cleanup_policy="compact,delete"), WANTED),
    "topic_retention": (with_topic(retention_ms=604_800_000), WANTED),
    "log_behind_topic": (evolve(HEALTHY, processes=[*_without("relay"), REFUSING]), WANTED),
    "part_stopped": (evolve(HEALTHY, processes=[*_without("relay"), STOPPED]), WANTED),
    "topic_max_message_bytes": (with_topic(max_message_bytes=900_000), WANTED),
    "topic_retention_bytes": (with_topic(retention_bytes=1_000_000), WANTED),
    "events_deleted": (with_topic(starts={0: 0, 1: 101, 2: 0}), WANTED),
    "topic_shortened": (with_topic(ends={0: 100, 1: 98, 2: 100}), WANTED),
    "topic_leaderless": (with_topic(leaderless=(1,)), WANTED),
    "topic_under_replicated": (with_topic(under_replicated=(0, 2)), WANTED),
    "relay_missing": (
        evolve(HEALTHY, processes=_without("relay"), readers=_readers("relay", 7), waiting={"relay": 12.0}),
        WANTED,
    ),
    "consumer_missing": (evolve(HEALTHY, processes=_without("inventory"), readers=_readers("inventory", 7)), WANTED),
    "part_not_running": (evolve(HEALTHY, processes=_without("inventory")), WANTED),
    "group_without_members": (with_group("analytics", members=0, committed={0: 90, 1: 100, 2: 100}), WANTED),
    "process_gone": (evolve(HEALTHY, processes=[*LIVING, known("old", silent=31.0)]), WANTED),
    "parked_orders": (evolve(HEALTHY, parked={"analytics": 2}), WANTED),
    "payments_unsettled": (evolve(HEALTHY, payments=OutstandingPayments(unsettled=2, oldest=AT)), WANTED),
    "refunds_declined": (evolve(HEALTHY, payments=OutstandingPayments(declined_refunds=1)), WANTED),
    "authorizations_held": (evolve(HEALTHY, payments=OutstandingPayments(held=1)), WANTED),
    "notifications_overdue": (
        evolve(HEALTHY, notifications=Backlog(pending=3, oldest=AT - timedelta(minutes=16))),
        WANTED,
    ),
    "notifications_failed": (evolve(HEALTHY, notifications=Backlog(failed=1)), WANTED),
    "webhooks_overdue": (
        evolve(HEALTHY, webhooks=WebhookSummary(backlog=Backlog(pending=3, oldest=AT - timedelta(minutes=61)))),
        WANTED,
    ),
    "webhooks_failed": (evolve(HEALTHY, webhooks=WebhookSummary(backlog=Backlog(failed=1))), WANTED),
    "webhook_endpoint_stopped": (evolve(HEALTHY, webhooks=WebhookSummary(disabled=2, stopped=1)), WANTED),
    "clock_database": (with_database(clock=ClockOffset(-1.2, 0.01)), WANTED),
    "clock_kafka": (evolve(HEALTHY, stream=evolve(STREAM, clock=ClockOffset(90.0, 0.01))), WANTED),
    "clock_process": (evolve(HEALTHY, processes=[*_without("api"), known("api", clock_ahead=1.1)]), WANTED),
    "clock_kafka_unknown": (evolve(HEALTHY, stream=evolve(STREAM, clock=None)), WANTED),
    "certificate_unusable": (evolve(HEALTHY, certificate=UNREAD), WANTED),
    "certificate_expires": (
        evolve(HEALTHY, certificate=CertificateFacts(expires_at=HEALTHY.at + timedelta(days=13))),
        WANTED,
    ),
    "identity_keys_unread": (evolve(HEALTHY, identity=UNREAD), WANTED),
    "tokens_missing": (evolve(HEALTHY, tokens=False), evolve(WANTED, open_to="0.0.0.0")),
    "payment_gateway_sandbox": (HEALTHY, evolve(WANTED, production=True, gateway="sandbox")),
    "prices_trusted": (evolve(HEALTHY, customer_tokens=True), WANTED),
    "prices_missing": (evolve(HEALTHY, customer_tokens=True), evolve(WANTED, prices="list")),
}
"""By code, an installation that has this and nothing else."""


BY_HAND_ALONE = {
    "kafka_failed": "every failure without a reason of its own",
    "kafka_slow": "a broker that is slow, and no slower than that",
    "part_stopped": "a fault of our own that comes back each time",
    "postgresql_version": "a PostgreSQL from before 13",
    "postgresql_standbys_unknown": "a connected standby, and a user who may not read its state",
    "sqlite_synchronous": "an SQLite that was built to ignore it",
    "sqlite_journal": "a file system that cannot share memory",
}
"""Findings that no server of the tests has, and why."""


def _unreached(server: str, cause: FailureReason) -> Observation:
    """Return an observation in which ``server`` does not answer."""
    failure = ConnectionFailure(cause, "as it says")
    if server == "kafka":
        return evolve(HEALTHY, stream=failure, unanswered={"kafka": "as it says"})
    if server == "mail":
        return evolve(HEALTHY, mail=failure, unanswered={"mail": "as it says"})
    return Observation(at=HEALTHY.at, database=failure, stream=STREAM, unanswered={"database": "as it says"})


def test_a_healthy_installation_has_no_findings() -> None:
    assert codes(HEALTHY) == []
    assert codes(evolve(with_sqlite(), stream=None), SQL) == []


def test_each_finding_is_reported_alone() -> None:
    reported = {code: codes(observation, wanted) for code, (observation, wanted) in UNHEALTHY.items()}

    assert reported == {code: [code] for code in UNHEALTHY}


@pytest.mark.parametrize(
    ("server", "cause"), [(server, cause) for server, causes in UNREACHED.items() for cause in causes]
)
def test_a_server_that_does_not_answer_is_named_with_the_reason(server: str, cause: FailureReason) -> None:
    report = diagnosis(_unreached(server, cause), WANTED)

    assert [finding.code for finding in report.findings] == [UNREACHED[server][cause].code]
    assert report.findings[0].found == "as it says"
    assert not report.reached


def test_a_certificate_that_is_valid_for_long_is_no_finding() -> None:
    certificate = CertificateFacts(expires_at=HEALTHY.at + timedelta(days=15))

    assert codes(evolve(HEALTHY, certificate=certificate)) == []


def test_a_process_that_could_not_read_the_providers_keys_lately_is_found() -> None:
    api = known("api")
    unread = evolve(api, process=evolve(api.process, failures=1, failure=KEYS_UNREAD))
    earlier = evolve(KEYS_UNREAD, at=HEALTHY.at - timedelta(minutes=11))
    read = evolve(api, process=evolve(api.process, failures=1, failure=earlier))
    others = _without("api")

    assert codes(evolve(HEALTHY, processes=[*others, unread])) == ["identity_keys_unread"]
    assert codes(evolve(HEALTHY, processes=[*others, read])) == []


def test_every_finding_is_provoked_here() -> None:
    provoked = {*UNHEALTHY, "events_deleted_soon"} | {
        it.code for causes in UNREACHED.values() for it in causes.values()
    }

    assert provoked == {diagnostic.code for diagnostic in DIAGNOSTICS}


def test_all_but_a_few_are_provoked_on_real_servers_as_well() -> None:
    folders = (TREE / "tests" / name for name in ("integration", "system"))
    written = "".join(file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py"))

    unreal = {diagnostic.code for diagnostic in DIAGNOSTICS if f'"{diagnostic.code}"' not in written}

    assert unreal == BY_HAND_ALONE.keys()


@pytest.mark.parametrize(
    ("names", "states", "found"),
    [
        ("s1", ("sync",), []),
        ("*", ("sync", "potential"), []),
        ("s1, s2", ("async",), ["postgresql_standbys_absent"]),
        ("FIRST 2 (s1, s2, s3)", ("sync", "sync", "potential"), []),
        ("2 (s1, s2, s3)", ("sync",), ["postgresql_standbys_absent"]),
        ("ANY 2 (s1, s2, s3)", ("quorum", "quorum"), []),
        ("any 2(s1, s2)", ("quorum",), ["postgresql_standbys_absent"]),
        ("FIRST 2 (s1, s2)", ("sync", ""), ["postgresql_standbys_unknown"]),
    ],
)
def test_commits_wait_for_as_many_standbys_as_the_names_ask_for(
    names: str, states: tuple[str, ...], found: list[str]
) -> None:
    assert codes(_with_standbys(names, *states)) == found
    assert codes(_with_standbys(names, *states, synchronous_commit="local")) == []


def test_connections_are_compared_with_the_lowest_limit() -> None:
    assert codes(with_database(connection_limit=30)) == ["postgresql_connections"]
    assert codes(with_database(connection_limit=60)) == []


def test_codes_are_the_names_of_one_thing_each() -> None:
    every = [diagnostic.code for diagnostic in DIAGNOSTICS]

    assert len(set(every)) == len(every)


def test_events_that_are_about_to_be_deleted_unread_are_found_in_time() -> None:
    behind = with_group("analytics", committed={0: 50, 1: 100, 2: 100})
    kept_an_hour = evolve(
        behind,
        stream=evolve(behind.stream, topic=evolve(TOPIC, retention_ms=3_600_000)),  # type: ignore[arg-type]
        readers=_readers("analytics", 50),
    )
    an_hour = evolve(WANTED, retention_ms=3_600_000)

    assert codes(evolve(kept_an_hour, waiting={"analytics": 1799.0}), an_hour) == []
    assert codes(evolve(kept_an_hour, waiting={"analytics": 1801.0}), an_hour) == ["events_deleted_soon"]


def test_a_group_that_never_committed_has_missed_what_is_gone_only_if_its_consumer_is_new() -> None:
    observation = with_group("analytics", committed={})
    gone = evolve(observation, stream=evolve(observation.stream, topic=evolve(TOPIC, starts={0: 5, 1: 0, 2: 0})))  # type: ignore[arg-type]

    assert "events_deleted" not in codes(gone)
    assert "events_deleted" in codes(evolve(gone, readers=_readers("analytics", 1, position=0)))


@pytest.mark.parametrize("level", ["on", "local", "remote_write", "remote_apply"])
def test_whatever_waits_for_the_servers_own_disk_keeps_what_was_acknowledged(level: str) -> None:
    assert codes(with_settings(synchronous_commit=level)) == []


def test_a_paused_reader_is_not_missing() -> None:
    observation = evolve(HEALTHY, processes=_without("inventory"), readers=_readers("inventory", 7, paused=True))

    assert "consumer_missing" not in codes(observation)


def test_a_group_of_webhooks_is_not_missed_until_there_is_an_endpoint() -> None:
    groups = {**STREAM.groups, "webhooks": GroupFacts(name="order-events-webhooks", members=0, committed={})}
    unused = evolve(HEALTHY, stream=evolve(STREAM, groups=groups))
    used = evolve(unused, readers=[*(HEALTHY.readers or ()), lag("webhooks", 7)])

    assert codes(unused) == []
    assert codes(used) == ["group_without_members"]


def test_a_slow_question_proves_no_clock_wrong() -> None:
    assert codes(with_database(clock=ClockOffset(1.4, 0.5))) == []
    assert codes(with_database(clock=ClockOffset(1.6, 0.5))) == ["clock_database"]


def test_a_process_that_says_it_late_has_no_wrong_clock_for_that() -> None:
    late = known("api", clock_ahead=-3.5)
    wrong = known("api", clock_ahead=-5.0)

    assert codes(evolve(HEALTHY, processes=[*_without("api"), late])) == []
    assert codes(evolve(HEALTHY, processes=[*_without("api"), wrong])) == ["clock_process"]


def test_the_most_severe_finding_is_first() -> None:
    observation = evolve(HEALTHY, parked={"analytics": 1}, stream=evolve(STREAM, clock=None), tokens=False)

    report = diagnosis(observation, evolve(WANTED, open_to="0.0.0.0"))

    assert [it.severity for it in report.findings] == [Severity.PROBLEM, Severity.WARNING, Severity.NOTE]
    assert report.reached


def test_a_problem_says_what_to_do_about_this_one() -> None:
    [finding] = diagnosis(*UNHEALTHY["consumer_missing"]).findings

    assert finding.fix == "`orderflow consume inventory`"
    assert finding.found == "inventory: 7 events waiting, the oldest for 0 s"


def test_a_refusal_from_before_the_log_was_repaired_is_none_any_more() -> None:
    repaired = Epochs((Epoch(epoch=2, note=OperatorNote(by="ann", reason="restored", at=AT), kept={7: 3}),))

    assert codes(evolve(HEALTHY, processes=[*_without("relay"), REFUSING], epochs=repaired)) == []


def test_customers_of_a_provider_set_prices_as_those_with_a_token_do() -> None:
    provider = evolve(WANTED, customers_of_provider=True)

    trusted = diagnosis(HEALTHY, provider)
    listed = diagnosis(evolve(HEALTHY, prices=True), evolve(provider, prices="list"))

    assert [finding.code for finding in trusted.findings] == ["prices_trusted"]
    assert listed.findings == []


@pytest.mark.parametrize(
    ("roles", "customers"),
    [((), True), (("kunde=customer",), True), (("koch=restaurant", "chef=admin"), False)],
)
def test_a_provider_may_make_a_caller_a_customer_by_its_roles(roles: tuple[str, ...], customers: bool) -> None:
    known = {"oidc_issuer": "https://id.example.org", "oidc_audience": "orders", "oidc_roles": roles}

    found = expectations(Settings(database_url="memory://", **known), SHIPPED)  # type: ignore[arg-type]

    assert found.customers_of_provider is customers
