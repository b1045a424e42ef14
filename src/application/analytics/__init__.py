"""Analytics: the consumer that keeps the progress of each order, and the figures computed from it."""
