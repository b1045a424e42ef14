"""Channels to people, and the words that are used on them."""
