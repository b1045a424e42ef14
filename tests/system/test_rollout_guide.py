"""docs/rollout.md as an operator follows it: every command of it, in its order, on real servers."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field

from tests.support.commands import CommandLine
from tests.support.kafka import KafkaBroker
from tests.support.pages import EXIT, TREE, Block, blocks
from tests.support.stack import PROGRAM, Stack

PAGE = TREE / "docs" / "rollout.md"
UNTIL_STOPPED = "# runs until stopped"


@define
class Operator:
    """Types what the page says. Processes that run until they are stopped do so in the background."""

    stack: Stack
    command_line: CommandLine
    background: list[subprocess.Popen[bytes]] = field(factory=list)
    typed: list[str] = field(factory=list)

    def follow(self, block: Block) -> None:
        language, _, file = block.info.partition(" file=")
        if file:
            (self.stack.folder / file).write_text(block.body, encoding="utf-8")
        elif language == "console production":
            for command in block.commands:
                self.type(command, str(block))

    def type(self, command: str, where: str) -> None:
        """Raises AssertionError where the command does not end as the page says."""
        if command.startswith("export "):
            return  # the addresses of this test stand for those of the page
        program, *arguments = shlex.split(command, comments=True)
        assert program == "orderflow", f"{where}: {command}"
        self.typed.append(command)
        if command.endswith(UNTIL_STOPPED):
            with (self.stack.folder / f"{arguments[0]}.log").open("wb") as log:
                self.background.append(
                    subprocess.Popen((*PROGRAM, *arguments), stdout=log, stderr=log, env=self.stack.environment)
                )
            return
        answer = self.command_line(*arguments)
        expected = int(found[1]) if (found := EXIT.search(command)) else 0
        assert answer.code == expected, f"{where}: $ {command}\n{answer.out}\n{answer.err}"

    def stop(self) -> None:
        for process in self.background:
            process.terminate()
        for process in self.background:
            process.wait(30)


@pytest.fixture
def operator(
    tmp_path: Path, database_url: str, kafka: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Operator]:
    monkeypatch.chdir(tmp_path)
    stack = Stack(tmp_path, database_url, kafka.bootstrap_servers, topic_name)
    settings = {name: value for name, value in stack.environment.items() if name.startswith("ORDERFLOW_")}
    operator = Operator(stack, CommandLine(database_url, settings))
    yield operator
    operator.stop()


def test_an_operator_rolls_out_phase_by_phase_and_can_go_back(operator: Operator) -> None:
    first, later = _phases()

    for block in first:
        operator.follow(block)
    after_phase_one = operator.command_line.json("rollout", "status")
    on_the_topic = operator.command_line.json("events", "validate", "--topic")["checked"]
    for block in later:
        operator.follow(block)

    assert (after_phase_one["percent"], after_phase_one["waiting"], after_phase_one["held"]) == (0, 0, 1)
    assert on_the_topic == 0
    history = operator.command_line.json("rollout", "history")
    status = operator.command_line.json("rollout", "status")
    assert len(history) == sum(" rollout " in command for command in operator.typed if "--reason" in command)
    assert (status["percent"], status["waiting"], status["held"]) == (100, 0, 0)
    assert [(each["paused"], each["events"]) for each in status["consumers"]] == [(None, 0)] * 3
    assert operator.command_line.json("events", "validate", "--topic")["checked"] == 1
    written = (operator.stack.folder / "topic.prom").read_text(encoding="utf-8")
    assert 'orderflow_topic_records_total{type="order.created",version="1.0"} 1.0' in written


def _phases() -> tuple[list[Block], list[Block]]:
    """The blocks up to the second phase, and those from there on."""
    before, _, _ = PAGE.read_text(encoding="utf-8").partition("## Phase 2")
    page, line = list(blocks(PAGE)), before.count("\n")
    return [block for block in page if block.line < line], [block for block in page if block.line >= line]
