"""Checks that customers do not set what they pay, and that there are prices if orders need them."""

from collections.abc import Iterator

from ..observation import Observation
from .expectations import Expectations
from .finding import Finding, warning

TRUSTED = warning(
    "prices_trusted",
    "customers call the API themselves, and the caller who places an order sets its prices",
    expected="orders checked against the restaurants' price lists",
    fix="`orderflow prices import RESTAURANT FILE` for each restaurant, then ORDERFLOW_PRICES=list",
)
MISSING = warning(
    "prices_missing",
    "new orders need prices of their restaurant's list, and no restaurant has any: every order is refused",
    expected="a price list for each restaurant that takes orders",
    fix="`orderflow prices import RESTAURANT FILE`, or ORDERFLOW_PRICES=trust",
)
DIAGNOSTICS = (TRUSTED, MISSING)


def check(observation: Observation, expected: Expectations) -> Iterator[Finding]:
    if expected.prices == "list" and observation.prices is False:
        yield MISSING.found("ORDERFLOW_PRICES=list, and no price")
    if expected.prices == "trust" and observation.customer_tokens:
        yield TRUSTED.found("ORDERFLOW_PRICES=trust, and a customer has a valid token")
    elif expected.prices == "trust" and expected.customers_of_provider:
        yield TRUSTED.found("ORDERFLOW_PRICES=trust, and the OpenID provider's tokens may be a customer's")
