"""The composition of the commands that mend, and of the one that tells whether anything is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple

from service.adapters.kafka.fetching.bodies import KafkaBodies
from service.adapters.kafka.publishing.outputs import KafkaOutputs
from service.adapters.kafka.publishing.sink import KafkaSink
from service.adapters.kafka.publishing.standing import read_position
from service.adapters.postgres.access.command_log import note_command
from service.adapters.postgres.database import connect
from service.adapters.postgres.journal.histories import open_histories
from service.adapters.postgres.journal.letters import MendingJournal
from service.adapters.postgres.journal.sides import open_sides
from service.application.access.audit import Action
from service.application.commands.resending import Correcting, Correction, Fetching
from service.application.journal import reconcile
from service.application.journal.ingest import Parser
from service.application.journal.labels.mending import mend_claims
from service.application.journal.reassess import Reassessed, reassess
from service.application.journal.reconcile import Summary
from service.application.journal.remap import Order, Remapped, remap
from service.application.journal.replay import Pace, Selection, Tally, replay
from service.application.journal.verify import Checked, verify
from service.application.journal.verify_topics import check_topics
from service.config import Settings
from service.runtime.lifecycle import Stop
from service.wiring.outputs import output_topics, sink_options
from service.wiring.parts import carrier_tables, database, parser, rules

_LEAD_SECONDS: Final = 30.0  # a relay that refuses has the lead for a moment, now and then


class StopClock(NamedTuple):
    """`replay.Clock`: waits no longer than until asked to stop."""

    stop: Stop

    def now(self) -> float:
        """Seconds, of no epoch."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until asked to stop; whether it was."""
        return self.stop.wait(seconds)


def verify_journal(settings: Settings, *, topics: bool = False) -> tuple[Checked, list[str]]:
    """Compare what is stored with what the events say, and the output topics with it; how much, and the differences."""
    differences: list[str] = []
    with open_histories(database(settings), rules(settings)) as histories:
        checked = verify(histories, differences)
    if topics:
        differences += verify_topics(settings)
    return checked, differences


def verify_topics(settings: Settings, limit: int = 100) -> list[str]:
    """How the output topics differ from the journal, up to what the relay says that it has published."""
    outputs = KafkaOutputs(settings)
    with closing(outputs), open_sides(database(settings), carrier_tables(settings), "returns-verify") as sides:
        position = read_position(settings, sink_options(settings), output_topics(settings))
        reconcile.read_topics(outputs, sides, lambda _: None)
        sides.note_exceptions(outputs.exceptions())
        return list(islice(check_topics(sides, position, outputs.kept_since(letters=False)), limit))


def reconcile_topics(
    settings: Settings,
    stop: Stop,
    *,
    dry_run: bool,
    wait: bool,
    say: Callable[[str], object],
    tell: Callable[[str], object],
    warn: Callable[[str], object],
) -> Summary | None:
    """Make subscribers and the journal agree; None where it was asked to stop before it began.

    `say` gets a line a return, `tell` how far it is, `warn` what must not be missed.
    """
    topics, outputs = output_topics(settings), KafkaOutputs(settings)
    with closing(outputs), open_sides(database(settings), carrier_tables(settings), "returns-reconcile") as sides:
        ends, warned = outputs.input_ends(), False
        while missing := sides.missing(ends):
            left = ", ".join(f"{records:,} of {topic}" for topic, records in sorted(missing.items()))
            if dry_run or not wait:
                warn(f"not ingested yet, and not counted here: {left}")
                break
            (tell if warned else warn)(f"waiting until workers have ingested {left}")
            warned = True
            if stop.wait(1):
                return None
        if dry_run:
            reconcile.read_topics(outputs, sides, tell)
            return reconcile.dry_run(outputs, sides, topics, datetime.now(UTC), say)
        sides.lead(_LEAD_SECONDS)
        with closing(KafkaSink(settings, sink_options(settings), topics, lambda: None)) as sink:
            reconcile.read_topics(outputs, sides, tell)
            return reconcile.reconcile(outputs, sides, sink, topics, datetime.now(UTC), say, tell)


def replay_letters(
    settings: Settings,
    selection: Selection,
    pace: Pace,
    tally: Tally,
    stop: Stop,
    tell: Callable[[Tally], object],
    correction: Correction | None = None,
) -> None:
    """Send dead letters through again, counting in `tally`, until all are tried or asked to stop."""
    tables = carrier_tables(settings)
    if not pace.dry_run:
        _note_replay(settings, selection, correction)
    understood: Parser = parser(settings, tables)
    if correction is not None:
        understood = Correcting(understood, correction.changes)
    with (
        closing(KafkaBodies(settings)) as bodies,
        closing(MendingJournal(database(settings), tables, "returns-replay", rules=rules(settings))) as letters,
    ):
        replay(letters, Fetching(understood, bodies), selection, pace, tally, StopClock(stop), tell)


def _note_replay(settings: Settings, selection: Selection, correction: Correction | None) -> None:
    numbers = selection.letter_nos
    with connect(database(settings), "returns-replay") as connection:
        if correction is None:
            note_command(connection, Action.REPLAY, str(numbers[0]) if len(numbers) == 1 else None)
            return
        for number in numbers:
            note_command(connection, Action.REPLAY, str(number), correction.noted())


def reassess_returns(
    settings: Settings, stop: Stop, *, dry_run: bool, say: Callable[[str], object], tell: Callable[[str], object]
) -> Reassessed:
    """Decide anew what other rules decided, until all of it is done or asked to stop."""
    tables = carrier_tables(settings)
    journal = MendingJournal(database(settings), tables, "returns-reassess", rules=rules(settings))
    with closing(journal):
        now = datetime.now(UTC)
        return reassess(journal, now, dry_run=dry_run, say=say, should_stop=lambda: bool(stop), tell=tell)


def mend_label_claims(
    settings: Settings, stop: Stop, *, dry_run: bool, say: Callable[[str], object], tell: Callable[[str], object]
) -> int:
    """Bring what is kept of labels' claims in line with the histories, until all is or asked to stop; how many were wrong."""
    found = rules(settings)
    journal = MendingJournal(database(settings), carrier_tables(settings), "returns-reassess", rules=found)
    with closing(journal), open_histories(database(settings), found) as histories:
        now = datetime.now(UTC)
        return mend_claims(histories, journal, now, dry_run=dry_run, say=say, should_stop=lambda: bool(stop), tell=tell)


def remap_scans(settings: Settings, order: Order, stop: Stop, tell: Callable[[int, int], object]) -> list[Remapped]:
    """Re-evaluate unmapped scans by the tables of today, until all are done or asked to stop."""
    tables = carrier_tables(settings)
    with closing(MendingJournal(database(settings), tables, "returns-remap", rules=rules(settings))) as scans:
        return remap(scans, tables, order, lambda: bool(stop), tell)
