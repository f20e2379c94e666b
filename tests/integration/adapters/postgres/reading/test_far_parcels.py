"""How far a hundred parcels are is one question to the database, whoever asks."""

from __future__ import annotations

import psycopg
import pytest

from service.adapters.postgres.reading.returns import PostgresReading
from service.application.access.bounds import UNBOUND, Bounds
from service.application.hubs.consolidating import how_far
from tests.support.journals import DS, RE, RP, creation, event, ingest
from tests.support.plans import Explained, indexes, scans

pytestmark = pytest.mark.postgres
LEEDS = Bounds(hubs=frozenset({"leeds"}))
BRAVO = Bounds(retailers=frozenset({"bravo"}))


def test_how_far_a_hundred_parcels_are_is_asked_at_once_and_within_bounds(database: str) -> None:
    # A station that exports a pallet asks for a hundred at a time; each was a question of its own, and for who is bound two.
    hub = {"hub": "leeds"}
    names = [f"R-{number:03}" for number in range(95)]
    ingest(
        database,
        [
            *(creation(name) for name in names),
            *(event(DS, f"{name}-ds", "11:00", return_id=name, **hub) for name in names),
            event(RP, "rp", "12:00", return_id="R-007", **hub),
            event(RE, "re", "13:00", return_id="R-007", connote="CN-7", **hub),
            creation("TAKEN", retailer="bravo"),
            {**creation("TAKEN", "07:00", tracking_number="T-9"), "id": "taken"},  # for acme, and earlier
            creation("STRAIGHT", route="first_mile_only"),
            creation("BRAVOS", retailer="bravo"),
            event(DS, "early", "11:00", return_id="NOBODYS", **hub),
        ],
    )
    wanted = ["NOBODYS", "TAKEN", "STRAIGHT", "BRAVOS", *reversed(names), "BRAVOS"]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        for setting in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"):
            connection.execute(f"SET {setting} = off".encode())  # as the sessions of the web have it
        explained = Explained(connection)
        reading = PostgresReading(explained.pool)

        def asked(bounds: Bounds) -> list[str]:
            explained.plans = []
            found = how_far(reading, bounds, wanted)
            (plan,) = explained.plans
            assert indexes(plan) == {"returns_return_id_key", "history_pkey"}
            assert not scans(plan)
            one_by_one = [each for each in dict.fromkeys(wanted) if reading.state(bounds, each) is not None]
            told = [each["return_id"] for each in found]
            assert told == one_by_one
            assert {each["return_id"]: each["connote"] for each in found if each["connote"]} == (
                {"R-007": "CN-7"} if "R-007" in told else {}
            )
            return told

        assert asked(UNBOUND) == ["TAKEN", "STRAIGHT", "BRAVOS", *reversed(names)]
        assert asked(LEEDS) == ["BRAVOS", *reversed(names)]
        assert asked(BRAVO) == ["BRAVOS"]
