"""Tokens, sessions of the desk, and the audit log."""
