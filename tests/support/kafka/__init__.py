"""A real Apache Kafka for tests: one that was given, one in a container, or one started here from Maven's jars."""

from .broker import KafkaBroker
from .local import LocalKafka
from .secured import SecuredListener
from .shared import KafkaOfTheRun, kafka_of_the_run
from .sources import find_kafka

__all__ = ["KafkaBroker", "KafkaOfTheRun", "LocalKafka", "SecuredListener", "find_kafka", "kafka_of_the_run"]
