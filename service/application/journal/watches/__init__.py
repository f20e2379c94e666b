"""What an hour that passes brings to light."""
