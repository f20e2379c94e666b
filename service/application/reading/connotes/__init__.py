"""Connotes: what travels under each, since when, and whether it was delivered."""
