"""The expectations of the settings about an installation."""

from attrs import frozen


@frozen(kw_only=True)
class Expectations:
    """The expected values.

    ``version`` is this program's. ``retention_ms`` is -1 if the topic is to keep everything. ``open_to`` is the address
    of the API if other machines can reach it, else empty. ``pool_size`` is the limit of connections of one process,
    besides ``listeners``; ``pooled``: they go to a pooler. ``message_bytes`` is the size of record that the topic must
    accept. ``dead_letter_topic`` is empty if nothing is copied. ``prices`` is the rule for prices of new orders, such
    as trust or list; ``customers_of_provider``: an OpenID provider may have customers. ``production``: this is more
    than a trial; ``gateway`` is the name of the payment gateway.
    """

    version: str
    topic: str
    partitions: int
    replication: int
    retention_ms: int
    with_kafka: bool
    consumers: tuple[str, ...]
    open_to: str
    pool_size: int
    message_bytes: int
    listeners: int = 0
    pooled: bool = False
    dead_letter_topic: str = ""
    prices: str = "trust"
    customers_of_provider: bool = False
    production: bool = False
    gateway: str = ""
