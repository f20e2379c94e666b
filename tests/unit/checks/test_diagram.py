"""The README's diagram says what the domain does, and all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.domain.evidence import Evidence, Sighting
from service.domain.milestones import RANKED, Milestone, Route
from service.domain.timeline import Timeline, decide
from tests.checks import diagram

pytestmark = pytest.mark.slow  # all evidence there is; `make check` holds the diagram


@pytest.mark.parametrize("route", Route)
def test_the_drawn_steps_give_every_move_that_is_possible_in_order(route: Route) -> None:
    drawn = diagram.steps(route)
    grown = set(drawn)
    for skipped in [code for code in RANKED if code in diagram.missable(route)] * len(RANKED):
        grown |= {(one, other) for one, via in grown for start, other in grown if via is start is skipped}

    assert grown == diagram.moves(route, late=False)
    assert len(drawn) < len(grown)


def test_on_the_route_through_a_hub_nobody_skips_the_processing_or_the_export() -> None:
    assert diagram.missable(Route.OMNIRPS) == {Milestone.RT, Milestone.RDTPF, Milestone.DS}
    assert diagram.ends(Route.OMNIRPS) == {Milestone.RDBTC, Milestone.RR}


def test_the_first_mile_ends_at_the_sorting_facility() -> None:
    assert diagram.steps(Route.FIRST_MILE_ONLY) == {
        (Milestone.RC, Milestone.RT),
        (Milestone.RT, Milestone.RDTPF),
    }
    assert diagram.ends(Route.FIRST_MILE_ONLY) == {Milestone.RDTPF}


def test_every_status_is_drawn_reached_and_left() -> None:
    text = diagram.mermaid()

    for code in Milestone:
        assert f'({code})" as {code}\n' in text
        assert f"--> {code}" in text
        assert f"\n    {code} --> " in text


def test_the_readme_shows_what_the_domain_does_today() -> None:
    assert diagram.main(["--check"]) == 0


def test_the_diagram_follows_the_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_rejections(evidence: Evidence) -> Timeline:
        kept: dict[Milestone, Sighting] = {
            code: sighting for code, sighting in evidence.earliest.items() if code is not Milestone.RR
        }
        return decide(replace(evidence, earliest=kept))

    before = diagram.section()
    monkeypatch.setattr(diagram, "decide", without_rejections)

    assert "--> RR" in before
    assert "--> RR" not in diagram.section()


@pytest.mark.slow
def test_check_passes_once_written_and_fails_when_anything_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{diagram.BEGIN}\nold\n{diagram.END}\nafter\n", encoding="utf-8")

    assert diagram.main(["--check"], readme) == 1
    assert "--write" in capsys.readouterr().err
    assert diagram.main(["--write"], readme) == 0
    assert diagram.main(["--check"], readme) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{diagram.BEGIN}\n```mermaid\n")
    assert text.endswith(f"\n{diagram.END}\nafter\n")
    readme.write_text(text.replace("RP --> RE", "RP --> RDBTC"), encoding="utf-8")
    assert diagram.main(["--check"], readme) == 1


@pytest.mark.parametrize("text", ("", "no markers", f"{diagram.BEGIN} and no end"))
def test_a_readme_without_the_markers_fails_and_stays_as_it_was(text: str, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")

    assert diagram.main(["--write"], readme) == 1
    assert diagram.main(["--check"], readme) == 1
    assert readme.read_text(encoding="utf-8") == text


def test_another_argument_is_a_usage_error() -> None:
    assert diagram.main([]) == 2
    assert diagram.main(["--help"]) == 2
