"""What a definition of a feed comes to, and what is said of one that is none."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

import pytest

from service.errors import SettingsError
from service.wire.feeds.definition import Expression, Times, load_feeds, names_of_carriers, parse_feed
from service.wire.feeds.enabled import load_enabled, parse_enabled
from service.wire.feeds.signatures import Scheme
from service.wire.toml_files import read_file

FULL = """\
name = "Some feed"
sources = ["https://example.org/a", "https://example.org/b"]
carrier = "generic"
[signature]
scheme = "token"
header = "X-Key"
[read]
only = "body.only"
parcels = "body.parcels"
events = "parcel.events"
number = "event.n"
code = "event.c"
time = "event.t"
key = ["event.k", "event.l"]
place = "event.p"
[csv]
number = "event.N"
code = "event.C"
time = "event.T"
signed_by = "event.S"
[time]
format = "%Y%j"
naive = "utc"
offset = "ignore"
[withheld]
members = ["a", "b"]
"""
BARE = """\
name = "Some feed"
carrier = "generic"
signature = { scheme = "path" }
[read]
number = "event.n"
code = "event.c"
time = "event.t"
"""
AGGREGATED = BARE.replace('carrier = "generic"', 'aggregator = "aftership"') + "[carriers]\n"


def test_a_definition_says_where_everything_stands() -> None:
    feed = parse_feed("some", FULL, "x")

    assert (feed.feed, feed.name, feed.carrier, feed.aggregator) == ("some", "Some feed", "generic", None)
    assert feed.sources == ("https://example.org/a", "https://example.org/b")
    assert (feed.carrier_of, feed.carriers) == (None, {})
    body = [None if each is None else each.text for each in (feed.only, feed.parcels, feed.events)]
    assert body == ["body.only", "body.parcels", "parcel.events"]
    columns = {member: expression.text for member, expression in feed.columns.members.items()}
    assert columns == {"number": "event.n", "code": "event.c", "time": "event.t", "place": "event.p"}
    assert [key.text for key in feed.columns.key] == ["event.k", "event.l"]
    assert feed.csv is not None
    rows = {member: expression.text for member, expression in feed.csv.members.items()}
    assert rows == {"number": "event.N", "code": "event.C", "time": "event.T", "signed_by": "event.S"}
    assert feed.csv.key == ()
    assert feed.times == Times("%Y%j", naive_utc=True, ignore_offset=True)
    assert feed.withheld == {"a", "b"}
    assert (feed.signature.scheme, feed.signature.header) == (Scheme.TOKEN, "x-key")


def test_what_a_definition_leaves_out_is_not_there() -> None:
    feed = parse_feed("some", BARE, "x")

    assert (feed.sources, feed.only, feed.parcels, feed.events, feed.csv) == ((), None, None, None, None)
    assert (feed.columns.key, feed.times, feed.withheld) == ((), Times(), frozenset())


def test_an_aggregators_names_of_carriers_are_in_lower_case() -> None:
    feed = parse_feed("some", AGGREGATED + 'from = "parcel.c"\nUPS = "ups"\n', "x")

    assert (feed.carrier, feed.aggregator, feed.carriers) == (None, "aftership", {"ups": "ups"})
    assert feed.carrier_of is not None
    assert feed.carrier_of.of({"parcel": {"c": "UPS"}}) == "UPS"
    assert names_of_carriers("x", {"A B": "evri"}) == {"a b": "evri"}


def test_an_expression_has_a_longest_length_and_finds_nothing_where_it_makes_no_sense() -> None:
    longest = "a" * 500

    assert Expression(longest).of({longest: 1}) == 1
    with pytest.raises(ValueError, match="longer than 500"):
        Expression(longest + "a")
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Expression("a[")
    assert Expression("join(',', a)").of({"a": None}) is None
    assert Expression("join(',', a)").of({"a": ["b", "c"]}) == "b,c"


@pytest.mark.parametrize(
    ("text", "complaint"),
    (
        ("sources = 'x'\n" + BARE, "x: sources: a list of texts"),
        ("sources = ['x', 1]\n" + BARE, "x: sources: a list of texts"),
        (BARE.replace('carrier = "generic"', "carrier = 1"), "x: carrier, aggregator: the name"),
        (BARE.replace('carrier = "generic"', "aggregator = 'A'"), "x: carrier, aggregator: the name"),
        ("read = 1\n" + BARE.partition("[read]")[0], "x: read: a table is expected"),
        ("csv = 1\n" + BARE, "x: csv: a table is expected"),
        (BARE.replace('carrier = "generic"', "aggregator = 'a'\ncarriers = 1"), "x: carriers: a table is expected"),
        (AGGREGATED, "x: carriers.from: an expression is expected"),
        (AGGREGATED + "from = 1\n", "x: carriers.from: an expression is expected, as a text"),
        (AGGREGATED + "from = 'a'\nUPS = 'U P S'\n", "x: carriers.UPS: the name of a carrier is expected: "),
        (BARE + "[csv]\nnumber='a'\ncode='b'\ntime='c'\nevents='d'\n", "x: csv: unknown key 'events'"),
        (BARE + "b_first = 'x'\na_first = 'x'\n", "x: read: unknown key 'a_first'"),
        (BARE + "key = [1]\n", "x: read.key: an expression is expected, as a text"),
        (BARE + "only = 1\n", "x: read.only: an expression is expected, as a text"),
        (BARE + "[time]\nformat = 1\n", "x: time.format: "),
        (BARE + "[time]\nzone = 'UTC'\n", "x: time: unknown key 'zone'"),
        (BARE + "[withheld]\nmembers = [1]\n", "x: withheld.members: a list of texts"),
        (BARE + "[withheld]\nmember = ['a']\n", "x: withheld: unknown key 'member'"),
        (BARE.replace("signature =", "signatures ="), "x:3: unknown key 'signatures'"),
        (BARE.replace('signature = { scheme = "path" }\n', ""), "x: signature: a table with `scheme`"),
    ),
)
def test_a_mistake_is_named_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_feed("some", text, "x")

    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize("directive", ("%Y", "%m", "%d", "%H", "%M", "%S", "%y", "%j", "%f"))
def test_a_format_of_times_has_a_directive(directive: str) -> None:
    assert parse_feed("some", BARE + f"[time]\nformat = 'at {directive}'\n", "x").times.format == f"at {directive}"


def test_a_file_of_a_directory_is_named_after_its_feed_and_is_utf_8(tmp_path: Path) -> None:
    (tmp_path / "Some Feed.toml").write_text(BARE)
    (tmp_path / "notes.txt").write_text("no feed")
    with pytest.raises(SettingsError, match=r"Some Feed\.toml: the file is named after its feed"):
        load_feeds(tmp_path)

    (tmp_path / "Some Feed.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"Some Feed\.toml: cannot be read as UTF-8"):
        load_feeds(tmp_path)


class InLatin:
    """A file on a machine whose own encoding is not UTF-8."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()

    def read_text(self, encoding: str | None = None) -> str:
        return self._bytes.decode(encoding or "latin-1")


def test_a_file_is_utf_8_whatever_the_machine_s_own_encoding_is() -> None:
    assert read_file(cast("Traversable", InLatin('name = "Ōtāhuhu"'))) == 'name = "Ōtāhuhu"'


def test_of_two_directories_the_last_one_wins_and_the_first_file_by_name_is_complained_of(tmp_path: Path) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    for directory, name in ((first, "First"), (last, "Last")):
        directory.mkdir()
        (directory / "some.toml").write_text(BARE.replace("Some feed", name), encoding="utf-8")

    assert load_feeds(first, last)["some"].name == "Last"
    assert load_feeds(last, first)["some"].feed == "some"
    for name in ("c", "b", "a"):
        (last / f"{name}.toml").write_text("x")
    with pytest.raises(SettingsError, match=r"/a\.toml: "):
        load_feeds(first, last)


def test_the_file_of_open_feeds_is_read_as_utf_8_or_named(tmp_path: Path) -> None:
    feeds = {"some": parse_feed("some", BARE, "x")}
    path = tmp_path / "feeds.toml"

    with pytest.raises(SettingsError, match=r"feeds\.toml: cannot be read"):
        load_enabled(path, feeds)
    path.write_bytes(b"[some]\nsecret = '\xff'")
    with pytest.raises(SettingsError, match=r"feeds\.toml: cannot be read"):
        load_enabled(path, feeds)
    path.write_text("[some]\nsecret = 'wörd-123'", encoding="utf-8")

    assert load_enabled(path, feeds)["some"].secrets == ("wörd-123",)
    path.write_text("[other]\nsecret = 'wörd-123'", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"feeds\.toml: other\.feed: there is no such feed; there are some$"):
        load_enabled(path, feeds)


def test_a_feed_that_is_open_takes_one_or_two_secrets_of_some_length() -> None:
    feeds = {"some": parse_feed("some", BARE, "x"), "b-feed": parse_feed("some", BARE, "x")}

    assert parse_enabled("[some]\nsecret='12345678'", feeds, "f")["some"].secrets == ("12345678",)
    assert parse_enabled("[some]\nsecrets=['12345678']", feeds, "f")["some"].secrets == ("12345678",)
    two = parse_enabled("[x]\nfeed='some'\nsecrets=['12345678','abcdefgh']\ncarrier='ups'", feeds, "f")["x"]
    assert two.secrets == ("12345678", "abcdefgh")
    assert (two.source.name, two.source.feed.feed, two.source.feed.carrier) == ("x", "some", "ups")
    for wrong in ("secret='1234567'", "secrets=['12345678','1234567']", "secret=12345678", "secrets='12345678'"):
        with pytest.raises(SettingsError, match=r"^f: some: "):
            parse_enabled(f"[some]\n{wrong}", feeds, "f")
    with pytest.raises(SettingsError, match=r"^f: no\.feed: .*there are b-feed, some$"):
        parse_enabled("[no]\nsecret='12345678'", feeds, "f")


@pytest.mark.parametrize(
    ("scheme", "secret", "is_good"),
    (
        ('{ scheme = "basic" }', "user:password", True),
        ('{ scheme = "basic" }', "user-password", False),
        ('{ scheme = "headers", headers = ["a", "b"] }', "user:password", True),
        ('{ scheme = "headers", headers = ["a", "b"] }', "user-password", False),
        ('{ scheme = "token", header = "a" }', "user-password", True),
    ),
)
def test_a_user_and_a_password_have_a_colon_between_them(scheme: str, secret: str, is_good: bool) -> None:
    feeds = {"some": parse_feed("some", BARE, "x")}
    text = f"[some]\nsecrets = ['user:good-one', '{secret}']\nsignature = {scheme}\n"

    if is_good:
        assert parse_enabled(text, feeds, "f")["some"].secrets[1] == secret
    else:
        with pytest.raises(SettingsError, match="user and password"):
            parse_enabled(text, feeds, "f")
