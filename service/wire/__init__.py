"""Bytes to domain objects and back: CloudEvents, inbound and outbound messages, carrier tables."""
