"""Tests of the ways in: HTTP, the command line, embedding and simulated days."""
