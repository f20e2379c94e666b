"""Returns status service: keeps the status of every consumer return, from label to retailer."""
