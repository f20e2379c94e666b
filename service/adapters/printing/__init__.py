"""What is printed: labels."""
