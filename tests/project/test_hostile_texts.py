"""The cost of every pattern, and of everything that shows a caller's text, grows linearly with the text."""

import ast
import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import orderflow
import pytest
from attrs import frozen
from orderflow.adapters.telemetry.logs.formatter import LineFormatter
from orderflow.adapters.telemetry.metrics import labels
from orderflow.adapters.wire.validation import check_record
from orderflow.application.redaction import error_text, redact
from orderflow.domain.errors import InvalidInput, OrderFlowError
from orderflow.domain.money import exact
from orderflow.domain.text import identifier
from orderflow.entrypoints.http.bodies import PlaceOrder
from orderflow.entrypoints.http.read_body import read_body

from tests.support.growth import grows_linearly

SRC = Path(orderflow.__path__[0])
UNITS = (
    *(
        "a",
        "1",
        " ",
        "\n",
        "@",
        "1@",
        "a@a.",
        "/",
        "://",
        "://a",
        "a:",
        ":1",
        '"',
        "'",
        "`",
        "\"'",
        'a"',
        "-",
        "_",
        "=",
    ),
    *("of_", "of_-", "basic ", "bearer\t", "password=", "&", "&a", "W/", 'W/"', "[", "]", ".", "` - at `$", "`, got `"),
    *("ssl://", "ssl://a:1", "/1", "(byte ", "(byte 1", "é", "😀", "\ud800", "\0", "E1", "+", "0-", "Expected `"),
)
"""The repeated parts of hostile texts: parts of the patterns, and characters that they treat specially."""
ENDS = ("", "!", "=x", "\n")
PREFIXES = ("", "of_", "bearer ", "ssl://", "://", "Expected `", "/", "(byte ")


@frozen
class Use:
    """A pattern of the tree, and a method with which the tree applies it."""

    pattern: re.Pattern[Any]
    method: str

    def __call__(self, text: str) -> object:
        given = text.encode(errors="surrogatepass") if isinstance(self.pattern.pattern, bytes) else text
        return getattr(self.pattern, self.method)(*([given[:0]] if self.method == "sub" else []), given)


@cache
def uses() -> dict[Use, str]:
    """Each use of a pattern, and a place of it."""
    found = {
        use: f"{path.relative_to(SRC)}:{line} {use.method}"
        for path in SRC.rglob("*.py")
        for line, use in _uses_in(path)
    }
    patterns = {label.pattern for label in vars(labels).values() if isinstance(label, labels.Label) and label.pattern}
    return found | {Use(re.compile(pattern), "fullmatch"): f"label {pattern}" for pattern in patterns}


def _uses_in(path: Path) -> Iterator[tuple[int, Use]]:
    source = path.read_text()
    if "import re\n" not in source:
        return
    tree = ast.parse(source)
    names = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and _called(node.value) == ("re", "compile")
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    module = import_module(".".join(("orderflow", *path.relative_to(SRC).with_suffix("").parts))) if names else None
    for node in ast.walk(tree):
        match _called(node):
            case ("re", "compile" | "escape") | None:
                pass
            case ("re", method):
                assert isinstance(node, ast.Call)
                pattern = node.args[0]
                if isinstance(pattern, ast.Constant):
                    yield node.lineno, Use(re.compile(pattern.value), method)
                else:
                    assert path.name == "labels.py", f"{path}:{node.lineno}: a pattern that this test cannot see"
            case (name, method) if name in names:
                yield node.lineno, Use(getattr(module, name), method)


def _called(node: ast.AST | None) -> tuple[str, str] | None:
    """Return ``("a", "b")`` for the call ``a.b(...)``."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
            return name, method
    return None


def test_every_pattern_of_the_tree_is_found() -> None:
    compiled = sum(path.read_text().count("re.compile(") for path in SRC.rglob("*.py"))

    assert len({use.pattern for use in uses()}) >= compiled - 1  # all but the one of the settings' secrets


def test_the_cost_of_every_pattern_grows_linearly() -> None:
    slow = {place: text for use, place in uses().items() if (text := _slow_text(use))}

    assert slow == {}


def _slow_text(use: Use) -> tuple[str, str, str] | None:
    return next(
        (
            (prefix, unit, end)
            for prefix, unit, end in product(PREFIXES, UNITS, ENDS)
            if not grows_linearly(use, lambda size, p=prefix, u=unit, e=end: p + (u * size)[:size] + e, size=200)  # type: ignore[misc]
        ),
        None,
    )


def refused(call: Callable[[], object]) -> None:
    try:
        call()
    except OrderFlowError as error:
        error_text(error)


def logged(text: str) -> None:
    record = logging.LogRecord("orderflow", logging.INFO, __file__, 1, "%s", (text,), None)
    LineFormatter(secrets=("pass",)).format(record)


SHOWN: dict[str, Callable[[str], object]] = {
    "redact": redact,
    "an error's text": lambda text: error_text(ValueError(text)),
    "a refusal's text": lambda text: error_text(InvalidInput(text, text, text)),
    "a log line": logged,
    "a name in a body": lambda text: refused(lambda: read_body(json.dumps({text: 1}).encode(), PlaceOrder)),
    "a value in a body": lambda text: refused(
        lambda: read_body(json.dumps({"orderDetails": text}).encode(), PlaceOrder)
    ),
    "a name in an event": lambda text: check_record(json.dumps({text: text, "data": {text: text}}).encode()),
    "an identifier": lambda text: refused(lambda: identifier(text, field="orderId")),
    "an amount": lambda text: refused(lambda: exact(text, field="price")),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_the_cost_of_showing_a_text_grows_linearly(show: Callable[[str], object]) -> None:
    slow = next(
        (
            (unit, end)
            for unit, end in product(UNITS, ENDS)
            if not grows_linearly(show, lambda size, u=unit, e=end: (u * size)[:size] + e)  # type: ignore[misc]
        ),
        None,
    )

    assert slow is None


HOSTILE_VALUES = [
    10**10_000,
    float("nan"),
    float("inf"),
    "\ud800",
    "x" * 10**6,
    b"\xff" * 10**6,
    [[[[[[[[[[[[]]]]]]]]]]]],
]


@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=range(len(HOSTILE_VALUES)))
def test_a_log_line_shows_any_value_within_bounds(value: object) -> None:
    record = logging.makeLogRecord({"name": "orderflow", "msg": "said", "given": [value] * 1_000, "one": value})

    line = LineFormatter().format(record)

    assert json.loads(line)["event"] == "said"
    assert len(line) < 1_000_000


def test_a_log_line_shows_a_value_that_has_no_text() -> None:
    class Unreadable:
        def __str__(self) -> str:
            raise ValueError("no")

    record = logging.makeLogRecord({"name": "orderflow", "msg": "said", "given": Unreadable()})

    assert json.loads(LineFormatter().format(record))["given"] == "it cannot be shown (ValueError)"
