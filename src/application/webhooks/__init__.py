"""Webhooks: the consumer that sends events to HTTP endpoints of others, signed and in order per order."""
