"""An admin client that was dropped is not deleted while a response to it may still come."""

import gc
import weakref

from orderflow.adapters.kafka.client import AdminClients, ReportingAdmin, _build
from orderflow.adapters.kafka.settings import KafkaSettings

from tests.support.servers import free_port


def client() -> ReportingAdmin:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", topic="orders")
    return _build(ReportingAdmin, settings, {}, {})


def test_a_client_is_kept_for_a_while_after_it_was_dropped_and_deleted_by_who_makes_another() -> None:
    now = [0.0]
    clients = AdminClients(seconds=60.0, clock=lambda: now[0])
    used, dropped = clients.keep(client()), weakref.ref(clients.keep(client()))
    gc.collect()

    there = []
    for now[0] in (10.0, 69.0, 71.0):
        clients.keep(client())
        there.append(dropped() is not None)

    assert there == [True, True, False]
    assert any(each is used for each, _ in clients._kept)
