"""Rows of the journal as those get them who publish, replay or list them."""
