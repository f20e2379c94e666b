"""The journal and what follows it: appending, reading by batches, search tables, letters."""
