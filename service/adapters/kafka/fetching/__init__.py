"""Reading the input topics: from fetched bytes to records in order, within bounds."""
