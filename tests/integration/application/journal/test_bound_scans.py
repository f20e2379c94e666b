"""Scans of a publisher that is bound to retailers count for claims of those only, whatever comes first.

Each case and order is another label of the same database, with returns of its own, each event a batch of its own.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any, Final

import psycopg
import pytest

from service.wire.judging.publishers import parse_publishers
from service.wire.times import micros
from tests.integration.application.journal.test_labels import closed, created, numbered, scan, told
from tests.support import oracle
from tests.support.journals import TOPICS, VOID, differences, event, ingest_from
from tests.support.oracle import Claim

pytestmark = pytest.mark.postgres

PUBLISHERS: Final = parse_publishers(
    """
[everybody]
topics = ["omnireturns.returns", "omnirps.hub-events", "final-mile.deliveries", "first-mile.scans"]
sources = ["/test"]

[acme]
topics = ["first-mile.scans.acme"]
sources = ["/test"]
retailers = ["acme"]

[zenith]
topics = ["first-mile.scans.zenith"]
sources = ["/test"]
retailers = ["zenith"]

[both]
topics = ["first-mile.scans.both"]
sources = ["/test"]
retailers = ["zenith", "acme"]
""",
    "publishers.toml",
)
BOUND: Final = {"": (), "acme": ("acme",), "zenith": ("zenith",), "both": ("acme", "zenith")}

Document = dict[str, Any]
Message = tuple[str, Document]
"""An event, and by which topic it came."""


def said(document: Document, by: str = "") -> Message:
    """An event, a scan by this publisher."""
    return TOPICS.get(document["type"], "omnirps.hub-events") + (by and f".{by}"), document


def prepared(messages: Sequence[Message], n: int) -> Iterator[Message]:
    """The same of other returns, under another label; a void names the event of its own number."""
    for topic, document in messages:
        (other,) = numbered([document], n)
        if document["type"] == VOID:
            other["data"] = other["data"] | {"id": f"{document['data']['id']}-{n}"}
        yield topic, other


def ingest(database: str, messages: Sequence[Message]) -> None:
    ingest_from(database, messages, publishers=PUBLISHERS)


def in_every_order(database: str, messages: Sequence[Message], most: int = 24) -> None:
    orders = list(permutations(messages))
    chosen = orders[:: max(1, len(orders) // most)]
    for step in zip(*(list(prepared(order, n)) for n, order in enumerate(chosen)), strict=True):
        ingest(database, step)


def parked(database: str) -> int:
    with psycopg.connect(database) as connection:
        return len(connection.execute("SELECT FROM parked").fetchall())


def test_it_does_not_move_a_return_of_another_retailer_and_waits_for_one_of_its_own(database: str) -> None:
    theirs = said(created("R-1", "2026-11-18", retailer="zenith"))
    delivered = said(scan("DELIVERED", "2026-11-20"), "acme")

    in_every_order(database, [theirs, delivered])

    assert told(database) == {"R-1": {("RC", "")}}
    assert parked(database) == 2
    assert shown_to_others(database) == []
    assert differences(database) == []

    for n in range(2):
        ingest(database, list(prepared([said(created("R-2", "2026-11-19"))], n)))

    assert told(database) == {
        "R-1": {("RC", "tracking_number_in_use")},
        "R-2": {("RDTPF", "tracking_number_in_use")},
    }
    assert parked(database) == 0
    assert differences(database) == []


def test_an_earlier_claim_of_another_retailer_takes_nothing_from_it(database: str) -> None:
    in_every_order(
        database,
        [
            said(created("R-1", "2026-11-18", retailer="zenith")),
            said(created("R-2", "2026-11-19")),
            said(scan("COLLECTED", "2026-11-20"), "acme"),
            said(scan("DELIVERED", "2026-11-21")),
        ],
    )

    # What is said for all goes to the earlier claim's retailer alone, as ever.
    assert told(database) == {
        "R-1": {("RDTPF", "tracking_number_in_use")},
        "R-2": {("RT", "tracking_number_in_use")},
    }
    assert differences(database) == []


def test_the_same_words_by_a_bound_publisher_and_by_another_are_both_heard(database: str) -> None:
    delivered = scan("DELIVERED", "2026-11-21")

    in_every_order(
        database,
        [
            said(created("R-1", "2026-11-18", retailer="zenith")),
            said(created("R-2", "2026-11-19")),
            said(delivered, "acme"),
            said(delivered),
        ],
    )

    assert told(database) == {
        "R-1": {("RDTPF", "tracking_number_in_use")},
        "R-2": {("RDTPF", "tracking_number_in_use")},
    }
    assert differences(database) == []


def test_a_creation_that_made_it_a_retailer_s_and_was_a_mistake_leaves_nothing(database: str) -> None:
    mistake = event(
        VOID, "void", "20:00", return_id="R-1", source="/test", id="R-1-theirs", by="ops", reason="not theirs"
    )
    in_every_order(
        database,
        [
            said(created("R-1", "2026-11-18", id_="theirs", retailer="zenith")),
            said(created("R-1", "2026-11-19")),
            said(scan("COLLECTED", "2026-11-20"), "acme"),
            said(scan("DELIVERED", "2026-11-21"), "zenith"),
            said(mistake),
        ],
    )

    assert told(database) == {"R-1": {("RT", "")}}
    assert differences(database) == []


def test_one_from_before_its_label_says_so_at_its_own_retailer_s_return_only(database: str) -> None:
    in_every_order(
        database,
        [
            said(created("R-1", "2026-11-10", retailer="zenith")),
            said(created("R-2", "2026-11-20")),
            said(scan("COLLECTED", "2026-11-15"), "acme"),
        ],
    )

    assert told(database) == {
        "R-1": {("RC", "tracking_number_in_use")},
        "R-2": {("RC", "before_label tracking_number_in_use")},
    }
    assert differences(database) == []


# Any order of any case: what the oracle says, which knows the words of the contract and nothing of the service.

_SEED: Final = 20_261_126
_CASES: Final = 20  # each in two orders
_DAYS: Final = ("2026-09-01", "2026-09-03", "2026-09-20", "2026-10-04", "2026-10-30", "2026-11-08")


def any_case(dice: random.Random) -> list[Message]:
    """Two to four returns of two retailers under one label; scans by all publishers; endings, conflicts, voids."""
    messages = list[Message]()
    for number in range(dice.choice((2, 2, 3, 4))):
        return_id = f"R-{number}"
        messages.append(any_creation(dice, return_id, "rc", f"0{number}:00"))
        if dice.random() < 0.2:
            messages.append(any_creation(dice, return_id, "again", f"0{number}:30"))
            if dice.random() < 0.5:
                target = f"{return_id}-{dice.choice(('rc', 'again'))}"
                about = {"return_id": return_id, "source": "/test", "id": target, "by": "ops", "reason": "wrong"}
                messages.append(said(event(VOID, f"{return_id}-void", "20:00", **about)))
        if dice.random() < 0.2:
            messages.append(said(closed(return_id, dice.choice(_DAYS))))
    for number in range(dice.choice((2, 3, 4))):
        document = scan(dice.choice(("COLLECTED", "IN_TRANSIT", "DELIVERED")), dice.choice(_DAYS), f"1{number}:00")
        publishers = dice.sample(sorted(BOUND), dice.choice((1, 1, 2)))
        messages += [said(document, by) for by in publishers]
    return messages


def any_creation(dice: random.Random, return_id: str, id_: str, time: str) -> Message:
    """No two returns are created at one time: whose claim is the earlier would be a matter of which was known first."""
    day = dice.choice(_DAYS)
    document = created(return_id, day, id_=id_, retailer=dice.choice(("acme", "zenith")))
    return said(document | {"time": f"{day}T{time}:00Z"})


Seen = dict[str, dict[str, tuple[int, str]]]


def expected(messages: Sequence[Message]) -> tuple[Seen, set[str]]:
    """By return: when and by which event carriers had it and delivered it; and those that have scans from before their label."""
    creations = defaultdict[str, list[tuple[int, str, str]]](list)
    voided, ends = set[str](), dict[str, int]()
    for _, document in messages:
        id_, data = document["id"], document["data"]
        if document["type"] == VOID:
            voided.add(data["id"])
        elif "return.created" in document["type"]:
            creations[data["return_id"]].append((at(document), id_, data["retailer"]))
        elif "return.closed" in document["type"]:
            ends[data["return_id"]] = at(document)
    claims = dict[str, Claim]()
    for number, (return_id, made) in enumerate(sorted(creations.items())):
        left = [each for each in made if each[1] not in voided]
        can_be = len({retailer for *_, retailer in made}) > 1 and left
        since, _, retailer = min(left if can_be else made)
        claims[return_id] = Claim(since, number, retailer, ends.get(return_id))
    names, seen, early = sorted(creations), defaultdict[str, dict[str, tuple[int, str]]](dict), set[str]()
    for topic, document in messages:
        if "carrier.scanned" not in document["type"]:
            continue
        retailers = BOUND[topic.removeprefix("first-mile.scans").removeprefix(".")]
        numbers, is_early = oracle.concerns(at(document), list(claims.values()), retailers)
        code = "RDTPF" if document["data"]["code"] == "DELIVERED" else "RT"
        for return_id in (names[number] for number in numbers):
            if is_early:
                early.add(return_id)
            else:
                sighting = at(document), document["id"]
                seen[return_id][code] = min(sighting, seen[return_id].get(code, sighting))
    return {return_id: seen[return_id] for return_id in names}, early


def at(document: Document) -> int:
    return micros(document["time"])


def found(database: str) -> tuple[Seen, set[str]]:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            """SELECT DISTINCT ON (return_no) return_id, state -> 'm', coalesce((state ->> 'f')::int, 0)
            FROM history JOIN returns USING (return_no) ORDER BY return_no, seq DESC"""
        ).fetchall()
    seen = {
        return_id: {code: (m[code][0], m[code][2]) for code in ("RT", "RDTPF") if code in m} for return_id, m, _ in rows
    }
    return seen, {return_id for return_id, _, flags in rows if flags & 1 << 16}


def shown_to_others(database: str) -> list[Any]:
    """Scans in histories of returns that were never of a retailer of theirs."""
    with psycopg.connect(database) as connection:
        return connection.execute(
            """SELECT return_no, id, retailers FROM history WHERE retailers IS NOT NULL AND NOT EXISTS (
                SELECT FROM history AS made WHERE made.return_no = history.return_no
                AND made.data ->> 'retailer' = ANY (string_to_array(history.retailers, ','))
            )"""
        ).fetchall()


def test_any_case_in_any_order_comes_to_what_the_contract_says(database: str) -> None:
    dice = random.Random(_SEED)
    orders, seen, early = list[list[Message]](), Seen(), set[str]()
    for _ in range(_CASES):
        case = any_case(dice)
        for _ in range(2):
            dice.shuffle(case)
            order = list(prepared(case, len(orders)))
            its, late = expected(order)
            seen |= its
            early |= late
            orders.append(order)

    for step in range(max(map(len, orders))):
        ingest(database, [order[step] for order in orders if step < len(order)])

    assert shown_to_others(database) == []
    there, there_early = found(database)
    assert {name: there[name] for name in seen if there[name] != seen[name]} == {}, _SEED
    assert there_early == early
    assert differences(database) == []
