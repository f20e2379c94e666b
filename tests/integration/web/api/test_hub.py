"""What a scan station asks about parcels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from httpx import Client

from service.application.access.bounds import UNBOUND, Bounds
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.wiring import serving
from tests.support.api import project, settings_for, token, walk
from tests.support.journals import DS, RE, RP, RR, VOID, creation, event, ingest, scan
from tests.support.web import served

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
LEEDS = Bounds(hubs=frozenset({"leeds"}))


class Hubs:
    """The application, and who asks it."""

    def __init__(self, database: str, client: Client) -> None:
        self.database, self._client = database, client

    def of(self, bounds: Bounds = LEEDS, scope: str = "hub") -> Client:
        """Somebody with a token."""
        secret = token(settings_for(self.database), scope, publisher="leeds-hub", bounds=bounds)
        self._client.headers["authorization"] = f"Bearer {secret}"
        return self._client


@pytest.fixture
def hubs(database: str) -> Iterator[Hubs]:
    items = [{"sku": "SHOE-42", "quantity": 2, "description": "Ann's shoe", "reason": "too small"}, {"sku": 7}, "HAT"]
    hub = {"hub": "leeds"}
    ingest(
        database,
        [
            creation("R-1", order_number="A-1", items=items, destination_country="nz"),
            scan("DELIVERED", "10:00", "R-1", signed_by="Ann", location={"name": "1 High Street"}),
            event(DS, "ds-1", "11:00", return_id="R-1", **hub),
            event(RP, "rp-1", "12:00", return_id="R-1", **hub),
            event(RE, "re-1", "13:00", return_id="R-1", connote="CN-1", mawb="086-12345675", **hub),
            creation("R-2", "09:10", tracking_number="TR-1"),
            event(RR, "rr-2", "12:00", return_id="R-2", reason="damaged", hub="paris"),
            *(
                each
                for name in "ABC"
                for each in (
                    creation(f"W-{name}"),
                    event(DS, f"w-{name}", f"1{ord(name) - 60}:00", return_id=f"W-{name}", **hub),
                )
            ),
            event(VOID, "void", "20:00", return_id="W-B", source="/test", id="w-B", by="Ann", reason="another parcel"),
            creation("STRAIGHT", route="first_mile_only"),
            creation("TWICE"),
            {**creation("TWICE", "09:30", retailer="bravo"), "id": "twice"},
        ],
    )
    project(database)
    with serving.web(settings_for(database), Metrics(), Stop()) as app, served(app) as client:
        client.timeout = 30
        yield Hubs(database, client)


def test_a_station_learns_whose_its_token_is(hubs: Hubs) -> None:
    assert hubs.of().get("/v1/hub").json() == {"publisher": "leeds-hub", "hubs": ["leeds"]}
    assert hubs.of(UNBOUND).get("/v1/hub").json()["hubs"] == []
    assert hubs.of(scope="read").get("/v1/hub").status_code == 403


def test_a_scanned_code_is_found_however_it_is_read_and_tells_nothing_personal(hubs: Hubs) -> None:
    for bounds in (LEEDS, UNBOUND):
        client = hubs.of(bounds)

        found = client.get("/v1/hub/scans/r-1").json()

        assert found == {
            "items": [
                {
                    "return_id": "R-1",
                    "retailer": "acme",
                    "carrier": "generic",
                    "tracking_number": "TR-1",
                    "route": "omnirps",
                    "destination_country": "NZ",
                    "status": "RE",
                    "status_name": "Return Exported",
                    "connote": "CN-1",
                    "items": [{"sku": "SHOE-42", "quantity": 2}],
                    "received": {"at": "2026-11-20T11:00:00Z", "hub": "leeds"},
                    "processed": {"at": "2026-11-20T12:00:00Z", "hub": "leeds"},
                    "exported": {"at": "2026-11-20T13:00:00Z", "hub": "leeds"},
                    "rejected": None,
                }
            ],
            "not_ours": False,
        }
        both = client.get("/v1/hub/scans/TR-1").json()["items"]
        assert [each["return_id"] for each in both] == ["R-2", "R-1"]
        assert both[0]["rejected"] == {"at": "2026-11-20T12:00:00Z", "hub": "paris"}


def test_a_return_without_a_hub_on_its_way_is_not_ours_and_an_unknown_number_is_nothing(hubs: Hubs) -> None:
    client = hubs.of()

    assert client.get("/v1/hub/scans/STRAIGHT").json() == {"items": [], "not_ours": True}
    assert client.get("/v1/hub/scans/NOBODY").json() == {"items": [], "not_ours": False}
    # Nobody knows whose it is, though it leads through a hub.
    assert client.get("/v1/hub/scans/TWICE").json() == {"items": [], "not_ours": False}
    assert client.get("/v1/hub/scans/(1)").status_code == 422
    straight = hubs.of(UNBOUND).get("/v1/hub/scans/TSTRAIGHT").json()["items"]
    assert [each["route"] for each in straight] == ["first_mile_only"]
    others = hubs.of(Bounds(retailers=frozenset({"bravo"}), hubs=frozenset({"leeds"})))
    assert others.get("/v1/hub/scans/STRAIGHT").json() == {"items": [], "not_ours": False}


def test_what_has_waited_for_longest_comes_first_and_only_of_the_tokens_own_hub(hubs: Hubs) -> None:
    client = hubs.of()

    pages = walk(client, "/v1/hub/returns", limit=1)

    assert [[each["return_id"] for each in page] for page in pages if page] == [["W-A"], ["W-C"]]
    assert client.get("/v1/hub/returns", params={"hub": "paris"}).status_code == 422
    assert hubs.of(Bounds(hubs=frozenset({"leeds", "lyon"}))).get("/v1/hub/returns").status_code == 422
    assert hubs.of(UNBOUND).get("/v1/hub/returns", params={"status": "RP"}).json()["items"] == []


def test_stations_share_a_connote_by_what_was_exported_under_it(hubs: Hubs) -> None:
    client = hubs.of()

    assert client.get("/v1/hub/connotes/CN-1").json() == {
        "connote": "CN-1",
        "state": "under_way",
        "members": 1,
        "exported": {"at": "2026-11-20T13:00:00Z", "hub": "leeds"},
        "retailer": "acme",
        "destination_country": "NZ",
    }
    nothing = {"members": 0, "exported": None, "retailer": None, "destination_country": None}
    assert client.get("/v1/hub/connotes/CN-2").json() == {"connote": "CN-2", "state": "new", **nothing}
    # Of what a token does not see it is told as of what nobody exported.
    others = hubs.of(Bounds(retailers=frozenset({"bravo"}), hubs=frozenset({"leeds"})))
    assert others.get("/v1/hub/connotes/CN-1").json() == {"connote": "CN-1", "state": "new", **nothing}
    assert hubs.of(scope="read").get("/v1/hub/connotes/CN-1").status_code == 403


def test_a_station_that_exports_asks_which_parcels_went_another_way_meanwhile(hubs: Hubs) -> None:
    client = hubs.of()
    wanted = {"return_id": ["R-2", "R-1", "W-A", "NOBODY", "STRAIGHT", "R-2"]}

    found = client.get("/v1/hub/parcels", params=wanted).json()["items"]

    assert [(each["return_id"], each["status"], each["connote"]) for each in found] == [
        ("R-2", "RR", None),
        ("R-1", "RE", "CN-1"),
        ("W-A", "DS", None),
    ]
    assert client.get("/v1/hub/parcels").status_code == 422
    assert client.get("/v1/hub/parcels", params={"return_id": [f"R-{n}" for n in range(101)]}).status_code == 422
    others = hubs.of(Bounds(retailers=frozenset({"bravo"}), hubs=frozenset({"leeds"})))
    assert others.get("/v1/hub/parcels", params=wanted).json() == {"items": []}


def test_the_air_waybill_of_an_export_stands_in_the_history_of_its_return(hubs: Hubs) -> None:
    history = hubs.of(scope="read").get("/v1/returns/R-1/history").json()["items"]

    (exported,) = (each for each in history if each["type"] == RE)
    assert exported["data"]["mawb"] == "086-12345675"
