"""A stream is divided into JSON documents, wherever its parts begin and end."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis.strategies import booleans, dictionaries, integers, lists, none, recursive, sampled_from, text
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.cli.documents import Documents

LIMIT = 1_000
values = recursive(
    none() | booleans() | integers() | text(), lambda inner: lists(inner) | dictionaries(text(), inner), max_leaves=8
)


def divided(data: bytes, size: int = 10_000, limit: int = LIMIT) -> list[tuple[int, bytes | None]]:
    documents = Documents(limit)
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    found = [each for part in parts for each in documents.feed(part)]
    return [(each.line, each.content) for each in [*found, *documents.end()]]


@given(lists(values, max_size=6), integers(1, 40), sampled_from([None, 1]), booleans())
def test_the_elements_of_an_array_are_found_in_parts_of_any_size(
    elements: list[object], size: int, indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps(elements, indent=indent, ensure_ascii=ascii_only).encode()

    assert [json.loads(content or b"") for _, content in divided(data, size, 100_000)] == elements


@given(lists(dictionaries(text(), values, max_size=3), max_size=6), integers(1, 40))
def test_lines_are_found_in_parts_of_any_size(documents: list[object], size: int) -> None:
    data = "".join(json.dumps(each) + "\n" for each in documents).encode()

    assert [(n, json.loads(content or b"")) for n, content in divided(data, size, 100_000)] == [
        *enumerate(documents, 1)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b" \n\t", []),
        (b"1", [(1, b"1")]),
        (b"1\n\n \n2", [(1, b"1"), (4, b"2")]),
        (b"\n\n{}\r\n{}\n", [(3, b"{}"), (4, b"{}")]),
        (b"[]", []),
        (b"\n[ \n]\n", []),
        (b"[1,\n\n2\n,3]", [(1, b"1"), (3, b"2"), (4, b"3")]),
        (b'[\n{"a": "],\\"}"},\n[[],{}]\n]', [(2, b'{"a": "],\\"}"}'), (3, b"[[],{}]")]),
        (b"[1,]", [(1, b"1"), (1, b"")]),
        (b"[,1]", [(1, b""), (1, b"1")]),
        (b"[1}, 2]", [(1, b"1}"), (1, b"2")]),
        (b"[" + 1_001 * b"1" + b",2]", [(1, None), (1, b"2")]),
        (b"[1,\n\n" + 1_001 * b"1" + b"\n,\n2]", [(1, b"1"), (3, None), (5, b"2")]),
        (b"[1,\n" + 2_000 * b" " + b"\n2]", [(1, b"1"), (3, b"2")]),
        (1_001 * b"1" + b"\n2", [(1, None), (2, b"2")]),
        (b"1\n" + 2_000 * b" 1", [(1, b"1"), (2, None)]),
    ],
)
def test_each_document_has_its_line(data: bytes, found: Sequence[tuple[int, bytes | None]], size: int) -> None:
    assert divided(data, size) == found


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[", "no end"),
        (b"[1,\n", "no end"),
        (b'["]', "no end"),
        (b'["\\', "no end"),
        (b"[1] 2", "more after the end"),
        (b"[1]\n[2]", "more after the end"),
        (b"[1]]", "more after the end"),
    ],
)
def test_an_array_has_one_end(data: bytes, problem: str, size: int) -> None:
    with pytest.raises(InvalidInput, match=problem):
        divided(data, size)


def test_no_more_is_kept_than_one_document_may_have() -> None:
    documents = Documents(LIMIT)

    for _ in range(1_000):
        assert list(documents.feed(b"[" * 1_000)) == []
        assert len(documents._kept) <= LIMIT
