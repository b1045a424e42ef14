"""Inventory: the consumer that takes stock for orders, and cancels orders that are out of stock."""
