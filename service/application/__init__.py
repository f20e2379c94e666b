"""Use cases over ports: ingest, publish, project, track. No Kafka, PostgreSQL or HTTP import."""
