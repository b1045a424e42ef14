"""Checks that an installation in production does not charge cards at the sandbox."""

from collections.abc import Iterator

from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, warning

SANDBOX = warning(
    "payment_gateway_sandbox",
    "the payment gateway is the sandbox: cards seem to be charged, and no money moves",
    expected="in production, a gateway that moves money",
    fix="name the gateway in ORDERFLOW_PAYMENT_GATEWAY",
)
DIAGNOSTICS = (SANDBOX,)


def check(_: Observation, expected: Expectations) -> Iterator[Finding]:
    if expected.production and expected.gateway == "sandbox":
        yield SANDBOX.found("ORDERFLOW_PAYMENT_GATEWAY=sandbox")
