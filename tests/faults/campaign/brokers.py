"""The leaders among the brokers, and the copies that are in sync."""

import re

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata  # type: ignore[attr-defined]

from tests.support.kafka import LocalKafka

from .deployment import TOPIC

QUORUM = "org.apache.kafka.tools.MetadataQuorumCommand"


def leader(kafka: LocalKafka, partition: int) -> int:
    """The number of the broker that leads this partition of the topic. Raises LookupError when none does."""
    described = _metadata(kafka)
    at: int = described.topics[TOPIC].partitions[partition].leader if described else -1
    if at < 0:
        raise LookupError(f"partition {partition} has no leader")
    return at


def controller(kafka: LocalKafka) -> int:
    """The number of the node that is the quorum's leader now. Raises LookupError if it is unknown."""
    said = kafka.tool(QUORUM, "--bootstrap-server", kafka.bootstrap_servers, "describe", "--status")
    found = re.search(r"LeaderId:\s+(\d+)", said)
    if found is None:
        raise LookupError(f"the controller is unknown: {said}")
    return int(found[1])


def whole(kafka: LocalKafka) -> bool:
    """Return whether every broker runs, and has its copy of every partition in sync."""
    described = _metadata(kafka)
    if described is None or len(described.brokers) < len(kafka.members):
        return False
    copies = [len(each.isrs) for topic in described.topics.values() for each in topic.partitions.values()]
    return min(copies) == len(kafka.members)


def _metadata(kafka: LocalKafka) -> ClusterMetadata | None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    try:
        return admin.list_topics(timeout=5)
    except KafkaException:
        return None
