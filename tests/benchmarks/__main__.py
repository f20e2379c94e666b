"""`make bench`, or `python -m tests.benchmarks [NAME]...`: tables, and .local/bench.json.

Without a name: ingest, relay, latency and read. `events` is the way in over HTTP beside Kafka's own. `memory` takes two million events and some minutes; `search` takes five
million returns, 40 GB of disk for as long as it runs, and half an hour.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.benchmarks import events, ingest, latency, memory, read, relay, report, search
from tests.benchmarks.bed import Bed
from tests.benchmarks.measure import machine

OUTPUT = Path(".local/bench.json")
NAMES = ("ingest", "relay", "latency", "read", "events", "memory", "search")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--returns", type=int, default=60_000, help="size of the simulated world")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each, in turn")
    parser.add_argument("--search-returns", type=int, default=5_000_000, help="size of the database for search")
    parser.add_argument("--search-on", metavar="URL", help="a database that `multiply` filled before, for search")
    parser.add_argument("--rate", type=int, default=500, help="events a second, for latency")
    parser.add_argument("--seconds", type=float, default=40, help="how long, for latency")
    parser.add_argument(
        "--against", type=Path, help="another checkout, to compare ingest, relay and latency with by turns"
    )
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting, for latency")
    arguments = parser.parse_args()
    wanted = arguments.what or NAMES[:4]
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    about = machine()
    print(", ".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    figures: dict[str, object] = {"machine": about}
    bed = Bed()
    try:
        if "ingest" in wanted:
            figures["ingest"] = report.ingest(ingest.run(bed, arguments.returns, arguments.repeats, arguments.against))
        if "relay" in wanted:
            figures["relay"] = report.relay(relay.run(bed, arguments.returns, arguments.repeats, arguments.against))
        if "latency" in wanted:
            settings = dict(each.split("=", 1) for each in arguments.set)
            compared = latency.Compared(arguments.against, arguments.repeats, settings)
            found = latency.run(bed, arguments.rate, arguments.seconds, compared)
            figures["latency"] = report.latency(found, arguments.rate)
        if "read" in wanted:
            figures["read"] = report.read(read.run(bed, min(arguments.seconds, 10), arguments.repeats))
        if "events" in wanted:
            found_events = events.run(bed, min(arguments.returns, 5_000), min(arguments.seconds, 10), arguments.repeats)
            figures["events"] = report.events(found_events)
        if "search" in wanted:
            sizes, calls = search.run(bed, arguments.search_returns, arguments.search_on)
            figures["search"] = report.search(sizes, calls)
        if "memory" in wanted:
            figures["memory"] = report.memory(*memory.run(bed, max(arguments.returns, 220_000)))
    finally:
        bed.close()
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nwritten to {OUTPUT}")


if __name__ == "__main__":
    main()
