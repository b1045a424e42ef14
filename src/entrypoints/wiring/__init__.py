"""Builders that the container calls, by technology."""
