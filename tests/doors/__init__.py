"""Tests of the ways in: HTTP, the command line and embedding."""
