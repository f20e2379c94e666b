"""What a history says of a window is read as it was said."""

from __future__ import annotations

import json

import pytest

from service.domain.labels import FOREVER, Window, bound_of, window_for
from service.wire.rows.claimed import bound_in, encode_window, event_data, label_of, window_of

LABEL = ("gls", "T-1")
WINDOWS = (
    Window(),
    Window(end=1_795_435_200_000_000, is_first=False),
    Window(gaps=((0, 1_500_000), (2_000_000, 3_000_000)), is_shared=True),
)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("retailers", ((), ("acme",), ("acme", "bravo")))
def test_a_window_its_label_and_what_it_is_bound_to_are_read_as_said(
    window: Window, retailers: tuple[str, ...]
) -> None:
    data = json.loads(json.dumps(event_data("R-1", LABEL, window, retailers)))

    assert (window_of(data), label_of(data), bound_in(data)) == (window, LABEL, bound_of(retailers))
    assert window_of(json.loads(encode_window(window))) == window
    assert not any(retailer in json.dumps(data) for retailer in retailers)


@pytest.mark.parametrize(("retailers", "bound"), (((), {}), (("acme",), {"bound": bound_of(("acme",))})))
def test_a_history_says_of_a_window_what_it_takes_and_what_not(
    retailers: tuple[str, ...], bound: dict[str, str]
) -> None:
    window = Window(5_000_000, gaps=((0, 1_500_000), (2_000_000, FOREVER)), is_shared=True, is_first=False)

    assert event_data("R-1", LABEL, window, retailers) == {
        "return_id": "R-1",
        "carrier": "gls",
        "tracking_number": "T-1",
        "until": "1970-01-01T00:00:05Z",
        "except": [
            ["1970-01-01T00:00:00Z", "1970-01-01T00:00:01.500000Z"],
            ["1970-01-01T00:00:02Z", None],
        ],
        "shared": True,
        "first": False,
        **bound,
    }


def test_a_scan_that_is_bound_has_the_window_of_what_it_is_bound_to_and_none_elsewhere() -> None:
    bound = ("acme", "bravo")
    windows = {(LABEL, ""): WINDOWS[1], (LABEL, bound_of(bound)): WINDOWS[2]}

    assert window_for(windows, LABEL, (), "zenith") == WINDOWS[1]
    assert window_for(windows, LABEL, bound, "acme") == WINDOWS[2]
    assert window_for(windows, LABEL, bound, "zenith") is None
    assert window_for(windows, LABEL, bound, None) is None
    assert window_for(windows, LABEL, ("acme",), "acme") == Window()
