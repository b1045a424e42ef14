"""librdkafka's lines are logged, and repeated ones only at intervals."""

import pytest
from orderflow.adapters.kafka.client import ClientLog


def test_repeated_lines_of_a_client_are_logged_at_intervals_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    log = ClientLog(every=0.0)
    log.log(30, "%s", "FAIL", "c1", "connection refused")
    log.every = 60.0
    for _ in range(5):
        log.log(30, "%s", "FAIL", "c1", "connection refused")
    log.log(30, "%s", "FAIL", "c2", "connection refused")
    log.every = 0.0
    log.log(30, "%s", "FAIL", "c1", "connection refused")

    lines = [vars(record) for record in caplog.records]
    assert [(line["client"], line["more"]) for line in lines] == [("c1", 0), ("c2", 0), ("c1", 5)]
