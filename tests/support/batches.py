"""For tests that write rows by hand: which batch they belong to is no matter there."""

from __future__ import annotations

from typing import Final, LiteralString

ANY_BATCH: Final[LiteralString] = """
ALTER TABLE returns ALTER COLUMN batch_id SET DEFAULT '1';
ALTER TABLE labels ALTER COLUMN batch_id SET DEFAULT '1';
ALTER TABLE history ALTER COLUMN batch_id SET DEFAULT '1';
ALTER TABLE connote_members ALTER COLUMN batch_id SET DEFAULT '1';
ALTER TABLE connote_deliveries ALTER COLUMN batch_id SET DEFAULT '1';
ALTER TABLE parked ALTER COLUMN batch_id SET DEFAULT '1';
ALTER TABLE dead_letters ALTER COLUMN batch_id SET DEFAULT '1'
"""
"""Rows of this session's database need not name a batch any more."""
