"""The HTTP API under /v1, and its reference page."""
