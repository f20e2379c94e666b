"""Every route of the API and of the desk, asked once for all that it could tell: for tests of what a token may see.

A route, a parameter of a path or of a query that stands in no table here cannot be asked, and fails the test: whoever adds
one says with what it is asked, and so whether it keeps to the bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from httpx import Client, Response
from starlette.routing import Route

from tests.support import journals
from tests.support.feeds import body
from tests.support.journals import creation, event, scan
from tests.support.ops import fields

MARKS: Final = ("R-100", "acme", "CN-1", "A-4711", "TR-9", "seen-of-nobody")
LETTER: Final = b'{"seen-of-nobody": true}'
# With what each parameter is asked. {letter} is the number of the dead letter that the world has.
PATHS: Final = {
    "return_id": "R-1001",
    "id": "{letter}",
    "letter": "{letter}",
    "seq": "3",
    "connote": "CN-1",
    "carrier": "generic",
    "feed": "omniparcel",
    "secret": "secret",
    "rest": "no-page",
    "number": "R-1001",
    "exception_id": "return/R-1004/tracking_number_in_use",
    "reason": "already_exported",
    "waits": "label/generic/TR-9001/parked",
}
QUERIES: Final = {
    "status": "RDBTC",
    "retailer": "acme",
    "tracking_number": "TR-1001",
    "order_number": "A-4711",
    "connote": "CN-1",
    "route": "omnirps",
    "carrier": "generic",
    "hub": "akl1",
    "stuck": "true",
    "verdict": "unmapped",
    "reason": "unknown_code",
    "code": "NO-SUCH",
    "return_id": "R-1002",
    "open": "true",
    "state": "delivered",
    "topic": "first-mile.scans",
    "since": "2026-01-01T00:00:00Z",
    "updated_since": "2026-01-01T00:00:00Z",
    "until": "2099-01-01T00:00:00Z",
    "acknowledged": "false",
    "size": "a4",
    "lang": "de",
}
ANY_QUERY: Final = {"limit", "cursor"}  # say nothing of what is found
# A reason, and not a verdict, is what letters have.
QUERY_OF: Final = {
    ("/v1/dead-letters", "reason"): "not_cloudevent",
    ("/v1/hub/returns", "status"): "DS",
    ("/v1/exceptions", "state"): "open",
}
# Of everybody: health, and what is the same for all.
PUBLIC: Final = {"/livez", "/readyz", "/ops/login"}
# Show figures, or that there is nothing; of who is not bound it is tried that they change with what there is.
FIGURES: Final = {
    "/ops",
    "/ops/queues",
    "/ops/figures",
    "/ops/carriers",
    "/ops/carriers/{carrier}",
    "/ops/dead-letters",
    "/ops/dead-letters.csv",
    "/v1/returns/{return_id}/label.pdf",
    "/v1/returns/{return_id}/label.png",
}
EMPTY: Final = {"/ops/{rest}", "/v1/hub"}  # the second tells of the token alone
NARROW: Final = {"/v1/hub/parcels"}  # tell of nothing but what is named
SEARCHED: Final = ("R-1001", "TR-1001", "A-4711", "CN-1", "acme")

_EVENTS: Final = (
    creation("R-1002", "08:00"),
    scan("COLLECTED", "10:30", "R-1002"),
    event(journals.DS, "ds-new", "11:30", return_id="R-1002", hub="akl1"),
    event(journals.VOID, "void-new", "12:00", return_id="R-1002", source="/test", id="x", by="Ann", reason="a mistake"),
    event(journals.DELIVERED, "dv-new", "13:00", connote="CN-1", carrier="generic"),
)
_BATCH: Final = {
    "content": json.dumps(_EVENTS),
    "headers": {"content-type": "application/cloudevents-batch+json"},
}
BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/returns": {"json": creation("R-1009")["data"]},
    "/v1/returns/bulk": {
        "content": json.dumps(creation("R-1010", tracking_number="TR-1010")["data"]),
        "headers": {"content-type": "application/x-ndjson"},
    },
    "/v1/returns/{return_id}/label.pdf": {"json": {}},
    "/v1/returns/{return_id}/label.png": {"json": {}},
    "/v1/events": _BATCH,
    "/v1/events/check": _BATCH,
    "/v1/exceptions/{exception_id}/acknowledge": {"json": {"note": "of R-1004"}},
    "/v1/dead-letters/{id}/replay": {},
    "/v1/feeds/{feed}": {"content": body("omniparcel"), "headers": {"content-type": "application/json"}},
    "/v1/feeds/{feed}/{secret}": {"content": body("omniparcel"), "headers": {"content-type": "application/json"}},
}


class Asked(NamedTuple):
    """One request: of which route, and what is asked."""

    method: str
    template: str
    path: str
    parts: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}" + (f" {self.parts['params']}" if self.parts.get("params") else "")


class Told(NamedTuple):
    """What came of it."""

    status: int
    text: str

    @property
    def is_marked(self) -> bool:
        return any(mark in self.text for mark in MARKS)


def world() -> Sequence[dict[str, Any]]:
    """Of retailer acme: something for every list, page and figure that there is."""
    hub = {"hub": "akl1"}
    return (
        creation("R-1001", order_number="A-4711", items=[{"sku": "S-1", "quantity": 1, "description": "A shoe"}]),
        scan("COLLECTED", "10:00", "R-1001", location={"name": "12 High Street", "country": "GB"}),
        scan("DELIVERED", "10:30", "R-1001", signed_by="Ann"),
        event(journals.DS, "ds", "11:00", return_id="R-1001", **hub),
        event(journals.RP, "rp", "12:00", return_id="R-1001", **hub),
        event(journals.RE, "re", "13:00", return_id="R-1001", connote="CN-1", **hub),
        event(journals.DELIVERED, "dv", "14:00", connote="CN-1", signed_by="Bob"),
        event(journals.RR, "rr", "15:00", return_id="R-1001", reason="damaged", **hub),
        creation("R-1002"),
        scan("NO-SUCH", "10:00", "R-1002"),
        creation("R-1003"),
        event(journals.RE, "re-3", "13:00", return_id="R-1003", connote="CN-1", **hub),
        creation("R-1004", tracking_number="TR-1001"),
        scan("COLLECTED", "10:00", "R-9001"),
        event(journals.DS, "ds-9", "11:00", return_id="R-9001", **hub),
        creation("R-1005"),
        event(journals.DS, "ds-5", "11:00", return_id="R-1005", **hub),
        creation("R-1006"),  # under two connotes, and under way again after its delivery at the hub
        scan("DELIVERED", "09:30", "R-1006"),
        scan("COLLECTED", "09:45", "R-1006"),
        event(journals.RP, "rp-6", "12:00", return_id="R-1006", **hub),
        event(journals.RE, "re-6", "13:00", return_id="R-1006", connote="CN-1", **hub),
        event(journals.RE, "re-6b", "13:30", return_id="R-1006", connote="CN-2", **hub),
        creation("R-1007"),  # two facts by one name, and a clock that is ahead
        event(journals.DS, "twice", "11:00", return_id="R-1007", **hub),
        event(journals.DS, "twice", "11:30", return_id="R-1007", **hub)
        | {"time": datetime.fromtimestamp(journals.RECEIVED_MS / 1000 + 12 * 3600, UTC).isoformat()},
        creation("R-1008"),  # in contradiction, closed, and on the move; with a void that names nothing
        event(journals.RC, "R-1008-rc-2", "09:30", **{**creation("R-1008")["data"], "route": "first_mile_only"}),
        event(journals.CLOSED, "closed", "09:45", return_id="R-1008", by="Ann", reason="lost"),
        scan("COLLECTED", "10:00", "R-1008"),
        event(
            journals.VOID, "vain", "12:00", return_id="R-1008", source="/test", id="nothing", by="Ann", reason="wrong"
        ),
    )


def requests(document: Mapping[str, Any], pages: Iterable[str], letter: int) -> Iterator[Asked]:
    """Everything that can be asked of the API that the document describes, and of the pages of the desk.

    Raises AssertionError for what nobody has said how to ask.
    """
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            if path in PUBLIC:
                continue
            if method != "get":
                assert path in BODIES, f"say in {__name__} what is sent to {method} {path}"
                yield _asked(method, path, letter, **BODIES[path])
                continue
            if path not in NARROW:
                yield _asked(method, path, letter)
            for name in _queries(path, call):
                yield _asked(method, path, letter, params={name: QUERY_OF.get((path, name), QUERIES[name])})
    for template in pages:
        path = re.sub(r":\w+\}", "}", template)
        if path not in PUBLIC:
            yield _asked("get", path, letter)
    for typed in SEARCHED:
        yield Asked("get", "/ops", "/ops", {"params": {"q": typed}})
    for name in ("retailer", "tracking_number", "order_number", "connote", "carrier", "hub", "stuck"):
        yield Asked("get", "/ops/returns", "/ops/returns", {"params": {name: QUERIES[name]}})


def desk_routes(routes: Any, method: str) -> Iterator[str]:
    """The addresses of the desk, from the routes of an application."""
    for route in routes:
        if not isinstance(route, Route):
            yield from desk_routes(route.original_router.routes, method)  # FastAPI keeps what was included apart
        elif route.path.startswith("/ops") and method in (route.methods or ()):
            yield route.path


def ask(client: Client, asked: Sequence[Asked]) -> dict[str, Told]:
    """What is told of each."""
    return {each.name: told(client.request(each.method, each.path, **each.parts)) for each in asked}


def told(answer: Response) -> Told:
    return Told(answer.status_code, answer.text)


def act(client: Client, path: str, template: str) -> Told:
    """Send the form of an action, as one of our pages would."""
    form = fields(client.get("/ops/returns"), "/ops/logout")
    return told(client.post(path, data={**form, "reason": f"of {template}", "note": f"of {template}"}))


def _asked(method: str, template: str, letter: int, **parts: Any) -> Asked:
    def value(match: re.Match[str]) -> str:
        assert match[1] in PATHS, f"say in {__name__} what {match[1]} is in {template}"
        return PATHS[match[1]].format(letter=letter)

    return Asked(method, template, re.sub(r"\{(\w+)\}", value, template), parts)


def path_of(template: str, letter: int) -> str:
    """The address of a template."""
    return _asked("", re.sub(r":\w+\}", "}", template), letter).path


def _queries(path: str, call: Mapping[str, Any]) -> Iterator[str]:
    for parameter in call.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "query" and name not in ANY_QUERY:
            assert name in QUERIES, f"say in {__name__} with what {name} of {path} is asked"
            yield name
