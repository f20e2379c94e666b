"""The public tracking pages."""
