"""The whole of it at once: real servers, real processes, everything that breaks, and then every invariant."""

import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .campaign import forgetful_relay
from .campaign.campaign import MUTANT, SIZES, Campaign, missing
from .campaign.deployment import RELAYS
from .campaign.verdict import ON_TOPIC
from .conftest import Note
from .invariants import differences

SEED = "ORDERFLOW_TEST_FAULTS_SEED"
SIZE = "ORDERFLOW_TEST_FAULTS_SIZE"
SHOWN = 20
"""Problems that are printed; the number of all is in the failure."""

pytestmark = [pytest.mark.large, pytest.mark.timeout(5_400)]
Say = Callable[[str], None]


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """A function that prints the progress of the campaign."""
    plugins = request.config.pluginmanager
    terminal, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")

    def said(line: str) -> None:
        if terminal is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                terminal.ensure_newline()
                terminal.write_line(line, flush=True)

    return said


async def test_nothing_is_lost_doubled_or_out_of_order_whatever_breaks(tmp_path: Path, say: Say, note: Note) -> None:
    seed = int(os.environ.get(SEED) or secrets.randbelow(1_000_000))
    campaign = Campaign(SIZES[os.environ.get(SIZE) or "large"], seed, tmp_path, say)

    report = await campaign()

    for line in campaign.figures(report):
        note(line)
    problems = [*campaign.failures, *missing(campaign, report), *differences(report)]
    for problem in problems[:SHOWN]:
        say(problem)
    assert not problems, f"make faults SEED={seed}: {len(problems)} problems"


async def test_a_relay_that_sends_its_offsets_outside_the_transaction_is_caught(
    tmp_path: Path, say: Say, note: Note
) -> None:
    relays = dict.fromkeys(RELAYS, (sys.executable, str(Path(forgetful_relay.__file__)), "relay"))
    campaign = Campaign(MUTANT, 1, tmp_path, say, relays)

    report = await campaign()

    [found] = [compared for compared in report.comparisons if compared.name == ON_TOPIC]
    assert found.found > 0
    note(f"the campaign on a relay that sends its offsets outside the transaction: {found.differences[0]}")
