"""The metrics of a PromQL expression, and the labels that it selects.

Prometheus itself says whether an expression is well-formed (``promtool check rules``); this reads only names.
"""

import re
from collections.abc import Mapping

from attrs import define, field

_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<range>\[[^\]]*\])
      | (?P<number>\d[\w.]*)
      | (?P<variable>\$\w+|\$\{\w+\})
      | (?P<name>[A-Za-z_:][\w:]*)
      | (?P<mark>=~|!~|!=|==|>=|<=|\S)""",
    re.VERBOSE,
)
_LABELS_FOLLOW = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan", "atan2"}


@define
class Names:
    """``metrics`` with the labels that their selectors match, and labels named elsewhere: in ``by``, ``on`` ..."""

    metrics: dict[str, set[str]] = field(factory=dict)
    labels: set[str] = field(factory=set)
    values: set[tuple[str, str]] = field(factory=set)
    """Label and value of every ``label="value"``."""


def names(expression: str) -> Names:
    """Return the metrics and labels of a well-formed expression."""
    found = Names()
    tokens = [(match.lastgroup, match[0]) for match in _TOKEN.finditer(expression)]
    last, at = "", 0
    while at < len(tokens):
        kind, token = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if token == "{":
            end = _closing(tokens, at, "}")
            for label, value in _matched(tokens[at + 1 : end]).items():
                found.metrics.setdefault(last, set()).add(label)
                found.values |= {(label, value)} if value is not None else set()
            at = end
        elif token in _LABELS_FOLLOW:
            if following == "(":
                end = _closing(tokens, at, ")")
                found.labels |= {text for group, text in tokens[at + 2 : end] if group == "name"}
                at = end
        elif kind == "name" and following != "(" and token.lower() not in _WORDS and not _is_aggregation(tokens, at):
            found.metrics.setdefault(token, set())
            last = token
        at += 1
    return found


def _is_aggregation(tokens: list[tuple[str | None, str]], at: int) -> bool:
    """``sum by (x) (...)``: the operator stands before its labels."""
    return at + 1 < len(tokens) and tokens[at + 1][1] in ("by", "without")


def _closing(tokens: list[tuple[str | None, str]], start: int, mark: str) -> int:
    return next(at for at in range(start, len(tokens)) if tokens[at] == ("mark", mark))


def _matched(tokens: list[tuple[str | None, str]]) -> Mapping[str, str | None]:
    """Labels of a selector; the value of those that must be equal to one."""
    found: dict[str, str | None] = {}
    for at, (kind, token) in enumerate(tokens):
        if kind == "name":
            found[token] = tokens[at + 2][1][1:-1] if tokens[at + 1][1] == "=" else None
    return found
