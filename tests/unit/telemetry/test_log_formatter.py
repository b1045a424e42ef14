"""Log lines: one form, the same keys, and no secrets."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import structlog
from orderflow.adapters.telemetry.logs.formatter import KEYS
from orderflow.application.audit import audit
from orderflow.application.log_lines import log_each
from orderflow.application.request_context import Request, answering
from orderflow.domain.errors import InvalidInput, OrderNotFound, StorageUnavailable
from orderflow.entrypoints.logging_setup import configure_logs
from orderflow.entrypoints.settings import Settings

from tests.support.commands import logging_kept

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Lines = Callable[[], list[Mapping[str, Any]]]


@pytest.fixture
def said() -> Iterator[Callable[..., Lines]]:
    """Configure the log with these settings; what is asked for afterwards are the lines since."""
    with logging_kept():

        def configured(**settings: Any) -> Lines:
            configure_logs(Settings(log_format="json", **settings))
            stream = io.StringIO()
            logging.getLogger().handlers[0].setStream(stream)  # type: ignore[attr-defined]
            return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]

        yield configured
    structlog.reset_defaults()


@pytest.fixture
def lines(said: Callable[..., Lines]) -> Lines:
    return said()


def both(say: Callable[[Any], None]) -> None:
    """The same said through the standard library and through structlog."""
    say(logging.getLogger("orderflow.one"))
    say(structlog.get_logger("orderflow.two"))


def test_every_logger_speaks_one_form(lines: Lines) -> None:
    with answering(Request(correlation_id="K1", traceparent=TRACE)):
        logging.getLogger("orderflow.one").info("said", extra={"order_id": "o1"})
        structlog.get_logger("orderflow.two").info("said", order_id="o1")
        logging.getLogger("uvicorn.error").info("said", extra={"order_id": "o1", "color_message": "red"})

    said = [{name: value for name, value in line.items() if name not in ("time", "logger")} for line in lines()]

    assert [line["logger"] for line in lines()] == ["orderflow.one", "orderflow.two", "uvicorn.error"]
    assert (
        said
        == [
            {
                "level": "info",
                "event": "said",
                "correlation_id": "K1",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "order_id": "o1",
            }
        ]
        * 3
    )
    assert all(line["time"].endswith("Z") for line in lines())


def test_the_keys_stand_in_one_order(lines: Lines) -> None:
    said = dict.fromkeys(reversed(KEYS[4:]), "x")

    logging.getLogger("orderflow").info("said", extra={"more": 1, **said})

    assert tuple(lines()[0]) == (*KEYS, "more")


@pytest.mark.parametrize("given", [OrderNotFound("o1"), "order_not_found"])
def test_an_error_is_its_code_and_what_it_carries(lines: Lines, given: Any) -> None:
    both(lambda log: log.warning("refused", **_extra(log, error=given)))

    context = {"context": {"kind": "order", "id": "o1"}} if isinstance(given, OrderNotFound) else {}
    assert [line["error"] for line in lines()] == [{"code": "order_not_found", **context}] * 2


def test_what_was_sent_is_not_repeated(lines: Lines) -> None:
    error = InvalidInput("reason", "'my street 1' is no text", "text")

    both(lambda log: log.warning("refused", **_extra(log, error=error)))
    logging.getLogger("orderflow").warning("refused: %s", error)

    assert "my street" not in json.dumps(lines())
    assert lines()[2]["event"] == "refused: reason: *** is no text; allowed: text"


def test_a_traceback_shows_the_way_and_no_values(lines: Lines) -> None:
    row = 'invalid input for "my street 1"\nDETAIL: Failing row contains (o1, my street 2).'
    try:
        try:
            raise ValueError(row)
        except ValueError as e:
            raise RuntimeError("could not keep it") from e
    except RuntimeError as failure:
        error = failure

    both(lambda log: log.error("failed", exc_info=error))

    for line in lines():
        assert "my street" not in json.dumps(line)
        assert "RuntimeError: could not keep it" in line["exception"]
        assert "test_a_traceback_shows_the_way_and_no_values" in line["exception"]
        assert line["error"] == {"code": "RuntimeError", "context": {"message": "could not keep it"}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:pa55word@host/db", "postgresql://***@host/db"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("token of_q8Zk3-rT_y1LxV", "token ***"),
        ("450 <jane.doe@mail.example> is not known", "450 <***> is not known"),
        ("orders/0@12 of 3 is fine", "orders/0@12 of 3 is fine"),
    ],
)
def test_secrets_are_known_by_their_looks(lines: Lines, text: str, shown: str) -> None:
    both(lambda log: log.warning(text, **_extra(log, problem=text, nested={"also": [text]})))

    assert [(line["event"], line["problem"], line["nested"]) for line in lines()] == [
        (shown, shown, {"also": [shown]})
    ] * 2


@pytest.mark.parametrize(
    "settings",
    [
        {"database_url": "postgresql://me:s3cr%3Aet@host/db"},
        {"smtp_password": "s3cr:et"},
        {"kafka": {"sasl.password": "s3cr:et"}},
        {"kafka": {"ssl.key.password": "s3cr:et"}},
    ],
)
def test_secrets_are_known_from_the_settings(said: Callable[..., Lines], settings: dict[str, Any]) -> None:
    lines = said(**settings)

    both(lambda log: log.error("login with s3cr:et failed", **_extra(log, error=StorageUnavailable("db", "s3cr:et"))))

    assert "s3cr:et" not in json.dumps(lines())
    assert lines()[0]["event"] == "login with *** failed"


@pytest.mark.parametrize("name", ["address", "card_token", "email", "password", "text", "token", "authorization"])
def test_some_keys_are_never_logged(lines: Lines, name: str) -> None:
    both(lambda log: log.info("said", **_extra(log, **{name: "mine", "within": {name: "mine"}})))

    assert "mine" not in json.dumps(lines())


def test_many_lines_of_one_call(lines: Lines) -> None:
    log = logging.getLogger("orderflow.one")

    log_each(log, logging.INFO, "handled", ({"order_id": f"o{number}"} for number in range(3)))
    log_each(log, logging.DEBUG, "read", ({"order_id": f"o{number}"} for number in range(3)))

    assert [(line["event"], line["logger"], line["order_id"]) for line in lines()] == [
        ("handled", "orderflow.one", f"o{number}") for number in range(3)
    ]


def test_a_line_break_cannot_make_another_line(lines: Lines) -> None:
    both(lambda log: log.info("one\ntwo", **_extra(log, order_id='a\n{"event": "forged"}')))

    assert [line["event"] for line in lines()] == ["one\ntwo"] * 2


def test_a_terminal_gets_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_kept():
        configure_logs(Settings(log_format="console"))
        logging.getLogger("orderflow").warning("it waits", extra={"order_id": "o1"})
    structlog.reset_defaults()

    said = capsys.readouterr().err

    assert "it waits" in said
    assert not said.startswith("{")


@pytest.mark.parametrize(
    ("level", "terminal", "process", "expected"),
    [
        ("auto", True, False, logging.WARNING),
        ("auto", True, True, logging.INFO),
        ("auto", False, False, logging.INFO),
        ("info", True, False, logging.INFO),
        ("error", False, True, logging.ERROR),
    ],
)
def test_the_automatic_level_leaves_a_terminal_to_the_result_of_a_command(
    monkeypatch: pytest.MonkeyPatch, level: str, terminal: bool, process: bool, expected: int
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with logging_kept():
        configure_logs(Settings(log_level=level), process=process)

        chosen = logging.getLogger().level
    structlog.reset_defaults()

    assert chosen == expected


@pytest.mark.parametrize("level", ["warning", "error", "auto"])
def test_no_level_drops_an_audit_line(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    stream = io.StringIO()
    with logging_kept():
        logging.getLogger("orderflow.audit").setLevel(logging.NOTSET)
        configure_logs(Settings(log_level=level, log_format="json"), process=False)
        logging.getLogger().handlers[0].setStream(stream)  # type: ignore[attr-defined]

        logging.getLogger("orderflow.commands").info("dropped")
        audit(Request(), door="cli", action="contacts set", outcome="ok")
    structlog.reset_defaults()

    assert [json.loads(line)["action"] for line in stream.getvalue().splitlines()] == ["contacts set"]


def _extra(log: Any, **said: Any) -> dict[str, Any]:
    return {"extra": said} if isinstance(log, logging.Logger) else said


def test_a_terminal_shows_hostile_text_without_obeying_it() -> None:
    with logging_kept():
        configure_logs(Settings(log_format="console"))
        stream = io.StringIO()
        logging.getLogger().handlers[0].setStream(stream)  # type: ignore[attr-defined]

        both(lambda log: log.warning("\x1b[2J\u202eevil\r", extra={"order_id": "\x9b31m\ud800"}))
    structlog.reset_defaults()

    assert "\\x1b[2J\\u202eevil\\r" in stream.getvalue()
    assert not {"\x1b[2J", "\u202e", "\r", "\x9b", "\ud800"} & set(re.findall(r"\x1b\[2J|.", stream.getvalue()))


def test_a_value_that_cannot_be_shown_does_not_cost_the_line(lines: Lines) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    logging.getLogger("orderflow").warning("said", extra={"detail": Broken(), "number": 10**5000, "more": "\ud800"})

    [line] = lines()
    assert line["event"] == "said"
    assert line["number"] == "an integer of 16610 bits"
