"""Exceptions: which wait in queues, and which events give each."""
