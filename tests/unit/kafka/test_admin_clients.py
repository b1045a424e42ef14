"""An admin client that was dropped is deleted when no response to it can come, and all are when the process ends."""

import gc
import subprocess
import sys
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


THREADS_AT_THE_END = """
import atexit, os, sys
atexit.register(lambda: print(os.getpid() == first, len(os.listdir("/proc/self/task")), flush=True))  # the last to run
from orderflow.adapters.kafka.client import admin
from orderflow.adapters.kafka.settings import KafkaSettings

first = os.getpid()
used = [admin(KafkaSettings(bootstrap_servers=sys.argv[1], topic="orders")) for _ in range(2)]
if os.fork() == 0:
    sys.exit()
os.wait()
assert len(os.listdir("/proc/self/task")) > 1
"""


def test_at_the_end_of_a_process_no_thread_of_a_client_runs_and_a_forked_process_ends_as_well() -> None:
    program = [sys.executable, "-c", THREADS_AT_THE_END, f"127.0.0.1:{free_port()}"]

    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=300)

    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (["False 1", "True 1"], "", 0)
