"""Who may do what, and who did: scopes, sessions of the desk, the audit log."""
