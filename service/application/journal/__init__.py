"""What writes or follows the journal: ingest, sweep, replay, remap, publish, project, verify, reconcile."""
