"""Labels that several returns claim: what is kept of their claims, and what the sweep makes of it."""
