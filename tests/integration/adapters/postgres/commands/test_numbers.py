"""Tracking numbers from a carrier's range, on a real database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest

from service.adapters.postgres.commands.creations import PostgresCreations
from service.adapters.postgres.reading.returns import open_pool
from service.application.commands.creation import Creation, NumbersExhausted
from service.wire.numbering.ranges import parse_ranges
from tests.support.journals import creation, ingest
from tests.support.roles import user

_NAMES = count(1)


def file(first: str, last: str, *more: tuple[str, str]) -> str:
    return "\n".join(
        f'[[range]]\ncarrier = "generic"\ncheck = "none"\nprefix = "G"\nfirst = "{a}"\nlast = "{b}"'
        for a, b in ((first, last), *more)
    )


def made(number: str) -> Creation:
    return Creation(b"same", f"R-{next(_NAMES)}", number.encode())


def take(database: str, text: str, times: int = 1) -> list[str]:
    with open_pool(database, 1) as pool:
        creations = PostgresCreations(pool, parse_ranges(text, "x"))
        return [creations.take_number("generic") for _ in range(times)]


def test_several_processes_at_once_give_each_number_once_and_leave_none_out(database: str) -> None:
    """Each with a pool of its own, as processes have them; half of them for requests that come twice."""
    together = threading.Barrier(6)

    def work(process: int) -> list[str]:
        with open_pool(database, 2) as pool:
            creations = PostgresCreations(pool, parse_ranges(file("0000", "9999"), "x"))
            together.wait()
            taken = []
            for turn in range(20):
                if process % 2:
                    taken.append(creations.take_number("generic"))
                else:  # the other two with the same key are the same request
                    kept = creations.keep_numbered(None, f"k-{turn}", "generic", made)
                    assert kept is not None
                    taken.append(kept.event.decode())
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [future.result() for future in [pool.submit(work, process) for process in range(6)]]

    assert taken[0] == taken[2] == taken[4]
    numbers = [*taken[0], *taken[1], *taken[3], *taken[5]]
    assert sorted(numbers) == [f"G{serial:04}" for serial in range(80)]


def test_a_range_goes_on_in_the_next_and_then_nothing_is_left(database: str) -> None:
    text = file("01", "02", ("05", "05"))

    assert take(database, text, 3) == ["G01", "G02", "G05"]
    with pytest.raises(NumbersExhausted, match="no tracking number is left in the ranges of generic"):
        take(database, text)
    assert take(database, file("01", "02", ("05", "06"))) == ["G06"]


def test_no_number_comes_twice_whatever_becomes_of_the_file(database: str) -> None:
    first = take(database, file("10", "19"), 2)
    overlapping = take(database, file("10", "19").replace('"G"', '"G1"').replace('"10"', '"0"').replace('"19"', '"9"'))
    earlier = take(database, file("00", "19"))

    assert first == ["G10", "G11"]
    assert overlapping == ["G12"]  # G1 and one digit: the same text
    assert earlier == ["G13"]


def test_a_number_that_is_on_somebodys_label_is_left_out(database: str) -> None:
    ingest(database, [creation(tracking_number="T-1")])

    ranged = '[[range]]\ncarrier = "generic"\ncheck = "none"\nprefix = "T-"\nfirst = "1"\nlast = "3"'

    assert take(database, ranged, 2) == ["T-2", "T-3"]


def test_a_range_that_others_use_up_is_said_to_be_wrong(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO numbers_given SELECT 'generic', 'G' || lpad(n::text, 5, '0') FROM generate_series(0, 2000) n"
        )

    with pytest.raises(NumbersExhausted, match="1,000 numbers in a row"):
        take(database, file("00000", "99999"))


def test_a_request_that_fails_takes_no_number(database: str) -> None:
    with open_pool(database, 1) as pool:
        creations = PostgresCreations(pool, parse_ranges(file("00", "99"), "x"))
        ingest(database, [creation("R-7")])

        refused = creations.keep_numbered(None, "k", "generic", lambda n: Creation(b"", "R-7", n.encode()))

        assert refused is None
        assert creations.take_number("generic") == "G00"


def test_the_webs_role_may_give_numbers_and_note_what_became_of_a_return(database: str) -> None:
    with user(database, "returns_web") as url, open_pool(url, 1) as pool:
        creations = PostgresCreations(pool, parse_ranges(file("00", "99"), "x"))

        creations.keep_numbered(None, "k", "generic", made)
        creations.is_published(None, "k")
        creations.is_cancelled("k")
        kept = creations.known(None, "k")

    assert kept is not None
    assert (kept.event, kept.published, kept.cancelled) == (b"G00", True, True)
    with open_pool(database, 1) as pool:
        assert PostgresCreations(pool, parse_ranges("", "x")).created(kept.return_id) == kept
