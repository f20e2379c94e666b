-- The offset that an event's time came with: what clocks showed at the place, which the instant alone does not tell.
-- In minutes east of UTC; null where a carrier's table named the zone, and in rows from before this column.
ALTER TABLE history ADD COLUMN utc_offset smallint;
ALTER TABLE connote_deliveries ADD COLUMN utc_offset smallint;
ALTER TABLE parked ADD COLUMN utc_offset smallint;
