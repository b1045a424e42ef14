"""Simulation of a day of food delivery: read or generate a day, plan its dispatch, run it, summarize the results."""
