"""All use-cases of live streams, in one place."""

from attrs import frozen

from .feed import LogFeed
from .follow_order import FollowOrder
from .follow_orders import FollowOrders
from .ports import StreamTickets


@frozen(kw_only=True)
class StreamUseCases:
    """The use-cases of one installation, which share the feed of this process."""

    feed: LogFeed
    follow_order: FollowOrder
    follow_orders: FollowOrders
    tickets: StreamTickets
