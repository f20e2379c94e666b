"""HTTP plumbing that all audiences share: problems, limits, bodies, headers, tokens."""
