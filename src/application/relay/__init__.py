"""The relay: publishes the event log to the topic, each event once and in order."""
