"""Parts of a transaction of the journal, each with tables of its own."""
