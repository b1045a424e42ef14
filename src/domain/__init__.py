"""The pure centre: what an order is and what may happen to it. No clock, no I/O."""
