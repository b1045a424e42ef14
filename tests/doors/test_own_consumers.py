"""Consumers of one's own, as the settings list them and as a command line names them."""

import asyncio
from pathlib import Path

import pytest
from orderflow import InvalidInput, OrderFlow, load_settings
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import BUILT_IN, CONSUMERS, MAX_PARTS, RESERVED_NAMES, Settings
from orderflow.entrypoints.wiring.own_consumers import consumer_names, with_consumer

from tests.doors.entrypoints.test_embedded import placed
from tests.support.commands import CommandLine, order_json

HANDLERS = """
from pathlib import Path
from orderflow import OrderCreated, consumer

printed = Path(__file__).with_suffix(".txt")
paper = Path(__file__).with_suffix(".paper")

@consumer(OrderCreated)
def printer(event: OrderCreated) -> None:
    if not paper.exists():
        raise RuntimeError("no paper")
    with printed.open("a") as file:
        file.write(f"{event.order_id}\\n")

@consumer(OrderCreated, name="kitchen", start="now")
async def named(event: OrderCreated) -> None: ...

def plain(event: OrderCreated) -> None: ...
"""


@pytest.fixture(autouse=True)
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a shop's own module, named for this test, so that no other test has imported it."""
    file = tmp_path / f"shop_{abs(hash(tmp_path))}.py"
    file.write_text(HANDLERS)
    file.with_suffix(".paper").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return file


def listing(*listed: str) -> Settings:
    return load_settings(
        environment={"ORDERFLOW_CONSUMERS": ",".join(listed)}, database_url="memory://", poll_seconds=0.01
    )


def test_their_names_are_known_without_importing_them() -> None:
    settings = listing("printer=nowhere:printer", "nowhere.handlers:printer", "acme-loyalty")

    assert consumer_names(settings) == (*CONSUMERS, "printer", "nowhere.handlers.printer", "acme-loyalty")
    assert container_for(settings).consumer_names() == consumer_names(settings)


@pytest.mark.parametrize(
    "listed",
    [
        "analytics",
        "relay=shop:printer",
        "a=shop:x,a=shop:y",
        "shop:x,shop.x=shop:y",
        "two words=shop:x",
        "=shop:x",
        "a=",
        "a=b=shop:x",
        "ä=shop:x",
        "x" * 65,
        ",".join(f"c{number}" for number in range(MAX_PARTS + 1)),
    ],
)
def test_a_list_that_cannot_be_is_refused_with_what_is_allowed(listed: str) -> None:
    with pytest.raises(InvalidInput, match=r"ORDERFLOW_CONSUMERS: .* allowed: consumers of your own as NAME=MODULE"):
        listing(*listed.split(","))


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_no_consumer_is_called_as_a_part_of_a_process(name: str) -> None:
    with pytest.raises(InvalidInput):
        listing(f"{name}=shop:printer")


@pytest.mark.parametrize(
    ("specification", "name"),
    [
        ("analytics", "analytics"),
        ("printer", "printer"),
        ("{module}:printer", "printer"),
        ("printer={module}:printer", "printer"),
        ("{module}:named", "kitchen"),
        ("oven={module}:named", "oven"),
    ],
)
def test_a_command_line_may_ask_for_a_listed_one_or_another(handlers: Path, specification: str, name: str) -> None:
    settings = listing(f"printer={handlers.stem}:printer")

    changed, found = with_consumer(settings, specification.format(module=handlers.stem))

    assert found == name
    assert found in container_for(changed).consumers()
    assert container_for(changed).consumers()[found].name == name


@pytest.mark.parametrize(
    ("specification", "reason"),
    [
        ("analitics", "'analitics' is no consumer; did you mean analytics.*allowed: notifications, analytics"),
        ("{module}:printr", "has no printr; did you mean printer"),
        ("{module}:plain", r"{module}:plain is no consumer: decorate the function with @orderflow\.consumer"),
        ("nowhere_at_all:printer", "there is no module nowhere_at_all"),
        ("relay={module}:printer", "one that is taken"),
        ("two words={module}:printer", "no consumer"),
    ],
)
def test_one_that_cannot_be_is_refused_with_the_reason(handlers: Path, specification: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"consumer: .*{reason.replace('{module}', handlers.stem)}"):
        with_consumer(listing(), specification.format(module=handlers.stem))


def test_a_name_in_the_code_that_the_settings_do_not_know_is_refused(handlers: Path) -> None:
    consumers = container_for(listing(f"{handlers.stem}:named")).consumers()

    with pytest.raises(InvalidInput, match=f"declared as kitchen: write kitchen={handlers.stem}:named"):
        consumers[f"{handlers.stem}.named"]


async def test_an_application_runs_them_as_it_runs_the_shipped_ones(handlers: Path) -> None:
    async with OrderFlow.in_memory(consumers=[f"printer={handlers.stem}:printer"]) as flow:
        await placed(flow, "O1")
        await flow.settled()

    assert handlers.with_suffix(".txt").read_text() == "O1\n"


def test_what_one_cannot_handle_is_redriven_and_replayed_by_command(handlers: Path, tmp_path: Path) -> None:
    url, paper, printed = f"sqlite:///{tmp_path}/shop.db", handlers.with_suffix(".paper"), handlers.with_suffix(".txt")
    cli = CommandLine(url, {"ORDERFLOW_CONSUMERS": f"printer={handlers.stem}:printer"})
    cli.json("orders", "create", "-", stdin=order_json("O1"))
    paper.unlink()

    async def consume() -> None:
        async with OrderFlow.open(url, consumers=[f"printer={handlers.stem}:printer"], poll_seconds=0.01) as flow:
            with pytest.raises(RuntimeError, match="no paper"):
                await flow.settled()

    asyncio.run(consume())
    paper.touch()

    refused = cli("dead-letters", "redrive", "printr", "--by", "ann", "--reason", "paper")
    parked = cli.json("dead-letters", "list", "printer")["parked"]
    redriven = cli.json("dead-letters", "redrive", "printer", "--by", "ann", "--reason", "paper")
    everything = cli.json("dead-letters", "redrive", "--all", "--by", "ann", "--reason", "paper")
    replayed = cli.json(
        "events", "replay", "--consumer", f"{handlers.stem}:printer", "--from", "1", "--by", "ann", "--reason", "lost"
    )
    lag = {each["reader"]: each["events"] for each in cli.json("lag")}
    paused = cli("rollout", "pause", "printer", "--by", "ann", "--reason", "lunch")

    assert (refused.code, "did you mean printer" in refused.err) == (2, True)
    assert [each["record"]["orderId"] for each in parked] == ["O1"]
    assert redriven[0]["unparked"] == ["O1"]
    assert [each["consumer"] for each in everything] == [*BUILT_IN, "printer"]
    assert (replayed["consumer"], replayed["handled"]) == ("printer", 1)
    assert printed.read_text() == "O1\nO1\n"
    assert lag == dict.fromkeys(CONSUMERS, 1) | {"printer": 0}
    assert paused.code == 0
