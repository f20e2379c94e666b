"""Files of returns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import SettingsError
from service.wire.feeds.files import LONGEST_LINE, FileKind
from service.wire.feeds.reading import Fault
from service.wire.omnireturns.lines import BulkLine, bulk_lines

DATA = {"retailer": "acme", "route": "omnirps", "carrier": "generic", "tracking_number": "T-1"}


def read(tmp_path: Path, content: str | bytes, kind: FileKind = FileKind.JSONL) -> list[BulkLine]:
    file = tmp_path / "x"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(bulk_lines(file, kind))


def test_a_row_is_what_the_same_json_line_is(tmp_path: Path) -> None:
    data: dict[str, Any] = {**DATA, "items": [{"sku": "S-1", "quantity": 2, "reason": "too small"}]}
    csv = (
        "\ufeffkey,retailer,route,carrier,tracking_number,order_number,sku,quantity,reason\r\n"
        "k-1,acme,omnirps,generic,T-1,,S-1, 2 ,too small\r\n"
    )

    (row,) = read(tmp_path, csv, FileKind.CSV)
    (line,) = read(tmp_path, json.dumps({"key": "k-1", **data}))

    assert row == BulkLine(2, "named/k-1", data, [], len(csv.encode()))
    assert line == BulkLine(1, "named/k-1", data, [], len(json.dumps({"key": "k-1", **data})))


def test_several_items_stand_as_json_in_one_cell(tmp_path: Path) -> None:
    csv = 'retailer,sku,items\nacme,S-1,"[{""sku"":""S-2"",""quantity"":1}]"\nacme,,{\nacme,,"{}"\nacme,S-1,"{""sku"":1}"\n'

    rows = read(tmp_path, csv, FileKind.CSV)

    assert rows[0].data["items"] == [{"sku": "S-1"}, {"sku": "S-2", "quantity": 1}]
    assert [fault.reason for fault in rows[1].faults] == ["not_json"]
    assert "items" not in rows[2].data
    assert rows[3].data["items"] == {"sku": 1}  # for ingestion's words to refuse


def test_a_line_without_a_key_is_known_by_what_it_says(tmp_path: Path) -> None:
    same = json.dumps(DATA) + "\n" + json.dumps(dict(reversed(DATA.items()))) + "\n"

    first, second, other = read(tmp_path, same + json.dumps({**DATA, "route": "first_mile_only"}))

    assert first.key == second.key != other.key
    assert first == BulkLine(1, first.key, DATA, [], len(same) // 2)
    assert second == BulkLine(2, first.key, DATA, [], len(same))


@pytest.mark.parametrize("key", ("x", "x" * 100))
def test_a_key_has_one_to_a_hundred_characters(tmp_path: Path, key: str) -> None:
    (line,) = read(tmp_path, json.dumps({"key": key, **DATA}))

    assert (line.key, line.data, line.faults) == (f"named/{key}", DATA, [])


NO_JSON = Fault("", "not_json", "a JSON object is expected")
NO_KEY = Fault("key", "bad_value", "1 to 100 characters are expected")


@pytest.mark.parametrize(
    ("line", "data", "fault"),
    (
        ("{", {}, NO_JSON),
        ("[1]", {}, NO_JSON._replace(reason="wrong_type")),
        ("[" * 100_000, {}, NO_JSON),
        ('{"key": 1, "route": "omnirps"}', {"route": "omnirps"}, NO_KEY),
        ('{"key": ""}', {}, NO_KEY),
        (json.dumps({"key": "x" * 101}), {}, NO_KEY),
        ('{"key": "a\\u0000"}', {}, NO_KEY),
        ('"' + "x" * (LONGEST_LINE - 1), {}, Fault("line 1", "too_large", f"longer than {LONGEST_LINE} bytes")),
    ),
    ids=range(8),
)
def test_what_is_wrong_with_a_line_is_said_and_the_others_go_on(
    tmp_path: Path, line: str, data: dict[str, Any], fault: Fault
) -> None:
    content = f"{line}\n\n{json.dumps(DATA)}\n"

    wrong, good = read(tmp_path, content)

    assert wrong == BulkLine(1, "", data, [fault], len(line) + 1)
    assert (good.number, good.data, good.faults, good.read) == (3, DATA, [], len(content))


def test_a_column_that_means_nothing_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no column 'retialer'; there are key, return_id, retailer"):
        read(tmp_path, "retialer\nacme\n", FileKind.CSV)
