"""/returns/new as a browser without scripts has it; the servers behind it are a memory and lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import Client

from service.adapters.printing.label import TypstPrinting
from service.application.commands.labelling import Labelling
from service.application.commands.portal import ReturnReason
from service.metrics import Metrics
from service.web.html.catalogue import LANGUAGES, load
from service.web.http.limits import Rate
from service.web.http.middleware import Access
from service.web.public.returning import PATH, Returning
from tests.support.codes import codes, text
from tests.support.portals import Consumers, link
from tests.support.web import served

pytestmark = pytest.mark.slow  # a site of its own for each, and labels

TEMPLATES = Path(__file__).parents[4] / "service" / "web" / "html" / "templates" / "returns"
CHOSEN = {"quantity.0": "1", "reason.0": "too_small"}


@pytest.fixture
def consumers() -> Consumers:
    return Consumers()


@pytest.fixture
def client(consumers: Consumers) -> Iterator[Client]:
    app = FastAPI()
    labelling = Labelling(TypstPrinting(), str.upper, "https://returns.example")
    app.add_middleware(Access, metrics=Metrics())
    app.include_router(Returning(consumers.portals, labelling, Rate(6000, 1000)).router)
    with served(app) as client:
        client.follow_redirects = True
        yield client


def fields(page: str) -> set[str]:
    return set(re.findall(r'name="([^"]+)"', page))


def test_from_the_link_to_the_label(client: Client, consumers: Consumers) -> None:
    form = client.get(PATH, params={"link": link()})
    made = client.post(PATH, params={"link": link()}, data=CHOSEN)
    sender = {"name": "Åsa Ström", "address": "Storgatan 1\r\n111 22 Stockholm", "as": "pdf.a4"}
    label = client.post(f"{PATH}/label", params={"link": link()}, data=sender)
    blank = client.post(f"{PATH}/label", params={"link": link()}, data={"as": "png.a6"})
    code = client.get(f"{PATH}/code.svg", params={"link": link()})

    assert form.status_code == 200
    assert {"quantity.0", "reason.0", "quantity.1", "reason.1"} <= fields(form.text)
    assert "Running shoe" in form.text
    assert "Acme &lt;Outdoor&gt;" in form.text
    assert (made.status_code, made.history[0].status_code) == (200, 303)
    ((return_id, _),) = consumers.world.published
    assert f'href="/track/{return_id}"' in made.text
    assert "RR000000005NZ" in made.text
    assert (label.status_code, label.headers["content-type"]) == (200, "application/pdf")
    for expected in ("Åsa Ström", "Storgatan 1", "111 22 Stockholm", "Returns hub", "London E16 2AB", "United Kingdom"):
        assert expected in text(label.content)
    assert codes(blank.content) == {
        "Code128": "RR000000005NZ",
        "QRCode": f"https://returns.example/track/{return_id}",
    }
    assert code.headers["content-type"].startswith("image/svg+xml")
    for answer in (form, made, label, code):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_page_of_a_link_is_the_return_once_it_is_made_and_says_when_it_is_cancelled(
    client: Client, consumers: Consumers
) -> None:
    client.post(PATH, params={"link": link()}, data=CHOSEN)
    ((return_id, _),) = consumers.world.published

    made = client.get(PATH, params={"link": link()})
    consumers.status[return_id] = "RT"
    late = client.post(f"{PATH}/cancel", params={"link": link()})
    consumers.status.clear()
    cancelled = client.post(f"{PATH}/cancel", params={"link": link()})
    label = client.post(f"{PATH}/label", params={"link": link()})
    code = client.get(f"{PATH}/code.svg", params={"link": link()})
    consumers.status[return_id] = "RT"
    handed_over = client.get(PATH, params={"link": link()})

    assert return_id in made.text
    assert "The carrier has the parcel all the same, so the return goes on" in handed_over.text
    assert late.status_code == 409
    assert "cannot be cancelled any more" in late.text
    # What is closed keeps its status, and a parcel that is handed over opens it again.
    assert "This return is cancelled" in cancelled.text
    assert "the tracking page says so beside “Return Created”" in unescape(cancelled.text)
    assert f'href="/track/{return_id}"' in cancelled.text
    assert "This return is cancelled" in label.text
    assert "so the return goes on" not in cancelled.text
    assert code.status_code == 404
    assert len(consumers.closed) == 1


def test_a_form_that_chooses_nothing_is_shown_again_with_what_was_chosen(client: Client, consumers: Consumers) -> None:
    answer = client.post(PATH, params={"link": link()}, data={"quantity.0": "2", "reason.0": ""})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert re.search(r'<option value="2" selected', answer.text)
    assert 'name="reason.0" aria-invalid="true"' in answer.text
    assert consumers.world.published == []


@pytest.mark.parametrize(
    ("value", "status", "words"),
    (
        (link() + "0", 403, "This link does not work"),
        ("", 403, "This link does not work"),
        ("<script>", 403, "This link does not work"),
        (link(expires=1), 410, "This link has expired"),
        (link(retailer="bolt"), 403, "This link does not work"),
    ),
)
def test_a_tampered_expired_or_foreign_link_is_refused_in_words(
    client: Client, consumers: Consumers, value: str, status: int, words: str
) -> None:
    answers = [
        client.get(PATH, params={"link": value}),
        client.post(PATH, params={"link": value}, data=CHOSEN),
        client.post(f"{PATH}/cancel", params={"link": value}),
        client.post(f"{PATH}/label", params={"link": value}),
        client.get(f"{PATH}/code.svg", params={"link": value}),
    ]

    for answer in answers:
        assert answer.status_code == status
        assert words in unescape(answer.text)
        assert "A-4711" not in answer.text
        assert "<script>" not in answer.text
    assert consumers.world.kept.rows == {}


def test_what_cannot_be_printed_is_said_and_what_was_typed_stays(client: Client) -> None:
    client.post(PATH, params={"link": link()}, data=CHOSEN)

    for typed, words in (
        ({"name": "Jo", "address": "བོད་"}, "The address cannot be printed"),
        ({"name": "x" * 81, "address": "Leeds"}, "The name cannot be printed"),
        ({"name": "", "address": "Leeds"}, "The name cannot be printed"),
        ({"name": "Jo", "address": "\n".join("1234567")}, "The address cannot be printed"),
    ):
        answer = client.post(f"{PATH}/label", params={"link": link()}, data=typed)

        assert answer.status_code == 422
        assert words in answer.text
        assert f'value="{typed["name"]}"' in answer.text


def test_where_a_server_is_away_nothing_is_lost_but_time(client: Client, consumers: Consumers) -> None:
    consumers.world.kafka_is_away = True

    answer = client.post(PATH, params={"link": link()}, data=CHOSEN)
    consumers.world.kafka_is_away = False
    again = client.post(PATH, params={"link": link()}, data=CHOSEN)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert again.status_code == 200
    assert len(consumers.world.published) == 1


def test_when_no_number_is_left_it_is_said_and_who_asks_too_much_waits(consumers: Consumers) -> None:
    consumers.world.kept.numbers = 2
    app = FastAPI()
    app.include_router(Returning(consumers.portals, Labelling(TypstPrinting(), str, None), Rate(1, 2)).router)

    with served(app) as client:
        exhausted = client.post(PATH, params={"link": link()}, data=CHOSEN)
        client.get(PATH)
        limited = client.get(PATH, params={"link": link()})

    assert exhausted.status_code == 503
    assert "run out of the carrier" in exhausted.text
    assert limited.status_code == 429


def test_neither_the_link_nor_what_is_typed_is_logged(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    client.post(PATH, params={"link": link()}, data=CHOSEN)
    client.get(PATH, params={"link": link()})
    client.post(f"{PATH}/label", params={"link": link()}, data={"name": "Quetzal", "address": "Xochimilco"})

    logged = "".join(capfd.readouterr())
    assert PATH in logged
    for secret in (link()[:40], "Quetzal", "Xochimilco", "A-4711", "SHOE-42"):
        assert secret not in logged


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_speaks_every_language_and_keeps_it_and_the_link(client: Client, language: str) -> None:
    form = client.get(PATH, params={"link": link(), "lang": language})
    made = client.post(PATH, params={"lang": language, "link": link()}, data=CHOSEN)

    texts = load(".", "returns")[language]
    for page in (form, made):
        assert f'<html lang="{language}" dir="{texts.direction}">' in page.text
        others = re.findall(r'href="\?link=([^&"]+)&(?:amp;)?lang=(\w+)"', page.text)
        assert {other for _, other in others} == set(LANGUAGES)
    assert texts("made.title") in unescape(made.text)


def test_every_text_of_a_template_is_in_the_catalogues_and_the_other_way_round() -> None:
    texts = load("returns")["en"].texts
    sources = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    used = set(re.findall(r'\bt\("([a-z_]+\.[a-zA-Z0-9_]+)"', sources))
    by_value = ("label.", "reason.", "problem.", "wrong.", "expired.", "exhausted.")

    assert used - texts.keys() == {"status.RC"}  # of the words of all public pages
    assert {key for key in texts if not key.startswith(by_value)} - used == {"language"}
    assert {f"reason.{each}" for each in ReturnReason} <= texts.keys()
