-- The figures that operations look at: kept up by `project` as the search tables are, so that they answer at once.

-- How many rows of history the batch appended; null: from before this was noted.
ALTER TABLE batches ADD COLUMN events integer;

-- On which days, in UTC, what counts of the return happened: of RC, RT, RDTPF, DS, RP, RE, RDBTC and RR. It says what the
-- figures hold of the return, so that they can let go of it when a time or a verdict changes. Null: they hold nothing.
ALTER TABLE search_returns ADD COLUMN reached date[];

-- How many returns there are, by route and status.
CREATE TABLE search_counts (
    route   text NOT NULL,
    status  text NOT NULL,
    returns bigint NOT NULL,
    CONSTRAINT search_counts_pkey PRIMARY KEY (route, status)
) WITH (fillfactor = 50);  -- room for updates in place

-- How many returns reached each milestone on each day, in UTC, by when it happened.
CREATE TABLE search_days (
    day       date NOT NULL,
    milestone text NOT NULL,
    route     text NOT NULL,
    returns   bigint NOT NULL,
    CONSTRAINT search_days_pkey PRIMARY KEY (day, milestone, route)
) WITH (fillfactor = 50);

-- How many events were recorded in each minute.
CREATE TABLE search_minutes (
    minute timestamptz NOT NULL,
    events bigint NOT NULL,
    CONSTRAINT search_minutes_pkey PRIMARY KEY (minute)
) WITH (fillfactor = 50);

-- Open dead letters by reason, the newest first.
CREATE INDEX dead_letters_open_reason ON dead_letters (reason, recorded_at, letter_no) WHERE resolved_at IS NULL;

-- Up to which batch returns were projected before there were figures. 0: they count everything. `project --rebuild`
-- makes it so.
INSERT INTO cursors (name, n) SELECT 'figures', n FROM cursors WHERE name = 'search' ON CONFLICT DO NOTHING;

DO $$ BEGIN
    IF to_regprocedure('grant_roles()') IS NOT NULL THEN
        PERFORM grant_roles();  -- on the new tables
    END IF;
END $$;
