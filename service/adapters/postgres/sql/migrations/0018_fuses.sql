-- Whose letters are kept without their bodies, nearly everything that it sends being invalid: a row a source and partition.
-- Workers count there in the transaction that keeps the letters.
CREATE TABLE fuses (
    topic             text NOT NULL,
    partition         integer NOT NULL,
    source            text NOT NULL,                         -- '': none could be read, and the partition's own fuse is blown
    letters           bigint NOT NULL,                       -- thin ones, since it was blown
    blown_at          timestamptz NOT NULL DEFAULT now(),
    last_at           timestamptz NOT NULL DEFAULT now(),
    mended_at         timestamptz,                           -- null: it is blown
    last_offset       bigint NOT NULL,
    last_published_at timestamptz NOT NULL,
    reason            text NOT NULL,                         -- the last one's
    CONSTRAINT fuses_pkey PRIMARY KEY (topic, partition, source)
);

-- `grant_roles` calls `grant_api`, whatever that grants by now.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_fuses;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_fuses();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_ingest') THEN
        GRANT SELECT, INSERT, UPDATE ON fuses TO returns_ingest;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT SELECT ON fuses TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
