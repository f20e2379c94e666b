"""What an agent does on a page of its own, which asks first."""
