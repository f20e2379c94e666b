"""The table of carriers and feeds in deploy/docs/carriers.md, made from their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from service.wire.carriers import CarrierTables, CodeList
from service.wire.feeds.definition import Feed, load_feeds

PATH: Final = Path("deploy/docs/carriers.md")
_FROM: Final = "<!-- from here -->\n"
_TO: Final = "<!-- to here -->\n"


def document(root: Path) -> str:
    """The whole document, with the table as it should be."""
    before, _, rest = (root / PATH).read_text(encoding="utf-8").partition(_FROM)
    return f"{before}{_FROM}\n{table()}\n{_TO}{rest.partition(_TO)[2]}"


def table() -> str:
    """Carriers, aggregators and feeds."""
    return "\n".join([*_carriers(), "", *_feeds()]) + "\n"


def _carriers() -> Iterator[str]:
    tables = CarrierTables.load()
    lists = [code_list.value for code_list in CodeList]
    yield f"| table | | zone | {' | '.join(lists)} |"
    yield "|---" * (3 + len(lists)) + "|"
    for name in (*tables.carriers, *tables.aggregators):
        found = tables.table(name)
        if found is not None:
            listed = [code.listed for code in found.codes.values()]
            numbers = " | ".join(str(listed.count(code_list) or "") for code_list in CodeList)
            title = f"{found.name} (aggregator)" if found.aggregator else found.name
            yield f"| `{name}` | {title} | {found.zone or ''} | {numbers} |"


def _feeds() -> Iterator[str]:
    yield "| feed | | read by | signed by | files | times without offset |"
    yield "|---" * 6 + "|"
    for name, feed in sorted(load_feeds().items()):
        table_ = feed.carrier or f"{feed.aggregator}, of any carrier"
        times = "UTC" if feed.times.naive_utc else "the table's zone"
        yield f"| `{name}` | {feed.name} | {table_} | {_signed(feed)} | {'CSV' if feed.csv else ''} | {times} |"


def _signed(feed: Feed) -> str:
    return f"{feed.signature.scheme}: {feed.signature.expects}"
