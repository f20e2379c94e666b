"""The ports on the real things: Kafka clients and PostgreSQL. The only place that imports either."""
