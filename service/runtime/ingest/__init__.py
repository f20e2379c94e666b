"""The ingest loop, a part a module: the order of a tick, who has which partition, what is read ahead, what is written."""
