-- outside a transaction
-- Voids for all members of a connote, by what they name: who publishes many of one connote makes nobody compare each with each.
CREATE INDEX CONCURRENTLY connote_deliveries_void
    ON connote_deliveries (connote, (data ->> 'source'), (data ->> 'id')) WHERE type = 'com.omnirps.event.voided.v1';
