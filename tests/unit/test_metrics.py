from __future__ import annotations

import re

from prometheus_client import generate_latest

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
