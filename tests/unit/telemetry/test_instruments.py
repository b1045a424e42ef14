"""Instruments expose what the catalogue declares, and no label grows without bound."""

import pytest
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.metrics.catalogue import CATALOGUE, COMMAND_SECONDS, COMMANDS, CONSUMED, Kind, Metric
from orderflow.adapters.telemetry.metrics.labels import CONSUMER, OTHER, Label
from orderflow.domain.errors import OrderFlowError


def test_names_are_unique_and_follow_the_conventions() -> None:
    names = [metric.name for metric in CATALOGUE]

    assert len(set(names)) == len(names)
    assert [name for name in names if not name.startswith("orderflow_")] == []
    assert [m.name for m in CATALOGUE if (m.kind is Kind.COUNTER) != m.name.endswith("_total")] == []
    assert [m.name for m in CATALOGUE if (m.kind is Kind.HISTOGRAM) != bool(m.buckets)] == []
    assert [m.name for m in CATALOGUE if list(m.buckets) != sorted(set(m.buckets))] == []
    assert [m.name for m in CATALOGUE if not m.help.endswith(".")] == []


def test_every_label_is_bounded() -> None:
    labels = {label for metric in CATALOGUE for label in metric.labels}

    assert [label.name for label in labels if bool(label.values) == bool(label.pattern)] == []
    assert [label.name for label in labels if label.pattern and not label.source] == []


def test_a_counter_and_a_histogram_expose_what_was_counted() -> None:
    instruments = Instruments()

    instruments.add(COMMANDS, command="create_order", outcome="ok")
    instruments.add(COMMANDS, 2, command="create_order", outcome="ok")
    instruments.observe(COMMAND_SECONDS, 0.003, command="create_order")

    asked = {"command": "create_order"}
    assert instruments.registry.get_sample_value(COMMANDS.name, {**asked, "outcome": "ok"}) == 3
    assert instruments.registry.get_sample_value(f"{COMMAND_SECONDS.name}_bucket", {**asked, "le": "0.0025"}) == 0
    assert instruments.registry.get_sample_value(f"{COMMAND_SECONDS.name}_bucket", {**asked, "le": "0.005"}) == 1


def test_every_error_of_the_domain_is_an_outcome_of_its_own() -> None:
    instruments = Instruments()

    for error in OrderFlowError.__subclasses__():
        instruments.add(COMMANDS, command="create_order", outcome=error.code)

    other = {"command": "create_order", "outcome": OTHER}
    assert instruments.registry.get_sample_value(COMMANDS.name, other) is None


@pytest.mark.parametrize("free", ["01920c5e-7f3a-7aaa", "Main Street 1", "x" * 65, "", "a\nb", "{}"])
def test_what_a_label_does_not_allow_counts_as_other(free: str) -> None:
    instruments = Instruments()

    instruments.add(CONSUMED, consumer=free, outcome=free)

    assert instruments.registry.get_sample_value(CONSUMED.name, {"consumer": OTHER, "outcome": OTHER}) == 1


def test_an_open_label_takes_only_so_many_values() -> None:
    few = Label("what", source="a test", pattern="[a-z]", most=2)
    metric = Metric("orderflow_things_total", Kind.COUNTER, "Things.", (few,))
    instruments = Instruments(catalogue=[metric])

    for what in "abcda":
        instruments.add(metric, what=what)

    seen = {what: instruments.registry.get_sample_value(metric.name, {"what": what}) for what in ("a", "b", "c", OTHER)}
    assert seen == {"a": 2, "b": 1, "c": None, OTHER: 2}


def test_a_label_that_is_left_out_is_an_error() -> None:
    instruments = Instruments()

    with pytest.raises(KeyError, match="outcome"):
        instruments.add(COMMANDS, command="create_order")


def test_the_names_of_our_consumers_are_allowed() -> None:
    assert all(CONSUMER.allows(name) for name in ("notifications", "shop.orders.on_created", "f.<locals>.g"))
