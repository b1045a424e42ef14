"""The settings of the Kafka clients accept all properties but the reserved ones."""

import pytest
from orderflow.adapters.kafka import KafkaSettings
from orderflow.adapters.kafka.client import producer
from orderflow.adapters.kafka.settings import RESERVED
from orderflow.domain.errors import InvalidInput


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_properties_are_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        KafkaSettings(bootstrap_servers="kafka:9092", properties={"linger.ms": "5", name: "0"})

    assert refused.value.field == f"kafka.{name}"


def test_the_reserved_properties_are_documented_where_they_would_be_set() -> None:
    assert {name for name in RESERVED if f"``{name}``" not in (KafkaSettings.__doc__ or "")} == set()


def test_any_other_property_is_accepted() -> None:
    settings = KafkaSettings(bootstrap_servers="kafka:9092", properties={"security.protocol": "SASL_SSL"})

    assert settings.properties["security.protocol"] == "SASL_SSL"


def test_a_property_that_the_client_does_not_know_is_named() -> None:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", properties={"lingering.ms": "5"})

    with pytest.raises(InvalidInput, match=r"lingering\.ms"):
        producer(settings, {}, {})


def test_relays_share_one_group_and_each_consumer_has_its_own() -> None:
    settings = KafkaSettings(bootstrap_servers="kafka:9092", topic="orders")

    assert (settings.relay_group, settings.consumer_group("analytics")) == ("orders-relay", "orders-analytics")
