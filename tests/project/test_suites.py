"""The shipped suites find the faults that they are for."""

import re
from pathlib import Path

from tests.support.pytest_run import run_pytest

BROKEN = """
from attrs import frozen
from uuid import uuid4

import pytest
from orderflow import GatewayResponse, OrderEvent, WriteSet
from orderflow.adapters.memory import MemoryNotifier, MemoryStorage
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.application.orders.unit_of_work import WriteSetUnitOfWork
from orderflow.testing import *


class Doubling(SandboxGateway):
    async def capture(self, *, authorization, amount, key):
        self._responses[key] = GatewayResponse(True, f"cap_{uuid4().hex}")
        return self._responses[key]


class Forgetful(SandboxGateway):
    async def find(self, *, kind, key, reference=""):
        return None


class Inventing(SandboxGateway):
    async def find(self, *, kind, key, reference=""):
        return self._responses.get(key) or GatewayResponse(True, "cap_" + key)


class Mute(MemoryNotifier):
    async def send(self, message):
        self.sent.append(message)


@frozen
class Eager:
    sent: list
    writes: WriteSet

    def publish(self, *events):
        self.sent.extend(events)
        self.writes.events.extend(events)


class LastWriteWins:
    def __init__(self, storage):
        self.storage = storage

    async def commit(self, writes):
        for order in writes.orders.values():
            try:
                writes.expected[order.id] = (await self.storage.views.get(order.id)).version
            except Exception:
                writes.expected[order.id] = 0
        await self.storage.committer.commit_together([writes])


def _gateway(kind):
    class Suite(PaymentGatewayContract, PaymentGatewayCrashContract):
        @pytest.fixture
        def gateway(self):
            return kind()
    return Suite


TestDoubling, TestForgetful, TestInventing = map(_gateway, (Doubling, Forgetful, Inventing))


class TestMute(NotificationChannelContract):
    @pytest.fixture
    def channel(self):
        return Mute()


class TestEager(EventPublisherContract):
    @pytest.fixture
    def sent(self):
        return []

    @pytest.fixture
    def unit_of_work(self, sent):
        from orderflow.application.orders.group_commit import GroupCommit

        storage = MemoryStorage()
        return WriteSetUnitOfWork(
            committer=GroupCommit(storage.committer), read=storage.views.get, events=lambda writes: Eager(sent, writes)
        )

    @pytest.fixture
    def published(self, sent):
        async def published():
            return list(sent)

        return published


class TestLastWriteWins(OrderRepositoryContract):
    @pytest.fixture
    def unit_of_work(self):
        storage = MemoryStorage()
        return WriteSetUnitOfWork(committer=LastWriteWins(storage), read=storage.views.get)
"""
FOUND = {
    "TestDoubling": {"a_repeated_capture_takes_the_money_once"},
    "TestForgetful": {"what_was_asked_for_is_found_by_its_key", "money_moves_once_wherever_the_process_ends"},
    "TestInventing": {"what_was_never_asked_for_is_not_found"},
    "TestMute": {"a_message_is_accepted"},
    "TestEager": {"nothing_is_published_before_the_end", "an_exception_inside_publishes_nothing"},
    "TestLastWriteWins": {"an_order_that_changed_since_it_was_read_is_refused"},
}
"""By part, tests that must fail for it."""


def test_a_part_that_breaks_its_promise_fails_its_suite(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(BROKEN)
    finding = [f"test_broken.py::{part}::test_{test}" for part, tests in FOUND.items() for test in tests]

    done = run_pytest(tmp_path, "-rf", "--tb=no", *finding)

    failed = {name.partition("[")[0] for name in re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)}
    assert failed == set(finding), done.stdout + done.stderr
