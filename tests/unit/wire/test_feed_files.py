"""Files that feeds write."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from service.errors import SettingsError
from service.wire.feeds.files import (
    LONGEST_LINE,
    FileKind,
    Line,
    RawLine,
    csv_rows,
    json_lines,
    kind_of,
    lines,
)
from service.wire.feeds.reading import Unreadable
from tests.support.feeds import body, reader, source

CSV = """\
ConsignmentNo,EventDT,Code,OmniCode,Description,Location,Part,Reference1
1245,2018-12-27T09:00:00,PU,OP-33,"Collected, from sender",Leeds,1,A-1
1245,2018-28-28T17:22:43,,OP-1,Pending,IL,1,A-1
,2018-12-28T17:22:43,DL,OP-72,Delivered,Auckland,1,A-1
1246,2018-12-28 17:22:43,DL,OP-72,Delivered,Auckland,1,A-1
"""


def read(path: Path, content: bytes, feed: str = "omniparcel") -> list[Line]:
    path.write_bytes(content)
    return list(lines(path, kind_of(path), source(feed), reader()))


def test_each_row_of_a_csv_is_a_scan_or_names_its_line_and_what_is_wrong(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", CSV.encode())

    assert [line.number for line in found] == [2, 3, 4, 5]
    scans = [line.scans[0] for line in found]
    assert [scan.meaning for scan in scans] == ["RT", None, None, "RDTPF"]
    assert [scan.fault and scan.fault.path for scan in scans] == [
        None,
        "line 3 time (event.EventDT)",
        "line 4 number (event.ConsignmentNo)",
        None,
    ]
    assert found[-1].read == len(CSV)
    event = json.loads(scans[0].value)
    assert event["data"]["description"] == "Collected, from sender"
    assert event["data"]["local_time"] == "2018-12-27T09:00:00"


def test_a_scan_of_a_file_is_the_one_that_the_webhook_brought(tmp_path: Path) -> None:
    row = "ConsignmentNo,EventDT,OmniCode,Part\n1245,2018-12-28T17:22:43,OP-72,1\n"
    (line,) = read(tmp_path / "x.csv", row.encode())
    pushed = reader().read(source("omniparcel"), body("omniparcel"))[1]

    assert json.loads(line.scans[0].value)["id"] == json.loads(pushed.value)["id"]


def test_a_byte_order_mark_and_windows_lines_are_no_part_of_the_words(tmp_path: Path) -> None:
    found = read(tmp_path / "x.csv", b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode())

    assert [line.scans[0].meaning for line in found] == ["RT", None, None, "RDTPF"]


def test_a_row_that_is_no_csv_or_no_utf8_is_a_fault_and_the_others_go_on(tmp_path: Path) -> None:
    head, first, *_, last = CSV.splitlines(keepends=True)
    found = read(
        tmp_path / "x.csv", head.encode() + b'"a"b,c\n' + b"\xff\xff,2018-12-28T17:22:43,DL,OP-72\n" + last.encode()
    )

    assert [bool(line.fault or line.scans[0].fault) for line in found] == [True, True, False]
    assert first


@pytest.mark.slow
def test_an_open_quote_swallows_no_more_than_a_bounded_part(tmp_path: Path) -> None:
    head = CSV.splitlines(keepends=True)[0]
    good = "1246,2018-12-28 17:22:43,DL,OP-72,Delivered,Auckland,1,A-1\n"
    found = read(tmp_path / "x.csv", (head + '1,"open\n' + good * 5000).encode())

    assert found[0].fault is not None
    assert found[-1].scans[0].meaning == "RDTPF"


def test_each_line_of_payloads_is_what_the_feeds_sender_posts(tmp_path: Path) -> None:
    content = (
        body("ups") + b"\n\n" + b"nonsense\n" + body("ups") + b"\n" + b" " * (LONGEST_LINE + 10) + b"{}\n" + body("ups")
    )
    found = read(tmp_path / "x.jsonl", content, "ups")

    assert [(line.number, line.fault and line.fault.reason, len(line.scans)) for line in found] == [
        (1, None, 1),
        (3, "not_json", 0),
        (4, None, 1),
        (5, "too_large", 0),
        (6, None, 1),
    ]


def test_a_row_that_is_too_long_ends_the_reading_because_half_a_row_is_another(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="line 2: longer than"):
        read(tmp_path / "x.csv", CSV.splitlines(keepends=True)[0].encode() + b"1245," * LONGEST_LINE + b"\n")


def test_a_file_of_another_feed_or_without_an_end_that_tells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"lacks \[csv\]"):
        read(tmp_path / "x.csv", CSV.encode(), "ups")
    with pytest.raises(SettingsError, match="say --format"):
        kind_of(Path("tracking.txt"))
    assert kind_of(Path("a.NDJSON")) is FileKind.JSONL


@pytest.mark.parametrize(
    ("name", "kind"),
    (("a.csv", FileKind.CSV), ("A.CSV", FileKind.CSV), ("a.jsonl", FileKind.JSONL), ("a.csv.ndjson", FileKind.JSONL)),
)
def test_the_end_of_a_name_tells_how_a_file_is_written(name: str, kind: FileKind) -> None:
    assert kind_of(Path("folder.csv") / name) is kind


def test_with_each_line_it_is_told_how_much_of_the_file_is_read(tmp_path: Path) -> None:
    head, *rows = CSV.encode().splitlines(keepends=True)
    payload = body("ups")

    found = read(tmp_path / "x.csv", CSV.encode())
    assert [line.read for line in found] == [len(head) + len(b"".join(rows[: n + 1])) for n in range(len(rows))]
    found = read(tmp_path / "x.jsonl", payload + b"\n\n" + payload, "ups")
    assert [line.read for line in found] == [len(payload) + 1, 2 * len(payload) + 2]
    too_long = b" " * LONGEST_LINE + b"\n"
    found = read(tmp_path / "x.jsonl", b"nonsense\n" + too_long + payload, "ups")
    assert [(line.fault and line.fault.reason, line.read) for line in found] == [
        ("not_json", 9),
        ("too_large", 9 + len(too_long)),
        (None, 9 + len(too_long) + len(payload)),
    ]


@pytest.mark.parametrize(("more", "reason"), ((0, None), (1, "too_large"), (LONGEST_LINE * 3, "too_large")))
def test_a_payload_is_as_long_as_a_request_may_be_and_a_longer_one_is_one_line(
    tmp_path: Path, more: int, reason: str | None
) -> None:
    payload = body("ups")
    line = payload + b" " * (LONGEST_LINE - len(payload) - 1 + more) + b"\n"

    first, last = read(tmp_path / "x.jsonl", line + payload, "ups")

    assert (first.number, last.number) == (1, 2)
    assert (first.fault and first.fault.reason, last.fault) == (reason, None)
    assert first.fault is None or first.fault.path == "line 1"
    assert (first.read, last.read) == (len(line), len(line) + len(payload))


def test_a_row_is_as_long_as_a_request_may_be(tmp_path: Path) -> None:
    head, row, *_ = CSV.splitlines()
    cells = ("," + "x" * 999) * (LONGEST_LINE // 1000 + 1)  # without a column
    room = LONGEST_LINE - len(row) - 1

    (line,) = read(tmp_path / "x.csv", f"{head}\n{row}{cells[:room]}\n".encode())

    assert line.scans[0].fault is None
    with pytest.raises(Unreadable) as caught:
        read(tmp_path / "x.csv", f"{head}\n{row}{cells[: room + 1]}\n".encode())
    assert (caught.value.fault.path, caught.value.fault.reason) == ("line 2", "too_large")


def test_cells_without_a_column_and_columns_without_a_cell_are_none(tmp_path: Path) -> None:
    text = "ConsignmentNo,EventDT,OmniCode\n1245,2018-12-28T17:22:43,OP-72,more,and more\n1246,2018-12-28T17:22:43\n"

    first, second = read(tmp_path / "x.csv", text.encode())

    native = json.loads(json.loads(first.scans[0].value)["native"])
    assert native == {"ConsignmentNo": "1245", "EventDT": "2018-12-28T17:22:43", "OmniCode": "OP-72"}
    assert first.scans[0].fault is None
    assert second.scans[0].fault is not None
    assert second.scans[0].fault.path == "line 3 code (event.OmniCode)"


def test_a_file_of_nothing_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "x.csv", b"") == []
    assert read(tmp_path / "x.csv", CSV.splitlines(keepends=True)[0].encode()) == []
    assert read(tmp_path / "x.jsonl", b"\n \n", "ups") == []


def test_a_row_that_is_no_csv_is_named_by_its_line(tmp_path: Path) -> None:
    head, first, *_ = CSV.splitlines(keepends=True)

    wrong, good = read(tmp_path / "x.csv", (head + '"a"b,c\n' + first).encode())

    assert wrong.fault is not None
    assert (wrong.number, wrong.fault.path, wrong.fault.reason, wrong.scans) == (2, "line 2", "not_csv", [])
    assert "expected after" in wrong.fault.detail, "as the reader of CSV says it"
    assert wrong.read == len(head) + len('"a"b,c\n')
    assert (good.number, good.scans[0].meaning) == (3, "RT")


class Upload(io.BytesIO):
    """A file that somebody sends, which notes how much of it was asked for at a time."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.asked: list[int | None] = []

    def readline(self, size: int | None = -1, /) -> bytes:
        self.asked.append(size)
        return super().readline(-1 if size is None else size)


def test_no_more_of_a_line_is_held_than_tells_that_it_is_too_long() -> None:
    upload = Upload(b"{}\n" + b" " * (3 * LONGEST_LINE) + b"\n[]\n")

    first, too_long, last = json_lines(upload)

    assert (first, last.number, last.content) == (RawLine(1, b"{}\n", None, 3), 3, b"[]\n")
    assert (too_long.number, too_long.content, too_long.fault and too_long.fault.path) == (2, None, "line 2")
    assert all(size is not None and 0 < size < LONGEST_LINE + 100 for size in upload.asked)


def test_cells_are_told_by_their_column_and_only_those_that_the_row_has() -> None:
    upload = Upload(b"\xef\xbb\xbfa,b\n1,2,3\n4\n\xef\xbb\xbf5,\n")

    assert list(csv_rows(upload)) == [
        RawLine(2, {"a": "1", "b": "2"}, None, 13),
        RawLine(3, {"a": "4"}, None, 15),
        # A byte order mark counts at the beginning of a file alone.
        RawLine(4, {"a": "\ufeff5", "b": ""}, None, 21),
    ]
