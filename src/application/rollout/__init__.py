"""The rollout: the publishing share and paused consumers."""
