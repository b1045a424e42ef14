"""The audit of manual changes to an installation: rollout, replays, rebuilds and epochs."""
