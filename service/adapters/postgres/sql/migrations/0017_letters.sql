-- outside a transaction
-- A log that was cut (an unclean election) has another record where an earlier one stood. Its letter is another letter, which
-- Kafka's timestamp and the value tell. The new index first: at any time one of the two keeps a record that comes again
-- from being kept again.
CREATE UNIQUE INDEX CONCURRENTLY dead_letters_record
    ON dead_letters (topic, topic_id, partition, "offset", published_at, sha256(coalesce(value, ''))) NULLS NOT DISTINCT;
ALTER TABLE dead_letters DROP CONSTRAINT IF EXISTS dead_letters_coordinates_key;
