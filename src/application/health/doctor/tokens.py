"""Checks that the API requires a token if other machines can reach it."""

from collections.abc import Iterator

from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem

NO_TOKENS = problem(
    "tokens_missing",
    "the API would listen on a public address without any token, so it does not start",
    expected="a token, or a loopback address",
    fix="`orderflow tokens make --role admin --id NAME`, or ORDERFLOW_HTTP_HOST=127.0.0.1",
)
DIAGNOSTICS = (NO_TOKENS,)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    if expected.open_to and observation.tokens is False:
        yield NO_TOKENS.found(f"ORDERFLOW_HTTP_HOST={expected.open_to}, and no token")
