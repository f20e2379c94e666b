"""What makes an input event valid, and what of it is a description that may be wrong."""
