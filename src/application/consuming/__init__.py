"""Handling the event log: batches, retries, parking and the loop of a consumer."""
