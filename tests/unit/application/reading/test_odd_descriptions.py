"""Whatever publishers write in the place of a description, everybody who looks at the return sees a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from service.application.access.bounds import Bounds
from service.application.access.within import row_within
from service.application.reading.desk import ReturnDetail, view_return_detail
from service.application.reading.public import view_first_mile, view_return
from service.application.reading.tracking import history_item
from tests.support import journals
from tests.support.found import TABLES, found
from tests.support.journals import creation, event, scan

_ODD: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(0, 1)
    | st.sampled_from(["", " ", "nz", "UK", "GBR", "Leeds"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "code", "country"]), inner),
    max_leaves=4,
)
_HUB: Final = Bounds(hubs=frozenset({"lhr"}))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A return that reaches all seven statuses, and one that is rejected, with anything for its descriptions."""

    def odd(*members: str) -> dict[str, Any]:
        return {member: draw(_ODD) for member in members if draw(st.booleans())}

    def hub(type_: str, time: str, *members: str, **data: Any) -> dict[str, Any]:
        return event(type_, f"{type_}-{time}", time, return_id="R-1001", hub="lhr", **data, **odd(*members))

    return [
        creation(**odd("order_number", "origin_country", "destination_country", "items")),
        scan("COLLECTED", "10:00", **odd("location", "signed_by", "description")),
        scan("IN_TRANSIT", "10:30", **odd("location", "description")),
        scan("WHAT", "10:40", **odd("location")),
        scan("DELIVERED", "11:00", **odd("location", "signed_by")),
        hub(journals.DS, "12:00", "location"),
        hub(journals.RP, "13:00", "items", "omnirps_tracking_number"),
        *(
            [hub(journals.RR, "13:30", "note", reason="worn_or_used")]
            if draw(st.booleans())
            else [
                hub(journals.RE, "14:00", "mawb", "destination_country", connote="C-1"),
                event(journals.DELIVERED, "del", "15:00", connote="C-1", **odd("carrier", "location", "signed_by")),
            ]
        ),
    ]


@given(histories())
def test_every_reader_gets_an_answer_in_which_places_are_texts(events: list[dict[str, Any]]) -> None:
    known = found("R-1001", events)

    pages = [view_return(known, TABLES), view_first_mile(known, TABLES)]
    detail = view_return_detail(ReturnDetail("R-1001", known.state, None, known.rows), TABLES, {}, datetime.now(UTC))
    items = [history_item(row, known.state) for row in known.rows]
    items += [history_item(row_within(_HUB, row), known.state) for row in known.rows]

    assert all(page is not None for page in pages)
    assert len(detail.events) == len(known.rows)
    for location in [item["location"] for item in items] + [each.location for each in detail.events]:
        assert location is None or all(isinstance(value, str) and value for value in location.values())
