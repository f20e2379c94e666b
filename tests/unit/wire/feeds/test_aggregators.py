"""Whose a scan is, where a feed is of many carriers: by the aggregator's word for the carrier, or by ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import SettingsError
from service.wire.feeds.reading import Fault, Source, faults_of
from tests.unit.wire.feeds.test_reading import EVENT, feed, read, reader, scan

AGGREGATOR = feed(
    whose='aggregator = "aftership"',
    more='[carriers]\nfrom = "parcel.carrier"\n"Royal-Mail" = "royalmail"\n',
)


@pytest.mark.parametrize(
    ("named", "carrier"),
    (
        ("royal-mail", "royalmail"),
        ("ROYAL-MAIL", "royalmail"),
        ("UPS", "ups"),
        ("Some  Courier", "some-courier"),
        ("a courier!", None),
        (None, None),
        (7, "7"),
    ),
)
def test_an_aggregators_name_of_a_carrier_is_ours_or_is_taken_in_lower_case(named: Any, carrier: str | None) -> None:
    parcel = {"number": "GX-1", "carrier": named, "events": [EVENT]}

    (found,) = read({"parcels": [parcel]}, AGGREGATOR)

    event = json.loads(found.value)["data"]
    assert event["carrier"] == carrier
    assert event["code"] == "aftership:COLLECTED"
    assert (found.fault is None) is (carrier is not None)


def test_an_open_feed_adds_names_of_carriers_to_its_own_and_may_have_another_carrier() -> None:
    source = Source("mine", AGGREGATOR).under(None, {"Other": "nzpost", "royal-mail": "evri"})

    assert source.feed.carriers == {"royal-mail": "evri", "other": "nzpost"}
    assert source.feed.carrier is None
    assert Source("mine", feed()).under("ups", {}).feed.carrier == "ups"
    (found,) = reader().read(
        Source("mine", AGGREGATOR).under("ups", {}),
        json.dumps({"parcels": [{"number": "GX-1", "carrier": "evri", "events": [EVENT]}]}).encode(),
    )
    assert found.key == "ups/GX-1"
    plain = Source("mine", feed())
    assert plain.under(None, {}) == plain
    with pytest.raises(SettingsError, match=r"^mine\.carriers\.x: "):
        source.under(None, {"x": "No Slug"})


def test_a_fault_of_what_the_feed_does_not_say_has_no_expression() -> None:
    parcel = {"number": "GX-1", "carrier": "a courier!", "events": [EVENT]}

    (found,) = read({"parcels": [parcel]}, AGGREGATOR)

    assert found.fault == Fault("parcels[0].events[0] carrier", "wrong_type", found.fault.detail if found.fault else "")
    assert faults_of([scan(), found, scan()]) == [found.fault]
