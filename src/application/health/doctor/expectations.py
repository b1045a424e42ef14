"""What the settings say that an installation is to be."""

from attrs import frozen


@frozen(kw_only=True)
class Expectations:
    """``version`` is this program's. ``retention_ms`` is -1 where the topic is to keep everything.

    ``relayed``: a relay brings events to the topic, and consumers read them there. ``with_kafka`` alone means that
    events are published directly. ``open_to`` is the address the API listens on where others can reach it, else
    empty. ``pool_size`` is how many connections one process opens at most, besides ``listeners``; ``pooled``: they
    end at a pooler. ``message_bytes`` is what the topic has to take of one record. ``dead_letter_topic`` is empty where
    nothing is copied.
    """

    version: str
    topic: str
    partitions: int
    replication: int
    retention_ms: int
    with_kafka: bool
    relayed: bool
    consumers: tuple[str, ...]
    open_to: str
    pool_size: int
    message_bytes: int
    listeners: int = 0
    pooled: bool = False
    dead_letter_topic: str = ""
