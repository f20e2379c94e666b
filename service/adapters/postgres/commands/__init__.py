"""The few things that the web process writes on request of its users."""
