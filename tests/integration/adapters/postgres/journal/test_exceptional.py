"""The SQL that asks for exceptions means what the domain means by one."""

from __future__ import annotations

import re
from itertools import product

import psycopg

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.queries import load_queries
from service.domain.exceptional import EXCEPTIONAL_REASONS, is_exceptional
from service.domain.milestones import Reason, Verdict


def test_reconcile_asks_for_the_events_that_are_exceptional(database: str) -> None:
    cases = list(product([*Verdict], [None, *Reason]))
    verdicts, reasons = [verdict.value for verdict, _ in cases], [reason and reason.value for _, reason in cases]

    with psycopg.connect(database) as connection:
        ask = (
            f"SELECT coalesce({LISTS['exceptional']}, false) FROM unnest(%s::text[], %s::text[]) AS h (verdict, reason)"
        )
        said = [answer for (answer,) in connection.execute(ask.encode(), (verdicts, reasons))]

    assert said == [is_exceptional(verdict, reason) for verdict, reason in cases]


def test_the_desk_counts_the_exceptions_that_count_by_their_reason() -> None:
    reasons = re.findall(r"reason = '(\w+)'", load_queries("queues.sql")["in_use"])

    assert reasons == [reason.value for reason in EXCEPTIONAL_REASONS]
