"""What people and programs may do: create a return, void an event."""
