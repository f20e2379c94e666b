"""A window that moves twice before the sweep is done with what moved it first: what was placed meanwhile is placed anew."""

from __future__ import annotations

from tests.integration.application.journal.test_labels import created, on, scan, told
from tests.support.journals import CLOSED, differences, event, ingest


def test_a_closing_that_waited_for_its_creation_gives_back_what_that_creation_took(database: str) -> None:
    """The creation takes the scan from another retailer's return, in the sweep that finds that it was closed before."""
    closing = event(CLOSED, "closed", "12:00", return_id="R-1-", by="me", reason="lost")
    ingest(database, [created("R-0-", "2026-07-05", retailer="zenith")])
    ingest(database, [created("R-2-", "2026-08-06", retailer="nadir")])
    ingest(database, [on("2026-07-27", closing)])

    ingest(database, [created("R-1-", "2026-07-12", retailer="zenith"), scan("COLLECTED", "2026-08-06")])

    in_use = ("RC", "tracking_number_in_use")  # by each other
    assert told(database) == {"R-0": {in_use}, "R-1": {in_use}, "R-2": {("RT", "")}}
    assert differences(database) == []
