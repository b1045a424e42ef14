"""The machine, and the processor time that this measurement takes on it, with its servers, and all others take."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import psutil
from attrs import frozen


def described() -> str:
    """Return the processor, the memory, and the versions of what is measured with."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("SQLAlchemy", "asyncpg", "confluent-kafka", "fastapi"))
    return (
        f"{os.cpu_count()} cores of {model or platform.machine()}, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}; Python {platform.python_version()}, {packages}"
    )


@frozen
class Usage:
    """Seconds: of the clock, of all processors while they were busy, and of this process and its descendants."""

    clock: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> "Usage":
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
        return cls(perf_counter(), busy, _own())

    def others(self, until: "Usage") -> float:
        """The share of all processors that other programs used between this usage and ``until``."""
        seconds = (until.clock - self.clock) * (os.cpu_count() or 1)
        return max(0.0, (until.busy - self.busy) - (until.own - self.own)) / seconds if seconds else 0.0


def _own() -> float:
    this = psutil.Process()
    own = 0.0
    for process in (this, *this.children(recursive=True)):
        try:
            own += sum(process.cpu_times()[:4])  # user and system, its own and of its children that have ended
        except psutil.NoSuchProcess:
            continue
    return own
