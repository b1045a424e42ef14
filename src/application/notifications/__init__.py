"""Notifications: the consumer that sends messages about orders to their customers, restaurants and shippers."""
