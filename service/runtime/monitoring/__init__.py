"""What tells how a process is: health, readiness, progress of turns, metrics from outside the loops."""
