"""Whether the HTTP door is closed to those who were given no token."""

from collections.abc import Iterator

from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, problem

NO_TOKENS = problem(
    "tokens_missing",
    "the API is to listen where others can reach it, and no token is configured: it will not start",
    wanted="a token, or a loopback address",
    mend="`orderflow tokens make --role admin --id NAME`, or ORDERFLOW_HTTP_HOST=127.0.0.1",
)
DIAGNOSTICS = (NO_TOKENS,)


def check(look: Observation, wanted: Expectations) -> Iterator[Finding]:
    if wanted.open_to and look.tokens is False:
        yield NO_TOKENS.found(f"ORDERFLOW_HTTP_HOST={wanted.open_to}, and no token")
