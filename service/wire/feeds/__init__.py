"""Feeds: a carrier's or aggregator's own payload becomes scans, by data alone. See `definition` for the form of one."""
