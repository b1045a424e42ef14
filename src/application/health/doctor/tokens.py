"""Checks that the API requires a token if other machines can reach it."""

from collections.abc import Iterator

from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem

NO_TOKENS = problem(
    "tokens_missing",
    "the API would listen on a public address without any token, so it does not start",
    wanted="a token, or a loopback address",
    fix="`orderflow tokens make --role admin --id NAME`, or ORDERFLOW_HTTP_HOST=127.0.0.1",
)
DIAGNOSTICS = (NO_TOKENS,)


def check(observation: Observation, wanted: Expectations) -> Iterator[Finding]:
    if wanted.open_to and observation.tokens is False:
        yield NO_TOKENS.found(f"ORDERFLOW_HTTP_HOST={wanted.open_to}, and no token")
