from __future__ import annotations

import re

from prometheus_client import generate_latest

from service.errors import CAUSES, Retryable
from service.metrics import Metrics, reference


def test_every_metric_has_its_prefix_a_sentence_and_a_line_in_the_reference() -> None:
    declared = Metrics().declared()

    assert len(declared) >= 15
    for metric in declared:
        family = next(iter(metric.describe()))
        assert re.fullmatch(r"returns_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert f"| `{family.name}" in reference()


def test_two_processes_in_one_do_not_share_their_metrics() -> None:
    one, other = Metrics(), Metrics()

    one.duplicates.labels("first-mile.scans").inc()

    assert b'returns_duplicates_total{topic="first-mile.scans"} 1.0' in generate_latest(one.registry)
    assert b"first-mile.scans" not in generate_latest(other.registry)


def test_a_step_is_timed_even_when_it_fails() -> None:
    metrics = Metrics()

    try:
        with metrics.timed("load"):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass

    assert b'returns_step_seconds_count{step="load"} 1.0' in generate_latest(metrics.registry)


def test_names_are_as_prometheus_has_them() -> None:
    """`promtool check metrics` says the same, where it is to be had: base units, `_total` for counters alone."""
    metrics = Metrics()
    metrics.describe_process("1.2.3")
    for family in metrics.registry.collect():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
        assert family.documentation
        assert not re.search(
            r"(milliseconds|_ms|minutes|hours|kilobytes|_kb|_counter|_gauge|_histogram)(_|$)", family.name
        )
        if family.name.startswith("returns_"):  # these are suffixes that a type brings along
            assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_info"))
        if "seconds" in family.name:
            assert re.search(r"(^|_)seconds($|_without_progress$)", family.name)


def test_what_runs_is_shown_once_it_is_said() -> None:
    metrics = Metrics()
    assert b"returns_build_info{" not in generate_latest(metrics.registry)

    metrics.describe_process("1.2.3")

    shown = generate_latest(metrics.registry)
    assert b'returns_build_info{python="3.' in shown
    assert b'version="1.2.3"} 1.0' in shown
    for name in (
        b"process_resident_memory_bytes ",
        b"process_open_fds ",
        b"python_info{",
        b"python_gc_collections_total",
    ):
        assert name in shown


def test_a_gauge_that_only_some_processes_have_is_shown_by_no_other_and_is_never_0_unasked() -> None:
    relay, other = Metrics(), Metrics()

    relay.show(relay.leads)

    assert b"returns_relay_leads NaN" in generate_latest(relay.registry)
    assert b"returns_relay_leads" not in generate_latest(other.registry)
    assert "| `returns_relay_leads` | gauge |" in reference()


def test_the_causes_of_retries_are_a_closed_set_that_the_reference_names() -> None:
    assert all(f"{cause}" in reference() for cause in CAUSES)
    assert Retryable("x").cause in CAUSES
