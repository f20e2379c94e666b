-- A journal that knows itself: rows are bound to their batch by an id of the batch's own, which a dump carries and which
-- never comes again. Before this it was PostgreSQL's transaction id, which starts low in another server and comes by
-- again. The relay's position names the batch by it too, so that a journal with another past does not believe it.

-- The columns keep their type, eight bytes that nobody calculates with: another one would rewrite every table.
ALTER TABLE returns RENAME COLUMN xid TO batch_id;
ALTER TABLE labels RENAME COLUMN xid TO batch_id;
ALTER TABLE history RENAME COLUMN xid TO batch_id;
ALTER TABLE connote_members RENAME COLUMN xid TO batch_id;
ALTER TABLE connote_deliveries RENAME COLUMN xid TO batch_id;
ALTER TABLE parked RENAME COLUMN xid TO batch_id;
ALTER TABLE dead_letters RENAME COLUMN xid TO batch_id;
ALTER TABLE batches RENAME COLUMN xid TO batch_id;
-- Whoever writes says in which batch.
ALTER TABLE returns ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE labels ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE history ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE connote_members ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE connote_deliveries ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE parked ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE dead_letters ALTER COLUMN batch_id DROP DEFAULT;
ALTER TABLE batches ALTER COLUMN batch_id DROP DEFAULT;
ALTER INDEX returns_xid RENAME TO returns_batch_id;
ALTER INDEX labels_xid RENAME TO labels_batch_id;
ALTER INDEX history_xid RENAME TO history_batch_id;
ALTER INDEX connote_members_xid RENAME TO connote_members_batch_id;
ALTER INDEX connote_deliveries_xid RENAME TO connote_deliveries_batch_id;
ALTER INDEX parked_xid RENAME TO parked_batch_id;
ALTER INDEX dead_letters_xid RENAME TO dead_letters_batch_id;
-- An id that came by again would be refused here. Of those from before this a database that was restored may hold some
-- twice already; new ones are larger than any of them.
CREATE UNIQUE INDEX batches_batch_id_key ON batches (batch_id) WHERE batch_id > '1099511627776'::xid8;
-- From a row to its batch, of whatever age.
CREATE INDEX batches_batch_id ON batches (batch_id);

-- What `reconcile` did: up to batch n it was made known to subscribers what the journal says. `ends` holds the ends of the
-- partitions of the status changes as they were then ({topic id: [offset, ...]}): what stands before them may be of a
-- journal that is no more.
CREATE TABLE reconciliations (
    n           bigint NOT NULL,
    batch_id    xid8 NOT NULL,
    ends        json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reconciliations_pkey PRIMARY KEY (n)
);

-- Returns that subscribers know and this journal does not: should one be created after all, its versions go on from what
-- was published. `document` is the current status that subscribers hold.
CREATE TABLE continuations (
    return_id   text NOT NULL,
    version     integer NOT NULL,
    document    json NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT continuations_pkey PRIMARY KEY (return_id)  -- asked for each return that is created
);

-- `grant_roles` calls this too.
CREATE OR REPLACE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        RETURN;
    END IF;
    GRANT SELECT, INSERT, UPDATE (published_at) ON creations TO returns_web;
    GRANT INSERT ON returns, labels, history, connote_members, connote_deliveries, parked, batches TO returns_web;
    GRANT UPDATE (attempts, resolved_at, reason, error) ON dead_letters TO returns_web;
    GRANT SELECT, INSERT, UPDATE (used_at), DELETE ON ops_sessions TO returns_web;
    GRANT SELECT, INSERT ON audit TO returns_web;
    GRANT SELECT ON continuations TO returns_ingest, returns_web;
    GRANT SELECT ON reconciliations TO returns_relay, returns_web;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
