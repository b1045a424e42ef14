"""A consumer that knows nothing of orderflow but its topic, with plain confluent-kafka.

    python examples/kafka_consumer.py BOOTSTRAP_SERVERS [TOPIC]

The same few lines work in any language that has a Kafka client: read committed records only, take the number of the
event within its order from the header ``sequence``, and pass over what was seen before. The topic has every event once;
what your own restarts may show you twice is what you have handled and not yet committed.
"""

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from confluent_kafka import Consumer, KafkaException


def events(servers: str, topic: str, group: str, seen: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Each event once. ``seen`` is the last sequence of each order; keep it together with your own effects."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if (error := message.error()) is not None:
                raise KafkaException(error)
            event = json.loads(message.value() or b"", parse_float=Decimal)
            sequence = int(dict(message.headers() or ())["sequence"] or 0)
            if sequence > seen.get(event["orderId"], 0):
                yield event
                seen[event["orderId"]] = sequence
            consumer.commit(message=message, asynchronous=False)
    finally:
        consumer.close()


if __name__ == "__main__":
    for event in events(sys.argv[1], (*sys.argv[2:], "order-events")[0], "example-printer", {}):
        print(event["occurredAt"], event["type"], event["orderId"], event["data"])
