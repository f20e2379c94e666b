from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import Client, Response

from service.adapters.postgres.journal.search import PostgresSearch
from service.adapters.postgres.reading.public import PostgresPublicReading
from service.adapters.postgres.reading.returns import PostgresReading, open_pool
from service.application.journal.slices import SliceLimits
from service.application.reading.numbers import numbers_in, numbers_of
from service.errors import Retryable
from service.metrics import Metrics
from service.runtime.lifecycle import Stop
from service.runtime.projector import Projector
from service.web.app import create_app
from service.web.html.catalogue import LANGUAGES
from service.web.http.limits import Rate
from service.web.public.pages import Public, PublicLimits
from service.wire.carriers import CarrierTables
from tests.support import journals
from tests.support.filling import Filler, world
from tests.support.journals import creation, event, ingest, scan
from tests.support.loglines import logged
from tests.support.waiting import eventually
from tests.support.web import served

pytestmark = pytest.mark.postgres
PLENTY = Rate(per_minute=1_000_000, burst=1_000_000)
GENEROUS = PublicLimits(PLENTY, PLENTY, streams=20, streams_of_a_client=20)
GB = {"name": "Leeds depot", "code": "LBA", "country": "GB"}
WEIGHT = 60 * 1024
# What people and machines have tried on other sites; `MARK` tells a reflection from a word of ours.
MARK = "zqx"
ATTACKS = (
    f"<script>{MARK}(1)</script>",
    f'"><img src=x onerror={MARK}>',
    f"{{{{7*7}}}}{MARK}",
    f"' OR 1=1 -- {MARK}",
    f"R-1001'; DROP TABLE returns; --{MARK}",
    f"../../../../etc/passwd{MARK}",
    f"..%2f..%2f{MARK}",
    f"R-1001\r\nset-cookie: {MARK}=1",
    f"R-1001\0{MARK}",
    f"\u202e{MARK}\u2066",
    f"{MARK}\ufeff\u200d\U0001f4a9",
    f"{MARK}" * 2000,
    f"R-1001?lang={MARK}",
    f"//evil.example/{MARK}",
    f"javascript:{MARK}",
    f"%s%n{MARK}%00",
)


@contextmanager
def pages(database: str, limits: PublicLimits = GENEROUS) -> Iterator[Client]:
    with open_pool(database, 4) as pool:
        public = Public(PostgresPublicReading(pool), CarrierTables.load(), limits)
        with served(create_app(PostgresReading(pool), Metrics(), public)) as client:
            yield client


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    with pages(database) as client:
        yield client


def hub(type_: str, time: str, **data: str) -> dict[str, object]:
    return event(type_, f"{type_}-{time}", time, return_id="R-1001", hub="lhr-secret", **data)


def texts(answer: Response) -> str:
    """What a reader reads, without the marks that keep directions apart."""
    body = re.sub(r"<title>.*?</title>|</?bdi>", "", answer.text)
    return " ".join(re.sub(r"<[^>]*>", " ", body).replace("\u2068", "").replace("\u2069", "").split())


def same(answer: Response) -> tuple[int, dict[str, str], str]:
    """An answer but for the moment it was given, and for the number that stays in the field."""
    headers = {k: v for k, v in answer.headers.items() if k not in {"date", "content-length"}}
    return answer.status_code, headers, re.sub(r' value="[A-Za-z0-9._-]+(, [A-Za-z0-9._-]+)*"', "", answer.text)


@pytest.mark.parametrize("number", ("R-1001", "r-1001", "TR-1001", "%20R-1001%20"))
def test_a_return_is_found_by_its_id_and_its_tracking_number(client: Client, database: str, number: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00", location=GB), scan("DELIVERED", "11:00", location=GB)])

    answer = client.get(f"/track/{number}")

    assert answer.status_code == 200
    said = texts(answer)
    assert "Transferred to Sorting Facility" in said
    assert "The carrier reports that your parcel was delivered to the sorting facility." in said
    assert "The returns hub has not confirmed it yet." in said
    assert "Leeds depot, United Kingdom Reported by: the carrier" in said
    assert answer.text.count('aria-current="step"') == 1


def test_times_are_told_by_the_clock_of_the_place_wherever_the_event_waited(client: Client, database: str) -> None:
    def at(event_: dict[str, Any], time: str) -> dict[str, Any]:
        return {**event_, "time": f"2026-11-20T{time}"}

    sydney, reno = {"name": "Sydney depot", "country": "AU"}, {"name": "Reno returns dock", "country": "US"}
    delivered = event(journals.DELIVERED, "delivered", "20:00", connote="C-1", location=reno)
    # The scan waits for its label, the delivery for the export.
    ingest(
        database, [at(scan("COLLECTED", "08:00", location=sydney), "19:00:00+11:00"), at(delivered, "20:00:00-08:00")]
    )
    ingest(database, [at(creation(), "07:00:00Z"), hub(journals.RP, "13:00"), hub(journals.RE, "14:00", connote="C-1")])

    said = texts(client.get("/track/R-1001"))

    assert "7:00 PM UTC+11 First scan by the carrier" in said.replace("\u202f", " ")
    assert "8:00 PM UTC−8 Delivered back to the retailer" in said.replace("\u202f", " ")


def test_of_several_returns_with_a_tracking_number_the_newest_is_meant(client: Client, database: str) -> None:
    ingest(database, [creation("R-1", tracking_number="SAME")])
    ingest(database, [creation("R-2", tracking_number="SAME", carrier="omniparcel")])
    label = {"carrier": "generic", "tracking_number": "SAME"}
    ingest(database, [event(journals.SCAN, "s", "10:00", code="COLLECTED", **label)])

    said = texts(client.get("/track/SAME"))

    assert "OmniParcel" in said
    assert "Return label made" in said
    assert "First scan by the carrier" not in said


def test_a_return_goes_before_a_tracking_number_of_the_same_name(client: Client, database: str) -> None:
    ingest(database, [creation("ABC"), creation("R-2", tracking_number="ABC", carrier="omniparcel")])

    assert "OmniParcel" not in texts(client.get("/track/ABC"))


def test_a_rejection_says_why_and_what_comes_next(client: Client, database: str) -> None:
    ingest(
        database, [creation(), hub(journals.DS, "11:00"), hub(journals.RR, "12:00", reason="worn_or_used", note="zq")]
    )

    said = texts(client.get("/track/R-1001"))

    assert "Return Rejected" in said
    assert "signs of wear or use" in said
    assert "Contact the retailer’s customer service" in said
    assert "Return Exported" not in said


def test_a_first_mile_only_return_ends_there_and_says_so(client: Client, database: str) -> None:
    ingest(database, [creation(route="first_mile_only"), scan("DELIVERED", "11:00")])

    said = texts(client.get("/track/R-1001"))

    assert "Transferred to Sorting Facility is its last status." in said
    assert "Depot Scan" not in said


def test_the_first_mile_ends_with_a_link_to_the_whole_return(client: Client, database: str) -> None:
    ingest(
        database,
        [
            creation(),
            scan("COLLECTED", "10:00", description="picked up from J Tama"),
            scan("WEIRD", "10:30"),
            scan("DELIVERED", "11:00"),
            scan("IN_TRANSIT", "11:30"),
            hub(journals.DS, "12:00"),
        ],
    )

    answer = client.get("/first-mile/TR-1001")

    said = texts(answer)
    assert re.findall(r"Code (\S+)", said) == ["DELIVERED", "WEIRD", "COLLECTED"]
    assert "Delivered at the first-mile destination" in said
    assert "No further events are shown here." in said
    assert 'href="/track/TR-1001"' in answer.text
    assert "Tama" not in answer.text
    assert "Depot" not in said


def test_the_first_mile_of_a_return_that_ends_there_leads_nowhere(client: Client, database: str) -> None:
    ingest(database, [creation(route="first_mile_only"), scan("DELIVERED", "11:00")])

    answer = client.get("/first-mile/R-1001")

    assert "No further events are shown here." in texts(answer)
    assert "/track/R-1001" not in answer.text


def test_nothing_private_is_in_pages_headers_or_events(client: Client, database: str) -> None:
    private: dict[str, Any] = {
        "location": {"name": "Zqaddress 12", "code": "ZQCODE", "country": "GB"},
        "signed_by": "Zqsigner",
    }
    ingest(
        database,
        [
            creation(
                order_number="ZQORDER", retailer="zqretailer", items=[{"sku": "ZQSKU", "quantity": 1}], zq="ZQMORE"
            ),
            scan("DELIVERED", "11:00", description="zqdescription", **private),
            event(journals.DS, "zqid", "12:00", return_id="R-1001", hub="zqhub"),
            event(journals.RP, "rp", "13:00", return_id="R-1001", hub="zqhub", omnirps_tracking_number="ZQRPS"),
            event(journals.RE, "re", "14:00", return_id="R-1001", hub="zqhub", connote="ZQCONNOTE", mawb="ZQMAWB"),
        ],
    )

    answers = [client.get(path) for path in ("/track/R-1001", "/first-mile/R-1001")]
    with client.stream("GET", "/track/R-1001/events") as stream:
        lines = stream.iter_lines()
        events = [next(lines) for _ in range(5)]

    everything = [*(f"{answer.headers} {answer.text}" for answer in answers), f"{stream.headers} {events}"]
    for text in everything:
        assert "zq" not in text.lower()


def test_headers_keep_pages_out_of_caches_indexes_and_frames(client: Client, database: str) -> None:
    ingest(database, [creation()])

    for path in ("/track", "/track/R-1001", "/track/NOBODY", "/first-mile/R-1001"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert "noindex" in headers["x-robots-tag"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "set-cookie" not in headers


def test_no_page_has_code_or_style_in_it(client: Client, database: str) -> None:
    ingest(database, [creation(), hub(journals.RR, "12:00", reason="wrong_item")])

    for path in ("/track", "/track/R-1001", "/track/NOBODY", "/first-mile/R-1001"):
        page = client.get(path).text
        assert not re.search(r"<style|style=|\son[a-z]+=|javascript:", page)
        assert all(
            re.fullmatch(r'<script src="/static/[^"]+" defer></script>', s)
            for s in re.findall(r"<script.*?</script>", page)
        )


def test_a_page_with_all_that_it_needs_is_light(client: Client, database: str) -> None:
    scans = [scan("IN_TRANSIT", f"10:{minute:02d}", location=GB) for minute in range(60)]
    ingest(database, [creation(), *scans])

    page = client.get("/track/R-1001?lang=ar")
    needed = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    answers = [client.get(path) for path in sorted(needed)]

    assert {answer.status_code for answer in answers} == {200}
    assert all("immutable" in answer.headers["cache-control"] for answer in answers)
    assert len(page.content) + sum(len(answer.content) for answer in answers) < WEIGHT


def test_an_unchanged_page_is_not_sent_again(client: Client, database: str) -> None:
    ingest(database, [creation()])
    first = client.get("/track/R-1001")

    unchanged = client.get("/track/R-1001", headers={"if-none-match": f'W/{first.headers["etag"]}, "other"'})
    translated = client.get("/track/R-1001?lang=de", headers={"if-none-match": first.headers["etag"]})
    ingest(database, [scan("COLLECTED", "10:00")])
    moved = client.get("/track/R-1001", headers={"if-none-match": first.headers["etag"]})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert translated.status_code == 200
    assert moved.status_code == 200
    assert moved.headers["etag"] != first.headers["etag"]


def test_every_language_has_its_page(client: Client, database: str) -> None:
    ingest(database, [creation()])

    for language in LANGUAGES:
        answer = client.get("/track/R-1001", headers={"accept-language": f"{language}-XX, en;q=0.1"})
        assert answer.headers["content-language"] == language
        assert "accept-language" in answer.headers["vary"]
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in answer.text
        chosen = client.get(f"/track/R-1001?lang={language}", headers={"accept-language": "it"})
        assert chosen.headers["content-language"] == language
        assert f'href="/first-mile/R-1001?lang={language}"' in chosen.text


def test_the_form_leads_to_the_page_and_repeats_nothing_else(client: Client) -> None:
    assert client.get("/track").status_code == 200
    assert client.get("/track/").status_code in {200, 307}
    good = client.get("/track", params={"number": " r-1001 ", "lang": "de"})
    assert (good.status_code, good.headers["location"]) == (303, "/track/r-1001?lang=de")
    for attack in ATTACKS:
        answer = client.get("/track", params={"number": attack, "lang": attack})
        if numbers_of(attack):  # nothing but a number, once what cannot be seen is gone
            assert (answer.status_code, answer.headers["location"]) == (303, f"/track/{MARK}")
        elif numbers_in(attack):  # a number among the rest of it
            assert answer.status_code == 404
            assert all(word in numbers_in(attack) for word in re.findall(rf"[\w.-]*{MARK}[\w.-]*", answer.text))
        else:
            assert (answer.status_code, answer.headers["location"]) == (303, "/track/-")


def test_a_number_leads_to_its_page_however_people_have_it(client: Client, database: str) -> None:
    ingest(
        database,
        [creation("R-1001"), creation("Box-2002"), creation("R-I001", tracking_number="9101026837331000039521")],
    )

    for typed, place in (
        ("r1001", "R-1001"),
        ("\u200eR\u20131001\ufeff", "R-1001"),
        ("https://returns.example/track/R-1001?lang=de", "R-1001"),
        ("where is my box-2002, please?", "Box-2002"),
        ("BOX2002", "Box-2002"),
        ("420 22153 9101026837331000039521", "9101026837331000039521"),
    ):
        answer = client.get("/track", params={"number": typed}, follow_redirects=True)
        assert (answer.status_code, answer.url.path) == (200, f"/track/{place}"), typed
        assert "You entered" not in answer.text
    first_mile = client.get("/first-mile/box.2002", params={"lang": "de"})
    assert (first_mile.status_code, first_mile.headers["location"]) == (303, "/first-mile/Box-2002?lang=de")


def test_what_only_looks_alike_is_shown_with_what_was_typed(client: Client, database: str) -> None:
    ingest(database, [creation("R-2O02")])

    answer = client.get("/track", params={"number": "r-2002"}, follow_redirects=True)

    assert answer.url.path == "/track/R-2O02"
    assert "You entered r-2002. No return has exactly that number" in texts(answer)
    assert "You entered" not in client.get("/track/R-2O02", params={"typed": "call +1-555 for help"}).text


def test_a_number_that_could_mean_two_returns_shows_neither(client: Client, database: str) -> None:
    ingest(database, [creation("R-1001"), creation("R1001"), creation("R-10O1")])

    answer = client.get("/track/r-10-01")

    assert answer.status_code == 300
    assert "This number can mean more than one return" in texts(answer)
    assert 'value="r-10-01"' in answer.text
    assert [client.get(f"/track/{number}").status_code for number in ("R-1001", "R1001", "R-10O1")] == [200] * 3


def test_several_numbers_at_once_are_a_list(client: Client, database: str) -> None:
    ingest(database, [creation("R-1001"), creation("R-1002"), scan("COLLECTED", "10:00", return_id="R-1002")])

    answer = client.get("/track", params={"number": "R-1001, r1002 and R-9999"})

    assert answer.status_code == 200
    assert re.findall(r'href="/track/(R-\d+)"', answer.text) == ["R-1001", "R-1002"]
    assert "Return Created" in texts(answer)
    assert "Return In Transit" in texts(answer)


def test_who_asks_for_many_numbers_at_once_asks_for_each(database: str) -> None:
    few = PublicLimits(Rate(per_minute=1, burst=5), PLENTY)
    with pages(database, few) as client:
        answer = client.get("/track", params={"number": ", ".join(f"R-{n}" for n in range(1000, 1010))})

    assert answer.status_code == 429


def test_a_number_that_leads_nowhere_stays_in_the_field(client: Client) -> None:
    assert 'value="R-1001"' in client.get("/track/R-1001").text
    assert 'value="R-1001, R-1002"' in client.get("/track", params={"number": "R-1001 / R-1002"}).text


def test_unknown_malformed_and_not_yet_seen_numbers_get_one_answer(client: Client, database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", return_id="PARKED")])

    for place in ("track", "first-mile"):
        answers = [
            client.get(f"/{place}/{number}")
            for number in ("NOBODY", "TPARKED", "PARKED", "-", "%00", "a/b/c", "x" * 3000)
        ]
        assert answers[0].status_code == 404
        assert "The label is new." in texts(answers[0])
        assert all(same(answer) == same(answers[0]) for answer in answers)


def test_unknown_malformed_and_not_yet_seen_numbers_take_alike_long(client: Client, database: str) -> None:
    ingest(database, [scan("COLLECTED", "10:00", return_id="PARKED")])
    numbers = ("NOBODY", "TPARKED", "!!")
    taken: dict[str, list[float]] = {number: [] for number in numbers}

    for _ in range(40):
        for number in numbers:
            begun = time.perf_counter()
            client.get(f"/track/{number}")
            taken[number].append(time.perf_counter() - begun)

    medians = [statistics.median(times) for times in taken.values()]
    # The same queries run; what is left is the noise of a shared machine.
    assert max(medians) < 2 * min(medians) + 0.002


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_an_unknown_number(client: Client, database: str, attack: str) -> None:
    ingest(database, [creation()])
    expected = same(client.get("/track/NOBODY"))

    for place in ("track", "first-mile"):
        answer = client.get(client.base_url.copy_with(raw_path=f"/{place}/".encode() + _escaped(attack)))
        if answer.status_code == 303:  # there is a known number in it
            assert answer.headers["location"] == f"/{place}/R-1001"
        else:
            assert same(answer) == expected
    chosen = client.get("/track/NOBODY", params={"lang": attack})
    assert MARK not in chosen.text
    assert same(chosen)[2] == expected[2]
    spoken = client.get(
        "/track/R-1001", headers={b"accept-language": attack.encode("ascii", "ignore").translate(None, b"\r\n\0")}
    )
    assert spoken.status_code == 200
    assert MARK not in spoken.text
    assert client.get("/static/" + _escaped(attack).decode()).status_code == 404


def _escaped(text: str) -> bytes:
    return "".join(f"%{byte:02x}" for byte in text.encode()).encode()


def test_a_client_that_asks_too_often_is_told_when_to_come_back(database: str) -> None:
    ingest(database, [creation()])
    limits = PublicLimits(Rate(per_minute=1, burst=5), PLENTY, 1, 1)
    with pages(database, limits) as client:
        answers = [
            client.get(f"/track/{number}") for number in ("R-1001", "A-1", "A-2", "!", "R-1001", "R-1001", "A-3")
        ]

    assert [answer.status_code for answer in answers] == [200, 404, 404, 404, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Too many requests" in texts(answers[-1])
    assert answers[-1].headers["cache-control"] == "no-store"


@pytest.mark.parametrize("number", ("R-1001", "NOBODY", "!!!"))
def test_a_number_that_is_asked_for_too_often_rests(database: str, number: str) -> None:
    ingest(database, [creation()])
    with pages(database, PublicLimits(PLENTY, Rate(per_minute=1, burst=2), 1, 1)) as client:
        answers = [client.get(f"/{place}/{number}") for place in ("track", "first-mile", "track")]
        other = client.get("/track/OTHER")

    assert answers[-1].status_code == 429
    assert other.status_code == 404


def test_a_database_that_is_away_is_an_apology(client: Client, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Retryable("PostgreSQL 57P01")

    monkeypatch.setattr(PostgresPublicReading, "find", away)

    with logged() as lines:
        answer = client.get("/track/R-1001?lang=de")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "Mit Ihrer Retoure ist alles in Ordnung." in texts(answer)
    assert "57P01" not in answer.text
    assert "57P01" in lines.getvalue()


class Watcher:
    """Reads the events of a stream until it has seen enough."""

    def __init__(self, client: Client, path: str, **headers: str) -> None:
        self._stream = client.stream("GET", path, headers=headers, timeout=20)
        self.response = self._stream.__enter__()
        self._lines = self.response.iter_lines()

    def next_event(self) -> dict[str, str]:
        """The next one that has an id."""
        found: dict[str, str] = {}
        deadline = time.monotonic() + 20  # a silent stream is kept alive for longer
        for line in self._lines:
            assert time.monotonic() < deadline
            if not line and "id" in found:
                return found
            name, _, value = line.partition(": ")
            if name in {"id", "event", "data"}:
                found[name] = value
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self._stream.__exit__(None, None, None)


@pytest.fixture
def watch(client: Client) -> Iterator[Callable[..., Watcher]]:
    watchers: list[Watcher] = []

    def start(path: str, **headers: str) -> Watcher:
        watchers.append(Watcher(client, path, **headers))
        return watchers[-1]

    yield start
    for watcher in watchers:
        watcher.close()


def test_who_watches_is_told_of_every_move(client: Client, database: str, watch: Callable[..., Watcher]) -> None:
    ingest(database, [creation()])
    position = re.findall(r'data-position="([^"]+)"', client.get("/track/R-1001").text)[0]
    watcher = watch(f"/track/TR-1001/events?after={position}")

    ingest(database, [scan("COLLECTED", "10:00")])
    first = watcher.next_event()
    ingest(database, [scan("IN_TRANSIT", "10:30")])  # the page shows it, though the timeline stays
    second = watcher.next_event()

    assert watcher.response.headers["content-type"].startswith("text/event-stream")
    assert watcher.response.headers["cache-control"] == "no-store"
    assert first == {"id": "2.2", "event": "moved", "data": "2"}
    assert second == {"id": "2.3", "event": "moved", "data": "2"}


@pytest.mark.parametrize("seen", ("1", "1.1"))
def test_who_comes_back_is_told_at_once_of_what_was_missed(
    database: str, watch: Callable[..., Watcher], seen: str
) -> None:
    ingest(database, [creation()])
    ingest(database, [scan("COLLECTED", "10:00")])

    missed = watch("/track/R-1001/events", **{"last-event-id": seen}).next_event()

    assert missed["id"] == "2.2"


@pytest.mark.parametrize("seen", ("2", "2.2"))
def test_who_missed_nothing_waits_for_the_next_move(database: str, watch: Callable[..., Watcher], seen: str) -> None:
    ingest(database, [creation(), scan("COLLECTED", "10:00")])
    watcher = watch("/track/R-1001/events?after=0.0", **{"last-event-id": seen})

    ingest(database, [scan("DELIVERED", "11:00")])

    assert watcher.next_event()["id"] == "3.3"


def test_a_number_that_becomes_known_is_told(database: str, watch: Callable[..., Watcher]) -> None:
    watcher = watch("/track/R-1001/events")
    nonsense = watch("/track/!!/events")

    ingest(database, [creation()])

    assert watcher.next_event()["id"] == "1.1"
    assert {k: v for k, v in watcher.response.headers.items() if k != "date"} == {
        k: v for k, v in nonsense.response.headers.items() if k != "date"
    }


def test_a_look_that_fails_is_followed_by_another(
    database: str, watch: Callable[..., Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, failures = PostgresPublicReading.revisions, list[Any]()

    def fails_once(self: PostgresPublicReading, asked: Any) -> Any:
        if not failures:
            failures.append(asked)
            raise Retryable("PostgreSQL 57P01")
        return look(self, asked)

    monkeypatch.setattr(PostgresPublicReading, "revisions", fails_once)
    ingest(database, [creation()])

    told = watch("/track/R-1001/events").next_event()

    assert told["id"] == "1.1"
    assert failures == [[("R-1001",)]]


def test_head_has_the_headers_of_get(client: Client, database: str) -> None:
    ingest(database, [creation()])

    for path in ("/track", "/track/R-1001", "/first-mile/R-1001", "/track/NOBODY"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers.get("etag") == get.headers.get("etag")
    assert client.head("/track/R-1001/events").headers["content-type"].startswith("text/event-stream")


def test_streams_are_bounded_and_free_their_place(database: str) -> None:
    limits = PublicLimits(PLENTY, PLENTY, streams=2, streams_of_a_client=2)
    with pages(database, limits) as client:
        first, second = (Watcher(client, "/track/R-1001/events") for _ in range(2))
        refused = client.get("/track/R-1001/events")
        first.close()

        def is_free() -> bool:
            with client.stream("GET", "/track/R-1001/events") as answer:
                return answer.status_code == 200

        eventually(is_free)
        second.close()

    assert refused.status_code == 429


def test_streams_end_when_the_process_stops(database: str) -> None:
    stopping = False
    with open_pool(database, 2) as pool:
        public = Public(PostgresPublicReading(pool), CarrierTables.load(), GENEROUS, lambda: stopping)
        with (
            served(create_app(PostgresReading(pool), Metrics(), public)) as client,
            client.stream("GET", "/track/R-1001/events", timeout=10) as answer,
        ):
            lines = answer.iter_lines()
            next(lines)
            stopping = True

            rest = list(lines)

    assert all(not line or line.startswith(":") for line in rest)


def test_how_long_it_takes_comes_from_returns_that_are_complete(client: Client, database: str) -> None:
    filler = Filler(database)
    filler.fill(world(200, 7))
    filler.close()
    ingest(database, [creation(), scan("COLLECTED", "10:00")])

    before = texts(client.get("/track/R-1001"))
    Projector(PostgresSearch(database, SliceLimits()), Stop(), Metrics()).run(drain=True)
    with pages(database) as later:
        after = texts(later.get("/track/R-1001"))

    assert "usually" not in before
    assert re.search(r"This usually takes about [1-9] days?\.", after)
