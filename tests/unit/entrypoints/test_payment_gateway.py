"""The payment gateway is chosen by a setting."""

import pytest
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings_source import load_settings


def test_the_sandbox_is_chosen_by_its_name() -> None:
    settings = load_settings(environment={"ORDERFLOW_PAYMENT_GATEWAY": "sandbox"}, database_url="memory://")

    assert isinstance(container_for(settings).gateway(), SandboxGateway)


def test_an_unknown_gateway_is_refused_with_those_that_exist() -> None:
    settings = load_settings(environment={"ORDERFLOW_PAYMENT_GATEWAY": "stripes"}, database_url="memory://")

    with pytest.raises(InvalidInput, match=r"ORDERFLOW_PAYMENT_GATEWAY: 'stripes' is no payment gateway; .*sandbox"):
        container_for(settings).gateway()
