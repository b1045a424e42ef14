"""Apache Kafka's jars and a Java that runs them, without an installation of Kafka."""

import os
import re
import shutil
import subprocess
import zlib
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from ..published import fetch, kept
from ..servers import MissingServer

POM = Path(__file__).with_name("pom.xml")
LOGGING = Path(__file__).with_name("log4j2.properties")
OLDEST_JAVA = 17
REMEDY = (
    "Install Java 17 and Maven (Debian: apt-get install openjdk-17-jre-headless maven), start Docker, "
    "or set ORDERFLOW_TEST_KAFKA=host:port"
)


def version() -> str:
    """The version of Kafka that ``pom.xml`` names."""
    named = ElementTree.parse(POM).getroot().findtext("{*}version")
    assert named
    return named


@cache
def java() -> str:
    """A Java of version 17 or newer: of ``JAVA_HOME``, of the path, or of the system.

    :raises MissingServer: when there is none.
    """
    candidates = [shutil.which("java") or "", *map(str, sorted(Path("/usr/lib/jvm").glob("*/bin/java")))]
    if home := os.environ.get("JAVA_HOME"):
        candidates.insert(0, str(Path(home) / "bin" / "java"))
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK) and _java_version(candidate) >= OLDEST_JAVA:
            return candidate
    raise MissingServer("Apache Kafka", [f"no Java {OLDEST_JAVA} on this machine"], REMEDY)


def jars() -> Path:
    """The folder with Kafka's jars, fetched by Maven once and kept in the user's cache.

    :raises MissingServer: when they are not there and Maven cannot fetch them.
    """
    return kept(f"kafka-{version()}", _fetched)


def _fetched(folder: Path) -> Path:
    if shutil.which("mvn") is None:
        raise MissingServer("Apache Kafka", ["its jars are not in the cache and Maven is not here"], REMEDY)
    jars = folder / "jars"
    asked = ["--batch-mode", "--quiet", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    fetch("Apache Kafka", ["mvn", *asked], POM.parent, remedy=REMEDY)
    return jars


def class_archive() -> Path:
    """The place of the classes that a broker loads, for this Java: with them it starts in three fifths of the time.

    :raises MissingServer: when the jars are not there and Maven cannot fetch them.
    """
    return jars() / f"classes-{_java_build(java()):08x}.jsa"


def command(main: str, *arguments: str, heap: str = "256m") -> list[str]:
    """The command line that runs a main class of Kafka."""
    archive = class_archive()
    return [
        java(),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # a server for some minutes: what the optimising compiler takes is not earned back
        "-XX:+ExitOnOutOfMemoryError",
        *([f"-XX:SharedArchiveFile={archive}", "-Xlog:cds*=off"] if archive.exists() else []),
        f"-Dlog4j2.configurationFile={LOGGING}",
        "-cp",
        f"{jars()}/*",
        main,
        *arguments,
    ]


@cache
def _java_build(program: str) -> int:
    return zlib.crc32(subprocess.run([program, "-version"], capture_output=True, check=True).stderr)


def _java_version(program: str) -> int:
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', answer)
    return int(found.group(1)) if found else 0
