"""What becomes of voids after they were recorded."""
