"""Replays of past events to a consumer, and rebuilds of its data."""
