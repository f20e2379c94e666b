"""A world of carriers, hubs and retailers that plays on the real topics."""
