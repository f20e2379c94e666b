"""What OmniReturns takes in besides events: files of returns, and the links of its page."""
