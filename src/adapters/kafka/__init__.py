"""Apache Kafka: publishes events, reads them, and administers the topic.

Importing this package without its client raises NotConfigured, which names the package to install.
"""

from ...domain.errors import NotConfigured

try:
    import confluent_kafka as _client  # noqa: F401
except ImportError as missing:
    raise NotConfigured("the Kafka client is not installed", "pip install 'orderflow-service[kafka]'") from missing

from .dead_letter_topic import KafkaDeadLetterTopic
from .direct_publisher import DirectPublishing, KafkaEventPublisher
from .event_source import KafkaEventSource
from .relay.relay_topic import KafkaRelayTopic
from .settings import KafkaSettings
from .topic_admin import TopicAdmin, TopicDescription
from .topic_reader import KafkaTopicReader

__all__ = [
    "DirectPublishing",
    "KafkaDeadLetterTopic",
    "KafkaEventPublisher",
    "KafkaEventSource",
    "KafkaRelayTopic",
    "KafkaSettings",
    "KafkaTopicReader",
    "TopicAdmin",
    "TopicDescription",
]
