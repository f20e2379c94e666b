"""The loop and what surrounds it: back-off, life cycle, health."""
