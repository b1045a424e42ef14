"""The longest times that an order may stay in a state without a change; after them it is late.

The alert rules have the same numbers (deploy/prometheus/rules.yml); a test compares them.
"""

from collections.abc import Mapping
from datetime import timedelta

from ...domain.lifecycle import OrderState

STATE_LIMITS: Mapping[OrderState, timedelta] = {
    OrderState.WAITING_FOR_SHIPPER: timedelta(minutes=15),
    OrderState.PREPARING: timedelta(minutes=60),
    OrderState.ON_THE_WAY: timedelta(minutes=90),
}
"""A state that is not here is final: no order is late in it."""
