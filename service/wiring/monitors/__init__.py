"""The composition of health: what each process asks of which server, and what it tells of that. See ADR 18."""
