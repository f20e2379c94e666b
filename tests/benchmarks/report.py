"""Tables for people, and the same figures for the JSON file."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from tests.benchmarks.events import Run as EventsRun
from tests.benchmarks.ingest import Run
from tests.benchmarks.latency import Run as LatencyRun
from tests.benchmarks.measure import spread
from tests.benchmarks.memory import Reading
from tests.benchmarks.read import Run as ReadRun
from tests.benchmarks.relay import Run as RelayRun
from tests.benchmarks.search import Call

SEARCH_SECONDS = 0.05  # a call that takes longer is marked
_SLOWEST_SHOWN = 8


def ingest(results: Mapping[str, Sequence[Run]]) -> dict[str, object]:
    """Events per second beside the floor, and where the CPU time goes."""
    events = results["floor"][0].events
    floor = [run.events / run.sample.seconds for run in results["floor"]]
    print(f"\ningest: {events:,} events; medians of {len(floor)} runs (lowest to highest)\n")
    print(f"{'':<20}{'events/s':>30}{'of the floor':>14}   CPU us/event: worker  postgres  broker")
    figures: dict[str, object] = {"events": events}
    for name, runs in results.items():
        rates = [run.events / run.sample.seconds for run in runs]
        ratio = spread(each / base for each, base in zip(rates, floor, strict=True))[0]
        cpu = {
            who: spread(run.sample.cpu.get(who, 0.0) / run.events * 1e6 for run in runs)[0]
            for who in ("worker", "postgres", "broker")
        }
        print(
            f"{name:<20}{_spread(rates):>30}{ratio:>14.2f}   "
            f"{cpu['worker']:>20.1f}{cpu['postgres']:>10.1f}{cpu['broker']:>8.1f}"
        )
        steps = {
            step: spread(run.steps.get(step, 0.0) / run.events * 1e6 for run in runs)[0]
            for step in sorted({step for run in runs for step in run.steps})
        }
        if steps:
            print(f"{'':<20}by step, us/event: " + ", ".join(f"{step} {us:.1f}" for step, us in steps.items()))
        figures[name] = {"events_per_second": rates, "ratio": ratio, "cpu_us": cpu, "steps_us": steps}
    return figures


def relay(results: Mapping[str, Sequence[RelayRun]]) -> dict[str, object]:
    """Messages per second beside the bare producers."""
    bare = [run.messages / run.sample.seconds for run in results["bare producer"]]
    messages = results["relay"][0].messages
    print(f"\nrelay: {messages:,} messages; medians of {len(bare)} runs (lowest to highest)\n")
    print(f"{'':<20}{'messages/s':>30}{'of the bare producer':>22}")
    figures: dict[str, object] = {"messages": messages}
    for name, runs in results.items():
        rates = [run.messages / run.sample.seconds for run in runs]
        ratio = spread(each / base for each, base in zip(rates, bare, strict=True))[0]
        cpu = {
            who: spread(run.sample.cpu.get(who, 0.0) / messages * 1e6 for run in runs)[0] for who in runs[0].sample.cpu
        }
        shown = ", ".join(f"{who} {us:.1f}" for who, us in cpu.items())
        print(f"{name:<20}{_spread(rates):>30}{ratio:>22.2f}   CPU us/message: {shown}")
        figures[name] = {"messages_per_second": rates, "ratio": ratio, "cpu_us": cpu}
    return figures


def latency(results: Mapping[str, Sequence[LatencyRun]], rate: int) -> dict[str, object]:
    """Percentiles in milliseconds, and CPU in cores; medians where there are several runs, and how they compare."""
    print(f"\nlatency at {rate} events/s, from Kafka's acknowledgement of the event to the subscriber\n")
    print(
        f"{'':<12}{'messages':>10}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'worst ms':>10}{'batches/s':>12}   CPU, cores"
    )
    figures: dict[str, object] = {"rate": rate}
    middles: dict[str, dict[str, float]] = {}
    for name, runs in results.items():
        every: list[dict[str, float]] = []
        for run in runs:
            cuts = statistics.quantiles(run.took, n=100)
            p50, p95, p99 = (cuts[each] * 1000 for each in (49, 94, 98))
            cores = {"all": sum(run.cores.values()), **run.cores} if run.cores else {}
            shown = ", ".join(f"{who} {cpu:.2f}" for who, cpu in cores.items())
            print(
                f"{name:<12}{len(run.took):>10,}{p50:>10.1f}{p95:>10.1f}{p99:>10.1f}{max(run.took) * 1000:>10.1f}"
                f"{run.batches:>12.1f}   {shown}"
            )
            if run.stages:
                shown = ", ".join(f"{stage} {statistics.median(took) * 1000:.1f}" for stage, took in run.stages.items())
                print(f"{'':<12}medians, ms: {shown}")
            if run.steps:
                shown = ", ".join(f"{step} {seconds * 1000:.1f}" for step, seconds in run.steps.items())
                print(f"{'':<12}a batch, ms: {shown}")
            every.append({"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "cores": cores.get("all", 0.0)})
        middles[name] = {key: statistics.median(each[key] for each in every) for key in every[0]}
        figures[name] = {"messages": sum(len(run.took) for run in runs), **middles[name], "runs": every}
    if "before" in middles:
        ratios = {key: middles["service"][key] / middles["before"][key] for key in middles["before"]}
        print("\nof before (medians): " + ", ".join(f"{key} {ratio:.2f}" for key, ratio in ratios.items()))
        figures["of_before"] = ratios
    return figures


def read(results: Mapping[str, Sequence[ReadRun]]) -> dict[str, object]:
    """Requests per second beside the bare route, and who took the CPU."""
    bare = [run.per_second for run in results["SELECT 1"]]
    print(f"\nread: GET /v1/returns/{{return_id}}; medians of {len(bare)} runs (lowest to highest)\n")
    print(f"{'':<12}{'requests/s':>26}{'of the bare':>12}{'p50 ms':>8}{'p99 ms':>8}   CPU: client  server  postgres")
    figures: dict[str, object] = {}
    for name, runs in results.items():
        rates = [run.per_second for run in runs]
        ratio = spread(each / base for each, base in zip(rates, bare, strict=True))[0]
        cuts = [statistics.quantiles(run.seconds, n=100) for run in runs]
        p50, p99 = (spread(cut[each] * 1000 for cut in cuts)[0] for each in (49, 98))
        cpu = {who: spread(run.cpu[who] for run in runs)[0] for who in ("client", "server", "postgres")}
        print(
            f"{name:<12}{_spread(rates):>26}{ratio:>12.2f}{p50:>8.1f}{p99:>8.1f}"
            f"{cpu['client']:>14.2f}{cpu['server']:>8.2f}{cpu['postgres']:>10.2f}"
        )
        figures[name] = {"per_second": rates, "ratio": ratio, "p50_ms": p50, "p99_ms": p99, "cpu": cpu}
    return figures


def events(results: Mapping[str, Sequence[EventsRun]]) -> dict[str, object]:
    """Events a second over HTTP beside the same straight to Kafka, and who took the CPU."""
    bare = [run.per_second for run in results["straight to Kafka"]]
    print(f"\nevents: POST /v1/events; medians of {len(bare)} runs (lowest to highest)\n")
    print(
        f"{'':<20}{'events/s':>28}{'of Kafka':>10}{'p50 ms':>8}{'p99 ms':>8}   CPU us/event: client  server  broker  postgres"
    )
    figures: dict[str, object] = {}
    for name, runs in results.items():
        rates = [run.per_second for run in runs]
        ratio = spread(each / base for each, base in zip(rates, bare, strict=True))[0]
        cuts = [statistics.quantiles(run.seconds, n=100) for run in runs if len(run.seconds) > 1]
        p50, p99 = (spread(cut[each] * 1000 for cut in cuts)[0] if cuts else 0.0 for each in (49, 98))
        who = ("client", "server", "broker", "postgres")
        cpu = {each: spread(run.cpu[each] / run.per_second * 1e6 for run in runs)[0] for each in who}
        print(
            f"{name:<20}{_spread(rates):>28}{ratio:>10.2f}{p50:>8.1f}{p99:>8.1f}"
            f"{cpu['client']:>23.1f}{cpu['server']:>8.1f}{cpu['broker']:>8.1f}{cpu['postgres']:>10.1f}"
        )
        figures[name] = {"per_second": rates, "ratio": ratio, "p50_ms": p50, "p99_ms": p99, "cpu_us": cpu}
    return figures


def search(sizes: Mapping[str, int], calls: Sequence[Call]) -> dict[str, object]:
    """The slowest call of each kind and what it went by; all of them in the file."""
    print("\nsearch: " + ", ".join(f"{number:,} {table}" for table, number in sizes.items()))
    print(f"{len(calls):,} calls; of each kind those with the highest medians\n")
    print(f"{'':<78}{'median ms':>10}{'worst ms':>10}   by")
    kinds: dict[str, list[Call]] = {}
    for call in calls:
        kinds.setdefault(call.name.partition(":")[0], []).append(call)
    for of_kind in kinds.values():
        for call in sorted(of_kind, key=lambda call: call.median, reverse=True)[:_SLOWEST_SHOWN]:
            mark = " !" if call.median > SEARCH_SECONDS else ""
            by = ", ".join([*call.indexes, *(f"all of {table}" for table in call.scans)])
            print(f"{call.name:<78}{call.median * 1000:>10.1f}{max(call.seconds) * 1000:>10.1f}   {by}{mark}")
    slow = [call.name for call in calls if call.median > SEARCH_SECONDS]
    medians = [call.median for call in calls]
    print(
        f"\nmedian of all: {statistics.median(medians) * 1000:.1f} ms; highest: {max(medians) * 1000:.1f} ms; "
        f"over {SEARCH_SECONDS * 1000:.0f} ms (!): {len(slow)}"
    )
    details = [
        {
            "call": c.name,
            "median_ms": c.median * 1000,
            "ms": [s * 1000 for s in c.seconds],
            "by": c.indexes,
            "all_of": c.scans,
        }
        for c in calls
    ]
    return {"rows": dict(sizes), "slow": slow, "calls": details}


def memory(events: int, readings: Sequence[Reading]) -> dict[str, object]:
    """Resident memory after a minute, and the most after that."""
    later = [reading for reading in readings if reading.seconds >= 60] or list(readings[-1:])
    base, most = later[0].bytes, max(reading.bytes for reading in later)
    print(f"\nmemory: {events:,} events in {readings[-1].seconds:.0f} s by one worker\n")
    for reading in readings[:: max(1, len(readings) // 12)]:
        print(f"{reading.seconds:>8.0f} s{reading.bytes / 2**20:>10.1f} MiB")
    print(f"after the first minute: {base / 2**20:.1f} MiB, at most {most / base:.3f} of it")
    return {"events": events, "readings": [list(reading) for reading in readings], "growth": most / base}


def _spread(rates: Sequence[float]) -> str:
    middle, low, high = spread(rates)
    return f"{middle:,.0f} ({low:,.0f} to {high:,.0f})"
