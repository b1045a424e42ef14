"""Repeated names in a body are seen, whatever its texts and spaces are."""

import json
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from orderflow.entrypoints.http.read_body import names_are_unique

Members = Sequence[tuple[str, object]]
TEXTS = st.sampled_from(["", "a", "b", '"', '":', '\\":', "é", "a b", ": "])
SPACES = st.sampled_from(["", " ", "\n\t "])


class Named(list[tuple[str, object]]):
    """The members of an object."""


def documents() -> st.SearchStrategy[object]:
    leaves = TEXTS | st.integers() | st.none() | st.booleans() | st.just(1.5)
    return st.recursive(
        leaves,
        lambda children: st.lists(children) | st.lists(st.tuples(TEXTS, children)).map(Named),
        max_leaves=12,
    )


def written(value: object, space: str) -> str:
    if isinstance(value, Named):
        return "{" + ",".join(f"{json.dumps(name)}{space}:{written(it, space)}" for name, it in value) + "}"
    if isinstance(value, list):
        return "[" + f"{space},".join(written(it, space) for it in value) + "]"
    return json.dumps(value)


def repeats(value: object) -> bool:
    if isinstance(value, Named):
        return len({name for name, _ in value}) < len(value) or any(repeats(it) for _, it in value)
    return isinstance(value, list) and any(map(repeats, value))


@given(documents(), SPACES)
@example(Named([("a", Named([("a", 1)])), ("a", [])]), "")
def test_no_repeated_name_is_taken_for_unique(document: object, space: str) -> None:
    assert not (names_are_unique(written(document, space).encode()) and repeats(document))


def test_the_usual_body_is_unique_at_a_look() -> None:
    assert names_are_unique(
        b'{"orderId": "o1", "orderDetails": [{"price": 1.5}, {"price": 2}], "metadata": {"a": "b"}}'
    )


def test_a_number_that_is_too_large_is_for_the_closer_look() -> None:
    assert not names_are_unique(b'{"a": ' + b"9" * 5_000 + b"}")
