"""What people and programs see of the journal: one return, lists, queues, durations, files."""
