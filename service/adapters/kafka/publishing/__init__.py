"""Writing the output topics exactly once, and reading back what stands in them."""
