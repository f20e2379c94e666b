-- What belongs to a topic carries the topic's id (KIP-516), not only its name: one that was deleted and made anew under
-- its name is another topic, and its offsets begin again. Null: from before this column, or of a broker that has no ids.

-- leader_epoch is that of the record before `next`; null: not known. It tells whether the topic was truncated below it.
ALTER TABLE offsets ADD COLUMN topic_id uuid, ADD COLUMN leader_epoch integer;

ALTER TABLE history ADD COLUMN topic_id uuid;
ALTER TABLE connote_deliveries ADD COLUMN topic_id uuid;
ALTER TABLE parked ADD COLUMN topic_id uuid;

-- A letter at coordinates that another topic of the name had used once is another letter.
ALTER TABLE dead_letters
    ADD COLUMN topic_id uuid,
    DROP CONSTRAINT dead_letters_coordinates_key,
    ADD CONSTRAINT dead_letters_coordinates_key UNIQUE NULLS NOT DISTINCT (topic, topic_id, partition, "offset");

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_topic_ids;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_topic_ids();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT UPDATE (topic_id, leader_epoch) ON offsets TO returns_ingest;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
