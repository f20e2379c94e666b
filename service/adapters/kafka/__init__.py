"""All of Kafka: how clients connect, what the cluster is and allows. The only place that imports a Kafka client."""
