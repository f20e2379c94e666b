"""The composition of the simulator."""
