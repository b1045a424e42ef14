"""Notification channels and message templates."""
