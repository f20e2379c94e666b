-- What lists and the operations page read: derived from the journal by `project`, and made again from it at any time.

-- One row a return. Lists go by return_no, newest first, within what they filter by; the primary key serves the rest.
CREATE TABLE search_returns (
    return_no          bigint NOT NULL,
    return_id          text NOT NULL,
    retailer           text NOT NULL,
    route              text NOT NULL,
    carrier            text NOT NULL,
    tracking_number    text NOT NULL,
    order_number       text,
    connote            text,
    hub                text,                  -- the one whose event moved the timeline last
    status             text NOT NULL,
    status_at          timestamptz NOT NULL,  -- when the milestone of the status happened
    status_recorded_at timestamptz NOT NULL,  -- when the status was last moved, by any milestone
    version            integer NOT NULL,
    complete           boolean NOT NULL,
    created_at         timestamptz NOT NULL,  -- when the label was made
    updated_at         timestamptz NOT NULL,  -- when the last event that mattered was recorded
    seq                integer NOT NULL,      -- of the history row that this one reflects
    CONSTRAINT search_returns_pkey PRIMARY KEY (return_no)
) WITH (fillfactor = 80);
CREATE INDEX search_returns_status ON search_returns (status, return_no);
CREATE INDEX search_returns_retailer ON search_returns (retailer, return_no);
CREATE INDEX search_returns_tracking_number ON search_returns (tracking_number, return_no);
CREATE INDEX search_returns_order_number ON search_returns (order_number, return_no) WHERE order_number IS NOT NULL;
CREATE INDEX search_returns_connote ON search_returns (connote, return_no) WHERE connote IS NOT NULL;
-- What has not moved for long, per status, the oldest first.
CREATE INDEX search_returns_stuck ON search_returns (status, status_recorded_at, return_no) WHERE NOT complete;

-- One row an event that was held, refused or unmapped, or that counts although its tracking number is another return's.
CREATE TABLE search_exceptions (
    return_no       bigint NOT NULL,
    seq             integer NOT NULL,
    return_id       text NOT NULL,
    retailer        text NOT NULL,
    verdict         text NOT NULL,
    reason          text NOT NULL,
    milestone       text,
    code            text,
    type            text NOT NULL,
    source          text NOT NULL,
    id              text NOT NULL,
    carrier         text NOT NULL,      -- that the event names, else the return's
    tracking_number text NOT NULL,      -- likewise
    connote         text,               -- likewise
    occurred_at     timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    resolved_at     timestamptz,        -- since then nothing waits for anybody; null: open
    CONSTRAINT search_exceptions_pkey PRIMARY KEY (return_no, seq)
) WITH (fillfactor = 90);
-- Newest first: all of them, the open ones, and the open ones by verdict.
CREATE INDEX search_exceptions_recorded_at ON search_exceptions (recorded_at, return_no, seq);
CREATE INDEX search_exceptions_open ON search_exceptions (verdict, recorded_at, return_no, seq)
    WHERE resolved_at IS NULL;
-- What a carrier's table still lacks.
CREATE INDEX search_exceptions_unmapped ON search_exceptions (carrier, code, recorded_at)
    WHERE verdict = 'unmapped' AND resolved_at IS NULL;

INSERT INTO cursors (name, n) VALUES ('search', 0) ON CONFLICT DO NOTHING;
