"""Live streams: following the changes of orders, and the tickets that open a stream."""
