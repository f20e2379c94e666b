"""The rules: milestones, timelines and journeys. Standard library only, no I/O, no clock, no logging."""
