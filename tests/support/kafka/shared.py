"""One Kafka for all workers of a run, which the process that hands out the tests starts and ends."""

import pickle
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..servers import MissingServer
from ..waiting import eventually
from .broker import KafkaBroker
from .sources import find_kafka

_KEY = "kafka_of_the_run"
_ITS_TESTS = ("tests/integration/", "tests/system/", "tests/faults/")


class SharedKafka(KafkaBroker):
    """The Kafka of all workers. A test that stops one has to take ``own_kafka``."""

    def __init__(self, broker: KafkaBroker) -> None:
        super().__init__(broker.bootstrap_servers)
        self.login_servers = broker.login_servers
        self.secured = broker.secured
        self.logs = broker.logs

    def stop(self) -> None:
        raise AssertionError("other tests use this Kafka: a test that stops one takes own_kafka")

    kill = stop


class KafkaOfTheRun:
    """The part of the process that hands out the tests, as a plugin of it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="orderflow-shared-kafka-"))
        self._file = self._folder / "kafka"
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._starting: Future[KafkaBroker] | None = None

    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to read what Kafka there is."""
        node.workerinput[_KEY] = str(self._file)

    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """Begin to start Kafka when the first worker has tests that may need it."""
        if self._starting is None and _needed(ids):
            self._starting = self._thread.submit(find_kafka, heap="512m")
            self._starting.add_done_callback(self._write)

    def pytest_unconfigure(self) -> None:
        """End Kafka, and leave nothing of it."""
        if self._starting is not None and self._starting.exception(timeout=400) is None:
            self._starting.result().close()
        self._thread.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, starting: Future[KafkaBroker]) -> None:
        found: object
        match starting.exception():
            case None:
                found = SharedKafka(starting.result())
            case MissingServer() as missing:
                found = (missing.name, missing.tried, missing.remedy)
            case error:
                found = repr(error)
        begun = self._file.with_suffix(".begun")
        begun.write_bytes(pickle.dumps(found))
        begun.rename(self._file)


def kafka_of_the_run(session: Any) -> KafkaBroker:
    """Return the Kafka of this worker's run, or, if its tests were not handed out, one of this process.

    Raises MissingServer if there is none, and RuntimeError if it did not start.
    """
    place = getattr(session.config, "workerinput", {}).get(_KEY)
    if place is None or not _needed(item.nodeid for item in session.items):
        return find_kafka()
    eventually(Path(place).exists, deadline=400, that="the Kafka of the run is started or given up")
    found = pickle.loads(Path(place).read_bytes())
    if isinstance(found, tuple):
        raise MissingServer(*found)
    if isinstance(found, str):
        raise RuntimeError(f"the Kafka of the run did not start: {found}")
    assert isinstance(found, SharedKafka)
    return found


def _needed(ids: Iterable[str]) -> bool:
    return any(each.startswith(_ITS_TESTS) for each in ids)
