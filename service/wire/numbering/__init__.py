"""Tracking numbers from a carrier's own range: their form, and their check digits."""
