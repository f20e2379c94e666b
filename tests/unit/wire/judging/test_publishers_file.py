"""The file that RETURNS_PUBLISHERS names: what it comes to, what is wrong with it, and what is told of it to publishers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from service.errors import InvalidEvent, SettingsError
from service.wire import models
from service.wire.judging.publishers import Publisher, Publishers, load_publishers, parse_publishers
from service.wire.record import Record

DEPOT = models.HUB_DEPOT_SCANNED


def told(publishers: Publishers, topic: str = "t", source: str = "/s", **data: str) -> list[tuple[str, str]]:
    """What is said against a depot scan."""
    record = Record(topic, 0, 0, 0, None, b"", ())
    with pytest.raises(InvalidEvent) as caught:
        publishers.require(record, DEPOT, source, {"return_id": "R-1", "hub": "akl-1", **data}, None)
    assert caught.value.reason == "not_allowed"
    return list(caught.value.faults)


def of_hubs(name: str, hubs: Sequence[str], return_ids: tuple[str, ...] | None = None) -> Publisher:
    return Publisher(name, ("t",), ("/s",), named={"hub": frozenset(hubs)}, return_ids=return_ids)


def test_of_several_publishers_that_may_not_say_it_the_one_that_lacks_least_is_told_the_first_of_such() -> None:
    far, near, as_near = of_hubs("far", ["a"], ("NZ-",)), of_hubs("near", ["b"]), of_hubs("as-near", ["c"])
    expected = [("data.hub", "near may name b")]

    assert told(Publishers([far, near, as_near])) == expected
    assert told(Publishers([near, as_near, far])) == expected


def test_a_stranger_is_told_whose_topic_it_is_or_that_it_is_nobodys() -> None:
    publishers = Publishers([of_hubs("one", ["a"]), Publisher("two", ("*",), ("/b", "/a"))])

    assert told(publishers, source="/x") == [("source", "on this topic it begins with /a, /b, /s")]
    assert told(publishers, "u", "/s") == [("source", "on this topic it begins with /a, /b")]
    assert told(Publishers([of_hubs("one", ["a"])]), "u") == [
        ("source", "nobody may write this topic: RETURNS_PUBLISHERS names no publisher of it")
    ]


@pytest.mark.parametrize(("hubs", "more"), ((9, ""), (10, ""), (11, " and 1 more"), (25, " and 15 more")))
def test_of_what_is_allowed_ten_names_are_told_and_how_many_there_are_beside_them(hubs: int, more: str) -> None:
    names = [f"h{n:02}" for n in range(hubs)]

    assert told(Publishers([of_hubs("one", names)])) == [("data.hub", f"one may name {', '.join(names[:10])}{more}")]


@pytest.mark.parametrize(
    ("text", "said"),
    (
        ("[a", "f: "),
        ("a = 1", "f: a: a table is expected"),
        ("[a]\nsource = ['/x']", "f: a: unknown key 'source'"),
        ("[a]\nsources = ['/x']", r"f: a\.topics"),
        ("[a]\ntopics = 't'\nsources = ['/x']", r"f: a\.topics: a list of texts"),
        ("[a]\ntopics = [1]\nsources = ['/x']", r"f: a\.topics: a list of texts"),
        ("[a]\ntopics = ['']\nsources = ['/x']", r"f: a\.topics: a list of texts"),
        ("[a]\ntopics = ['a*b']\nsources = ['/x']", r"f: a\.topics"),
        ("[a]\ntopics = ['t']", r"f: a\.sources"),
        ("[a]\ntopics = ['t']\nsources = []", r"f: a\.sources"),
        ("[a]\ntopics = ['t']\nsources = ['/x']\nhubs = 'akl'", r"f: a\.hubs"),
        ("[a]\ntopics = ['t']\nsources = ['/x']\nretailers = ['a,b']", r"f: a\.retailers: names of retailers"),
        ("[a]\ntopics = ['t']\nsources = ['/x']\ntypes = ['created']", r"f: a\.types: created: there are com\."),
        ("[a]\ntopics = ['t']\nsources = ['/x']\ntypes = 'created'", r"f: a\.types: a list of texts"),
        ("[a]\ntopics = ['t']\nsources = ['/x']\nreturn_ids = []", r"f: a\.return_ids: a list of texts"),
        ("[a]\ntopics = ['t']\nsources = ['/x']\nvoids = 'all'", r"f: a\.voids: one of own, any"),
    ),
)
def test_a_file_that_is_wrong_says_where(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_publishers(text, "f")


def test_a_file_is_read_from_its_place_which_is_named_where_it_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "publishers.toml"
    file.write_text("[a]\ntopics = ['hub-events']\nsources = ['/x']\n", encoding="utf-8")

    assert load_publishers(file).unnamed(["hub-events", "returns"]) == ["returns"]
    file.write_text("[a]\ntopics = ['hub-events']\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_publishers(file)
    assert str(caught.value).startswith(f"{file}: a.sources: ")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_publishers(tmp_path / "none.toml")
