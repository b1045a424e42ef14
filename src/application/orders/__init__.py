"""The use-cases of orders, and their unit of work."""
