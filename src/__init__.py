"""Event-driven order flow for food delivery."""
