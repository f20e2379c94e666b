"""Names of topics, and prefixes of names that end in an asterisk."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

NAME: Final = r"[A-Za-z0-9._-]{1,249}"
_SEVERAL: Final = re.compile(rf"{NAME}\*?(,{NAME}\*?)*").fullmatch


def several(text: str) -> str:
    """Names and prefixes, separated by commas, without white space around them. Raises ValueError.

    >>> several("scans, scans.*")
    'scans,scans.*'
    """
    found = ",".join(each.strip() for each in text.split(","))
    if not _SEVERAL(found):
        raise ValueError("names of topics are expected, or prefixes that end in *, separated by commas")
    return found


def is_prefix(entry: str) -> bool:
    return entry.endswith("*")


def covers(entry: str, topic: str) -> bool:
    """Whether a topic is meant by a name, or by a prefix that ends in an asterisk.

    >>> covers("scans.*", "scans.nzpost"), covers("scans", "scans.nzpost")
    (True, False)
    """
    return topic.startswith(entry[:-1]) if is_prefix(entry) else topic == entry


def overlap(one: str, other: str) -> bool:
    """Whether a topic may be meant by both.

    >>> overlap("scans.*", "scans.nz*"), overlap("scans.*", "scans")
    (True, False)
    """
    if is_prefix(one) and is_prefix(other):
        return one.startswith(other[:-1]) or other.startswith(one[:-1])
    return covers(one, other) or covers(other, one)


def pattern(entries: Iterable[str]) -> str:
    """A regular expression that matches the topics that the entries mean, from beginning to end, and no others."""
    return "|".join(f"{re.escape(e[:-1])}.*$" if is_prefix(e) else f"{re.escape(e)}$" for e in entries)
