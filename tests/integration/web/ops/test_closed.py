"""What the desk says of returns that were closed: alone, in lists and in files, in every language."""

from __future__ import annotations

import csv
import io

import pytest

from service.web.html.catalogue import LANGUAGES
from tests.integration.application.journal.test_labels import closed, created
from tests.support.api import project, settings_for
from tests.support.journals import ingest
from tests.support.ops import desk, texts

pytestmark = pytest.mark.postgres
WORDS = {
    "en": "Closed: lost",
    "de": "Geschlossen: verloren",
    "fr": "Clôturé : perdu",
    "es": "Cerrada: perdida",
    "ar": "مغلق: مفقود",
}


def test_a_closed_return_says_so_and_why_wherever_it_stands(database: str) -> None:
    ingest(database, [created("R-1", "2026-11-18"), closed("R-1", "2026-11-20"), created("R-2", "2026-11-18", "T-2")])
    project(database)

    for language in LANGUAGES:
        with desk(settings_for(database), "ops", **{"accept-language": language}) as agent:
            alone, listed = texts(agent.get("/ops/returns/R-1")), texts(agent.get("/ops/returns"))
            other = texts(agent.get("/ops/returns/R-2"))
            file = agent.get("/ops/returns.csv").text
        assert WORDS[language] in alone
        assert WORDS[language] not in other
        assert listed.count(WORDS[language]) == 1
        rows = {row["return_id"]: row for row in csv.DictReader(io.StringIO(file, newline=""))}
        assert (rows["R-1"]["closed_at"], rows["R-1"]["closed_reason"]) == ("2026-11-20T12:00:00Z", "lost")
        assert (rows["R-2"]["closed_at"], rows["R-2"]["closed_reason"]) == ("", "")
