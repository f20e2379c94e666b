"""Names of topics and prefixes of names, in settings and in the file of publishers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.topic_names import covers, is_prefix, overlap, pattern, several

TOPICS = st.text("ab.", min_size=1, max_size=4)
ENTRIES = st.builds(str.__add__, TOPICS, st.sampled_from(("", "*")))


def test_only_an_asterisk_at_the_end_stands_for_more() -> None:
    assert [covers("a.*", "a.b"), covers("a.*", "a."), covers("a.", "a.")] == [True] * 3
    assert [covers("a.*", "a"), covers("a", "a.b"), covers("a", "A")] == [False] * 3


@given(entries=st.lists(ENTRIES, min_size=1, max_size=4), topic=TOPICS)
def test_the_pattern_means_what_the_entries_mean(entries: list[str], topic: str) -> None:
    found = re.compile(pattern(entries)).match(topic)

    assert (found is not None) == any(covers(entry, topic) for entry in entries)


@given(one=ENTRIES, other=ENTRIES, topic=TOPICS)
def test_entries_that_mean_one_topic_overlap(one: str, other: str, topic: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, other) or not (covers(one, topic) and covers(other, topic))
    if overlap(one, other):
        shared = max((each.removesuffix("*") for each in (one, other)), key=len)
        assert covers(one, shared)
        assert covers(other, shared)


def test_several_are_separated_by_commas() -> None:
    assert several(" scans , scans.* ") == "scans,scans.*"
    assert [is_prefix(each) for each in ("scans", "scans.*")] == [False, True]


@pytest.mark.parametrize("text", ("", "a,", ",a", "a**", "a*b", "a b", "*", "a;b", "x" * 250))
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names of topics are expected"):
        several(text)
