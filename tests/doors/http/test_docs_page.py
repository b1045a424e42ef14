"""docs/http.md and the interactive page agree with the API."""

import re
from pathlib import Path

import pytest
from httpx import AsyncClient
from orderflow.domain import errors
from orderflow.domain.errors import OrderFlowError
from orderflow.entrypoints.http.auth import InsufficientScope
from orderflow.entrypoints.http.errors import CODES, status_of

from tests.support.door import FEATURES

pytestmark = pytest.mark.features(*FEATURES)

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")


async def test_the_page_lists_every_request(visitor: AsyncClient) -> None:
    document = (await visitor.get("/openapi.json")).json()

    documented = {
        f"{method} {path}" for method, path in re.findall(r"^\| `([A-Z]+) (/\S+)` \|", PAGE, flags=re.MULTILINE)
    }

    assert documented == {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


async def test_the_page_names_every_parameter_of_a_list(visitor: AsyncClient) -> None:
    document = (await visitor.get("/openapi.json")).json()

    names = [parameter["name"] for parameter in document["paths"]["/v1/orders"]["get"]["parameters"]]

    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_the_page_lists_every_code_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", PAGE, flags=re.MULTILINE)
    documented = {(int(status), code) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}

    codes = {(status_of(kind), kind.code) for kind in vars(errors).values() if is_error(kind)}
    codes.add((403, InsufficientScope.code))

    assert documented <= codes | {(status, code) for status, code in CODES.items()}
    assert {status for status, _ in codes | set(CODES.items())} == {status for status, _ in documented}


async def test_the_interactive_page_loads_only_files_of_its_own_origin(visitor: AsyncClient) -> None:
    page = await visitor.get("/docs")
    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    files = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)

    answers = [await visitor.get(f"/{file}") for file in files]

    assert policy.pop("img-src") == "'self' data:"  # Swagger UI's style sheet has its icons in it
    assert policy.pop("default-src") == "'self'"
    assert set(policy.values()) == {"'none'"}
    assert [(answer.status_code, answer.headers["Cache-Control"]) for answer in answers] == [(200, "no-cache")] * 3
    assert [answer.headers["Content-Type"].partition(";")[0] for answer in answers] == [
        "text/css",
        "text/javascript",
        "text/javascript",
    ]


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, OrderFlowError)
