"""The ways in of those who do not speak Kafka: who sends what, with which token or signature, and what is answered."""
