-- What lists of very many rows go by, where two filters together let few of them through.

CREATE INDEX search_returns_hub_status ON search_returns (hub, status, return_no);
CREATE INDEX search_returns_carrier_status ON search_returns (carrier, status, return_no);
-- What has not moved for long of one retailer's, per status, the oldest first.
CREATE INDEX search_returns_retailer_stuck ON search_returns (retailer, status, status_recorded_at, return_no)
    WHERE NOT complete;

-- Newest first: the open ones by reason, and those that are resolved.
CREATE INDEX search_exceptions_open_reason ON search_exceptions (reason, recorded_at, return_no, seq)
    WHERE resolved_at IS NULL;
CREATE INDEX search_exceptions_resolved ON search_exceptions (recorded_at, return_no, seq)
    WHERE resolved_at IS NOT NULL;
CREATE INDEX dead_letters_resolved ON dead_letters (recorded_at, letter_no) WHERE resolved_at IS NOT NULL;
