"""A program that runs librdkafka's mock cluster, prints its address, and ends with standard input."""

import os

from confluent_kafka import Producer


def main() -> None:
    cluster = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = cluster.list_topics(timeout=10).brokers.values()
    print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()
