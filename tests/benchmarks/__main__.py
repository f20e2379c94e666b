"""`make bench`, or `python -m tests.benchmarks [ingest] [--returns N] [--repeats N]`: a table, and .local/bench.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.benchmarks import ingest
from tests.benchmarks.bed import Bed
from tests.benchmarks.measure import machine, spread

OUTPUT = Path(".local/bench.json")


def main() -> None:
    """Measure what is asked for, everything by default."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    options.add_argument("what", nargs="*", default=["ingest"], help="ingest")
    options.add_argument("--returns", type=int, default=30_000, help="size of the simulated world")
    options.add_argument("--repeats", type=int, default=5, help="runs of each, in turn")
    arguments = options.parse_args()
    about = machine()
    print(", ".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    report: dict[str, object] = {"machine": about}
    bed = Bed()
    try:
        report["ingest"] = show_ingest(ingest.run(bed, arguments.returns, arguments.repeats))
    finally:
        bed.close()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwritten to {OUTPUT}")


def show_ingest(results: dict[str, list[ingest.Run]]) -> dict[str, object]:
    """Print the table; what of it goes into the JSON."""
    events = results["floor"][0].events
    floor = [run.events / run.sample.seconds for run in results["floor"]]
    print(f"\n{events:,} events; medians of {len(floor)} runs (lowest to highest)\n")
    print(f"{'':<12}{'events/s':>30}{'of the floor':>14}   CPU us/event: worker  postgres  broker")
    report: dict[str, object] = {"events": events}
    for name, runs in results.items():
        rates = [run.events / run.sample.seconds for run in runs]
        rate, low, high = spread(rates)
        ratio = spread(each / base for each, base in zip(rates, floor, strict=True))[0]
        cpu = {
            who: spread(run.sample.cpu.get(who, 0.0) / run.events * 1e6 for run in runs)[0]
            for who in ("worker", "postgres", "broker")
        }
        print(
            f"{name:<12}{f'{rate:,.0f} ({low:,.0f} to {high:,.0f})':>30}{ratio:>14.2f}   "
            f"{cpu['worker']:>20.1f}{cpu['postgres']:>10.1f}{cpu['broker']:>8.1f}"
        )
        steps = {
            step: spread(run.steps[step] / run.events * 1e6 for run in runs)[0]
            for step in sorted({step for run in runs for step in run.steps})
        }
        if steps:
            print(f"{'':<12}by step, us/event: " + ", ".join(f"{step} {us:.1f}" for step, us in steps.items()))
        report[name] = {"events_per_second": rates, "ratio": ratio, "cpu_us": cpu, "steps_us": steps}
    return report


if __name__ == "__main__":
    main()
