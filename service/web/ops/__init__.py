"""The operations desk: what customer service and operations see of returns, and what they may do."""
