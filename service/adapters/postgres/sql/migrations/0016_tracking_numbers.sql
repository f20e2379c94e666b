-- Tracking numbers from a carrier's own range, given to returns that come without one. No number is given twice.

CREATE TABLE number_ranges (
    carrier text NOT NULL,
    form    text NOT NULL,     -- what the range's numbers have in common; ranges of one form follow each other
    next    bigint NOT NULL,   -- the serial number to be given next; it never goes back
    CONSTRAINT number_ranges_pkey PRIMARY KEY (carrier, form)
);

-- Every number that was given, for ever: whatever becomes of the ranges, this holds.
CREATE TABLE numbers_given (
    carrier         text NOT NULL,
    tracking_number text NOT NULL,
    given_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT numbers_given_pkey PRIMARY KEY (carrier, tracking_number)
);

-- A return that its consumer took back on the page where it was made.
ALTER TABLE creations ADD COLUMN cancelled_at timestamptz;

-- `grant_roles` calls `grant_api`, whatever that grants by now: this comes on top of it.
ALTER FUNCTION grant_api() RENAME TO grant_api_before_tracking_numbers;
CREATE FUNCTION grant_api() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM grant_api_before_tracking_numbers();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'returns_web') THEN
        GRANT SELECT, INSERT, UPDATE (next) ON number_ranges TO returns_web;
        GRANT SELECT, INSERT ON numbers_given TO returns_web;
        GRANT UPDATE (cancelled_at) ON creations TO returns_web;
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION grant_api() FROM PUBLIC;
SELECT grant_api();
