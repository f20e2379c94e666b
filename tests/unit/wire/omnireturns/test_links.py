"""Signed links, and the file of those who may sign."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.milestones import Route
from service.errors import SettingsError
from service.wire.numbering.ranges import parse_ranges
from service.wire.omnireturns.links import LONGEST_LINK, ExpiredLink, WrongLink, read_link, sign
from service.wire.omnireturns.portals import Portal, load_portals, parse_portals

RANGES = parse_ranges('[[range]]\ncarrier = "generic"\ncheck = "none"\nprefix = "G"\nfirst = "000"\nlast = "999"', "")
NEW, OLD = "n" * 16, "o" * 16
FILE = f"""
[acme]
name = "Acme"
secrets = ["{NEW}", "{OLD}"]
route = "omnirps"
carrier = "generic"
origin_country = "GB"
destination_country = "NO"

[acme.destination]
name = "Hub"
lines = ["2 Dock Road"]
country = "FR"

[bolt]
name = "Bolt"
secret = "{"b" * 16}"
route = "first_mile_only"
carrier = "generic"
"""
PORTALS = parse_portals(FILE, "p.toml", RANGES)
ORDER: dict[str, Any] = {
    "retailer": "acme",
    "order_number": "A-1",
    "items": [{"sku": "S-1", "quantity": 2, "description": "Shoe"}, {"sku": "S-2", "quantity": 1}],
    "expires": 2000,
}


def signed(payload: str, secret: str = NEW) -> str:
    """A link, as the documents tell retailers to make one."""
    return f"{payload}.{hmac.new(secret.encode(), payload.encode(), sha256).hexdigest()}"


def test_a_link_says_what_its_retailer_signed_with_either_secret() -> None:
    first, second = (read_link(sign(ORDER, secret), PORTALS, 2000) for secret in (NEW, OLD))

    assert first.portal.name == "Acme"
    assert (first.order.order_number, [item.sku for item in first.order.items]) == ("A-1", ["S-1", "S-2"])
    assert first.key == second.key
    assert first.key != read_link(sign({**ORDER, "order_number": "A-2"}, NEW), PORTALS, 0).key


def test_a_link_is_what_the_documents_tell_retailers_to_make() -> None:
    payload = urlsafe_b64encode(b'{"retailer":"acme"}').rstrip(b"=").decode()

    assert sign({"retailer": "acme"}, NEW) == signed(payload)


@pytest.mark.parametrize("length", range(1, 21))
def test_a_link_is_read_however_long_what_it_says_is(length: int) -> None:
    """In base 64 what is not of a whole number of three bytes is filled up, and the link is without what fills it."""
    order = {**ORDER, "order_number": "A" * length}

    assert read_link(sign(order, NEW), PORTALS, 0).order.order_number == order["order_number"]


def test_a_link_is_as_long_as_it_may_be_and_no_longer() -> None:
    room = (LONGEST_LINK - len(sign({**ORDER, "note": ""}, NEW))) * 3 // 4
    longest, longer = (sign({**ORDER, "note": "x" * length}, NEW) for length in (room, room + 1))

    assert (len(longest), len(longer)) == (LONGEST_LINK, LONGEST_LINK + 1)
    assert read_link(longest, PORTALS, 0).order.order_number == "A-1"
    with pytest.raises(WrongLink):
        read_link(longer, PORTALS, 0)


def test_an_expired_link_is_known_only_to_have_been_signed() -> None:
    with pytest.raises(ExpiredLink):
        read_link(sign(ORDER, NEW), PORTALS, 2000.5)
    with pytest.raises(WrongLink):
        read_link(sign(ORDER, "x" * 16), PORTALS, 2000.5)


PAYLOAD, _, SIGNATURE = sign(ORDER, NEW).partition(".")
FOREIGN: dict[str, str] = {
    "an order with the signature of another": f"{sign({**ORDER, 'order_number': 'A-2'}, NEW).partition('.')[0]}.{SIGNATURE}",
    # Who reads base 64 passes over what is none of its letters.
    "dots within what is signed": signed(f"{PAYLOAD[:9]}....{PAYLOAD[9:]}"),
    "another retailer's secret": sign(ORDER, "b" * 16),
    "nobody's": sign({**ORDER, "retailer": "nobody"}, NEW),
    "no object": sign([1], NEW),  # type: ignore[arg-type]
    "no retailer": sign({"order_number": "A-1"}, NEW),
    "a list for a retailer": sign({**ORDER, "retailer": ["acme"]}, NEW),
    "nothing": "",
    "a dot": ".",
    "no base64": "%%%.x",
    "letters that are no ASCII": "é.é",
    "no signature": PAYLOAD,
    "deep": urlsafe_b64encode(b"[" * 5000).decode() + "." + "0" * 64,
    "long": sign({**ORDER, "note": "x" * 8000}, NEW),
    "no items": sign({**ORDER, "items": []}, NEW),
    "too many items": sign({**ORDER, "items": [{"sku": "S", "quantity": 1}] * 21}, NEW),
    "too many of one": sign({**ORDER, "items": [{"sku": "S", "quantity": 100}]}, NEW),
    "no expiry": sign({name: value for name, value in ORDER.items() if name != "expires"}, NEW),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_whatever_else_comes_is_no_link_of_ours(kind: str) -> None:
    with pytest.raises(WrongLink):
        read_link(FOREIGN[kind], PORTALS, 0)


@given(st.data())
def test_a_link_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    link = sign(ORDER, NEW)
    place = data.draw(st.integers(0, len(link) - 1))
    other = data.draw(st.sampled_from("ABCabc012-_.").filter(lambda letter: letter != link[place]))

    with pytest.raises(WrongLink):
        read_link(link[:place] + other + link[place + 1 :], PORTALS, 0)


def test_a_file_of_portals_says_where_parcels_go_and_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(FILE, encoding="utf-8")

    assert parse_portals(FILE, "p.toml", RANGES) == load_portals(tmp_path / "p.toml", RANGES) == PORTALS

    hub = {"name": "Hub", "lines": ["2 Dock Road"], "country": "FR"}
    assert {
        "acme": Portal("acme", "Acme", (NEW, OLD), Route.OMNIRPS, "generic", "GB", "NO", hub),
        "bolt": Portal("bolt", "Bolt", ("b" * 16,), Route.FIRST_MILE_ONLY, "generic"),
    } == PORTALS
    assert NEW not in repr(PORTALS)
    assert load_portals(None, RANGES) == {}


def test_a_destination_is_a_name_and_whatever_else_is_known_of_it() -> None:
    text = FILE.replace('lines = ["2 Dock Road"]\ncountry = "FR"\n', "")

    assert parse_portals(text, "p.toml", RANGES)["acme"].destination == {"name": "Hub", "lines": [], "country": None}


@pytest.mark.parametrize(
    ("was", "now", "said"),
    (
        (f'secrets = ["{NEW}", "{OLD}"]', 'secret = "short"', "at least 16 characters"),
        (f'secrets = ["{NEW}", "{OLD}"]', "", "either `secret` or `secrets`"),
        (f'secrets = ["{NEW}", "{OLD}"]', "secrets = [1]", "one or two"),
        ('carrier = "generic"', 'carrier = "dhl"', "acme.carrier: RETURNS_NUMBERS_FILE has no range"),
        ('route = "omnirps"', 'route = "sea"', "acme.route"),
        ('name = "Acme"', "name = 1", "acme.name: a text is expected"),
        ('carrier = "generic"', "carrier = 1", "acme.carrier: a text is expected"),
        ('route = "omnirps"', "route = 1", "acme.route: a text is expected"),
        ('origin_country = "GB"', 'origin_country = "England"', "acme.origin_country: an ISO"),
        ('destination_country = "NO"', 'destination_country = "Norge"', "acme.destination_country: an ISO"),
        ('name = "Hub"', 'street = "Hub"', "acme.destination: a table of name"),
        ('name = "Hub"', "name = 1", "acme.destination.name: a text is expected"),
        ('country = "FR"', 'country = "France"', "acme.destination.country: an ISO"),
        ('lines = ["2 Dock Road"]', "lines = [2]", "destination.lines"),
        ("[acme]", "[ACME]", "named in lower case"),
        ('name = "Acme"', 'name = "Acme"\nsize = 1', "unknown key 'size'"),
        ("[acme]", "[acme", ": "),
    ),
)
def test_what_is_wrong_with_the_file_is_named_and_no_secret_is(was: str, now: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^p.toml.*{said}") as refused:
        parse_portals(FILE.replace(was, now, 1), "p.toml", RANGES)

    assert NEW not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml"):
        load_portals(tmp_path / "none.toml", RANGES)


def test_what_is_wrong_with_a_file_is_said_with_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(FILE.replace('name = "Acme"', ""), encoding="utf-8")

    with pytest.raises(SettingsError, match=f"^{re.escape(str(file))}: acme.name: "):
        load_portals(file, RANGES)
