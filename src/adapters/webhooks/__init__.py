"""Webhooks over HTTP: signing, the addresses that may be reached, and the client."""
