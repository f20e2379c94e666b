-- What `replay` and `remap` look for.

-- Letters that nobody has resolved, the oldest first.
CREATE INDEX dead_letters_open ON dead_letters (letter_no) WHERE resolved_at IS NULL;

-- Scans with a code that no table knew, by carrier and code. All other rows pay for a look at their verdict, no more.
CREATE INDEX history_unmapped ON history ((data ->> 'carrier'), code, return_no, seq) WHERE verdict = 'unmapped';
