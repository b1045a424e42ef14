"""Monitors the quality of a topic's records."""
