"""What stands between the socket and the application: how much strangers may make it hold, and for how long (ADR 30)."""
