"""The campaign: an installation as in production, a fault every few seconds, and then every invariant."""
