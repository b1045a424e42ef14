"""The metrics of ``orderflow events validate --watch``, which only that command has."""

from pathlib import Path

from attrs import define, field
from prometheus_client import write_to_textfile

from ...wire import Inspection, field_of
from . import labels
from .catalogue import Kind, Metric
from .instruments import Instruments
from .labels import Label

_SIZES = (200.0, 400.0, 600.0, 800.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0, 64000.0, 256000.0, 1000000.0)

RECORDS = Metric(
    "orderflow_topic_records_total",
    Kind.COUNTER,
    "Records inspected at, by what their bodies say they are.",
    (
        Label("type", (*labels.TYPE.values, "unknown")),
        Label("version", source="versions of the contract; unknown", pattern=r"\d{1,3}\.\d{1,3}|unknown", most=20),
    ),
)
FAULTS = Metric(
    "orderflow_topic_faults_total",
    Kind.COUNTER,
    "What was wrong with fields of the contract.",
    (Label("field", source="the contract's fields, such as data/totalPrice", pattern=r"[\w/*-]{1,80}", most=200),),
)
TIMES = Metric(
    "orderflow_topic_untimely_records_total",
    Kind.COUNTER,
    "Records that came long after their event, or before it.",
    (Label("time", ("late", "future")),),
)
CONTRADICTIONS = Metric(
    "orderflow_topic_contradictions_total",
    Kind.COUNTER,
    "Events that contradict the earlier events of their order.",
    (Label("kind", ("gap", "regression", "illegal")),),
)
SIZES = Metric(
    "orderflow_topic_record_size_bytes",
    Kind.HISTOGRAM,
    "The values of the records.",
    (Label("type", (*labels.TYPE.values, "unknown")),),
    _SIZES,
)
TOPIC_CATALOGUE = (RECORDS, FAULTS, TIMES, CONTRADICTIONS, SIZES)


@define(eq=False)
class TopicMetrics:
    """Counts what was inspected at, and writes it as Prometheus' text into ``file``, whole or not at all."""

    file: Path
    instruments: Instruments = field(factory=lambda: Instruments(catalogue=TOPIC_CATALOGUE))

    def count(self, inspected: Inspection) -> None:
        add = self.instruments.add
        add(RECORDS, type=inspected.type, version=inspected.version)
        self.instruments.observe(SIZES, inspected.size, type=inspected.type)
        if inspected.late:
            add(TIMES, time="late")
        for bad in inspected.violations:
            if bad.kind == "fault":
                add(FAULTS, field=field_of(bad.field))
            elif bad.kind == "future":
                add(TIMES, time="future")
            else:
                add(CONTRADICTIONS, kind=bad.kind)

    def write(self) -> None:
        """Write the file. Raises OSError if that fails."""
        write_to_textfile(str(self.file), self.instruments.registry)
