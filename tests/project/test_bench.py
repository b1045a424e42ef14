"""Each measurement runs, and distinguishes kept promises from missed ones. Its figures are for a quiet machine."""

import asyncio
from importlib import import_module
from itertools import count
from typing import Any

import pytest
from bench.days import on_sqlite
from bench.finding import Effort, Finding, in_turn, ratios, table
from bench.servers import Servers


@pytest.fixture(scope="module")
def bench() -> Any:
    """The program, imported by the tests that need it: it imports all that it measures against."""
    return import_module("bench.__main__")


def test_list_names_every_measurement(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = bench.main(["--list"])

    assert code == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(bench.MEASUREMENTS)
    assert set(bench.ALL) <= set(bench.MEASUREMENTS)


def test_an_unknown_name_is_refused(bench: Any) -> None:
    with pytest.raises(SystemExit) as refused:
        bench.main(["weather"])

    assert refused.value.code == 2


def test_the_parts_together_are_all_measurements_each_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    async def noted(name: str) -> list[Finding]:
        measured.append(name)
        return []

    for name in bench.MEASUREMENTS:
        monkeypatch.setitem(bench.MEASUREMENTS, name, (lambda *_, name=name: noted(name), ""))

    codes = {bench.main(["--part", f"{number}/3"]) for number in (1, 2, 3)}

    assert codes == {0}
    assert sorted(measured) == sorted(bench.ALL)
    assert measured[: len(bench.ALL[::3])] == list(bench.ALL[::3])


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        *(("--part", value, "is no part such as 1/2 or 2/2") for value in ("0/2", "3/2", "2", "1/0", "x/y", "1/2/3")),
        *(("--pairs", value, "is no whole number from 1 on") for value in ("0", "1.5", "-1", "many")),
        *(("--scale", value, "is no number above 0 and below 1000") for value in ("0", "1000", "nan", "much")),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(
    bench: Any, capsys: pytest.CaptureFixture[str], option: str, value: str, allowed: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        bench.main([f"{option}={value}"])

    assert refused.value.code == 2
    assert f"{value!r} {allowed}" in capsys.readouterr().err


async def test_each_side_has_one_turn_in_each_round_in_random_order_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    async def side(name: str, rate: float) -> float:
        turns.append(name)
        return rate * (len(turns) + 1 >> 1)

    ours, peers = await in_turn(Effort(pairs=9), lambda: side("A", 1), lambda: side("B", 10), others=lambda *_: 0.0)

    rounds = ["".join(turns[at : at + 2]) for at in range(0, 20, 2)]
    assert set(rounds) == {"AB", "BA"}
    assert (ours, peers) == (list(range(2, 11)), list(range(20, 101, 10)))
    assert ratios(ours, peers) == [0.1] * 9


async def test_rounds_that_others_disturb_are_repeated_a_bounded_number_of_times(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shares = iter([1.0, 0.5, 0.0, 0.5, 0.5])
    turns = count()

    async def side() -> float:
        return float(next(turns))

    rounds = await in_turn(Effort(pairs=2), side, others=lambda *_: next(shares))

    assert (list(rounds), rounds.busy) == ([[2.0, 4.0]], 1)
    assert "in 1 of 2 rounds other programs used the processors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("promised", "missed"),
    [({}, False), ({"floor": 0.4}, False), ({"floor": 0.6}, True), ({"ceiling": 0.6}, False), ({"ceiling": 0.4}, True)],
)
def test_the_median_is_held_to_the_promise(promised: dict[str, float], missed: bool) -> None:
    finding = Finding(what="relay", values=[0.1, 0.5, 0.9], **promised)

    printed = table([finding])

    assert finding.missed is missed
    assert ("MISSED" in printed, "kept" in printed) == (missed, bool(promised) and not missed)
    assert "0.50 x" in printed


def test_a_missed_floor_ends_with_1_and_no_floors_with_0(
    bench: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(servers: Servers, effort: Effort) -> list[Finding]:
        return [Finding(what="slow", values=[0.1], floor=1.0)]

    monkeypatch.setitem(bench.MEASUREMENTS, "day", (slow, ""))

    codes = bench.main(["day"]), bench.main(["day", "--no-floors"])

    assert codes == (1, 0)
    assert "missed: slow: 0.10, promised >= 1 x" in capsys.readouterr().out


def test_a_tiny_day_on_sqlite_is_measured() -> None:
    with Servers() as servers:
        (finding,) = asyncio.run(on_sqlite(servers, Effort(pairs=1, scale=0.02)))

    assert finding.median > 0
    assert "steps/s" in finding.aside
