"""The domain: orders and their rules, as plain values and functions. It has no clock and does no I/O."""
