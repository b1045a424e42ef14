"""The wheel is complete: every module and file is in it, and it works outside of this tree."""

import ast
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import orderflow
import pytest

TREE = Path(__file__).parents[2]
SOURCE = TREE / "src"
HEAVY = ("alembic", "cyclopts", "dependency_injector", "msgspec", "rich", "sqlalchemy", "typed_settings")
LOADED_BY_OTHERS = {
    "aiosqlite": "by SQLAlchemy, from the database's address",
    "offapi": "by browsers: the files of the page at /docs",
}
SHARED_NAMES = {
    "opentelemetry.exporter": ["opentelemetry-exporter-otlp-proto-http"],
    "opentelemetry.sdk": ["opentelemetry-sdk"],
    **{f"opentelemetry.{part}": ["opentelemetry-api"] for part in ("context", "trace")},
}
"""Packages that several distributions share."""
NOT_CODE = ("py.typed", "*.json", "*.txt", "*.mako", "*.html", "*.css", "*.js", "*.svg")

AN_ORDER = """
import asyncio, sys
from decimal import Decimal
from orderflow import Money, OrderFlow, OrderLine

async def main():
    price = Money(Decimal("12.50"), "EUR")
    line = OrderLine(food_id="F1", food_name="Pizza", price=price, quantity=2, discount=Money.zero("EUR"))
    async with OrderFlow.in_memory() as flow:
        handled = []

        @flow.on("order.delivered")
        async def note(event):
            handled.append(event.order_id)

        order = await flow.create_order(customer_id="C1", restaurant_id="R7", lines=[line], currency="EUR")
        await flow.assign_shipper(order.id, "S3")
        await flow.transition_order_state(order.id, "on_the_way")
        order = await flow.transition_order_state(order.id, "delivered")
        await flow.settled()
        assert handled == [order.id], handled
    print(order.state, order.total)

asyncio.run(main())
"""

EVERY_MODULE = """
import importlib.util, pkgutil, sys
import orderflow

assert orderflow.__file__.startswith(sys.argv[1]), orderflow.__file__
names = [module.name for module in pkgutil.walk_packages(orderflow.__path__, "orderflow.")]
tested = importlib.util.find_spec("pytest") is not None  # the image has no suites to run
for name in names:
    if name.startswith("orderflow.testing") and not tested:
        continue
    if not name.endswith("migrations.env"):  # alembic runs it, within a migration
        importlib.import_module(name)
print("\\n".join(names))
"""

MIGRATED = """
import asyncio
from orderflow.adapters.sql import schema
print(asyncio.run(schema.upgrade("sqlite:///installed.db")) == schema.newest())
"""

HIDDEN = """
import sys
extras = "aiosmtplib asyncpg confluent_kafka fastapi httpcore httpx jwt litestar offapi stamina uvicorn"
for name in extras.split():
    sys.modules[name] = None
"""

REFUSALS = """
import asyncio
from orderflow import NotConfigured, OrderFlow, Settings
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.simulation.http_driver import HttpOrderClient
from orderflow.entrypoints.http import create_app

async def opened(**settings):
    async with OrderFlow.open(**settings):
        pass

asked = {
    "kafka": lambda: asyncio.run(opened(database_url="memory://", kafka_bootstrap_servers="localhost:9092")),
    "postgres": lambda: asyncio.run(opened(database_url="postgresql://localhost/shop")),
    "email": lambda: asyncio.run(opened(database_url="memory://", notification_channels=("email",))),
    "oidc": lambda: container_for(
        Settings(database_url="memory://", oidc_issuer="https://id.example.com", oidc_audience="orders")
    ).oidc(),
    "http": lambda: create_app(None, tokens=None, checks={}, trust_actor_header=True),
    "http ": lambda: HttpOrderClient("http://localhost"),
}
for extra, ask in asked.items():
    try:
        ask()
    except NotConfigured as refused:
        assert f"pip install 'orderflow-service[{extra.strip()}]'" in str(refused), refused
        print(extra)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the build leaves nothing in the tree and takes nothing from an earlier one."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "tree"
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (copy / name).write_bytes((TREE / name).read_bytes())
    for file in _shipped():
        target = copy / "src" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((SOURCE / file).read_bytes())
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    _run(build, str(folder), cwd=copy)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it was unpacked into, as an installation does."""
    folder = tmp_path_factory.mktemp("installed")
    with ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def _shipped() -> Iterator[Path]:
    for pattern in ("*.py", *NOT_CODE):
        for file in SOURCE.rglob(pattern):
            yield file.relative_to(SOURCE)


def _run(program: str, *arguments: str, cwd: Path, path: Path | None = None) -> str:
    """Return the program's output; with ``path``, imports are found there first, and never in this tree."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), sysconfig.get_path("purelib")])
    isolated = ["-S"] if path is not None else []  # without site no .pth file is read, and so no editable install
    done = subprocess.run(
        [sys.executable, *isolated, "-c", program, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    packed = ZipFile(wheel).namelist()

    missing = [str(file) for file in _shipped() if f"orderflow/{file}" not in packed]

    assert missing == []
    assert [name for name in packed if name.endswith("licenses/LICENSE")]
    assert {"orderflow/py.typed", "orderflow/adapters/sql/migrations/env.py"} <= set(packed)


def test_nothing_else_lands_in_site_packages(wheel: Path) -> None:
    packed = ZipFile(wheel).namelist()

    tops = {name.partition("/")[0] for name in packed}

    assert tops == {"orderflow", "orderflow_service-0.1.0.dist-info"}


def test_every_module_of_the_wheel_is_imported(installed: Path, tmp_path: Path) -> None:
    imported = _run(EVERY_MODULE, str(installed), cwd=tmp_path, path=installed).split()

    modules = {".".join(("orderflow", *file.with_suffix("").parts)) for file in _shipped() if file.suffix == ".py"}
    assert set(imported) == {name.removesuffix(".__init__") for name in modules} - {"orderflow"}


def test_an_order_runs_and_a_database_is_migrated_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    said = _run(AN_ORDER + MIGRATED, cwd=tmp_path, path=installed)

    assert said.splitlines()[-2:] == ["delivered 25.00 EUR", "True"]


def test_without_any_extra_orders_are_taken_and_each_missing_one_is_named(tmp_path: Path) -> None:
    said = _run(HIDDEN + AN_ORDER + REFUSALS, cwd=tmp_path)

    assert said.split("delivered 25.00 EUR\n")[1].split() == ["kafka", "postgres", "email", "oidc", "http", "http"]


def test_what_is_declared_is_what_is_imported() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name, lines in extras.items() if name != "all" for line in lines)]
    declared = {re.split(r"[\[<>=]", line)[0] for line in lines}

    homes = packages_distributions() | SHARED_NAMES
    imported = {homes[name][0].lower().replace("_", "-") for name in _imported() if name in homes}

    assert imported | LOADED_BY_OTHERS.keys() == declared


def _imported() -> set[str]:
    """The top-level names that the package imports from elsewhere; of a shared one the part below it."""
    found: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {_name(alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found |= {_name(f"{node.module}.{alias.name}") for alias in node.names}
    return found


def _name(module: str) -> str:
    first, *more = module.split(".")
    return f"{first}.{more[0]}" if first == "opentelemetry" else first


def test_all_means_every_extra() -> None:
    extras = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    (everything,) = extras.pop("all")
    assert extras.pop("testing")  # what tests need does not run in production

    assert set(everything.removeprefix("orderflow-service[").removesuffix("]").split(",")) == extras.keys()


def test_every_text_that_names_an_extra_names_the_distribution() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    an_extra = re.compile(rf"([\w-]+)\[(?:{'|'.join(project['optional-dependencies'])})[,\]]")
    texts = [*SOURCE.rglob("*.py"), *TREE.glob("examples/*.*"), *TREE.glob("docs/**/*.md"), *TREE.glob("*.md")]

    named = {name for text in texts for name in an_extra.findall(text.read_text(encoding="utf-8"))}

    assert named == {project["name"]}


def test_the_package_has_every_name_that_it_offers() -> None:
    missing = [name for name in orderflow.__all__ if getattr(orderflow, name, None) is None]

    assert missing == []
    assert set(orderflow.__all__) <= set(dir(orderflow))


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'OrderFlaw'"):
        orderflow.OrderFlaw  # noqa: B018


def test_the_domain_alone_loads_nothing_heavy(tmp_path: Path) -> None:
    said = _run(
        "import sys, orderflow.domain.order; print(sys.modules.keys() & set(sys.argv[1:]))", *HEAVY, cwd=tmp_path
    )

    assert said.strip() == "set()"
