-- outside a transaction
-- Numbers that look alike, for the public page: without letter case, dashes, dots and underscores, 0 for O and 1 for I.
CREATE INDEX CONCURRENTLY returns_look ON returns (translate(upper(return_id COLLATE "C"), 'OI._-', '01'));
CREATE INDEX CONCURRENTLY labels_look ON labels (translate(upper(tracking_number COLLATE "C"), 'OI._-', '01'));
