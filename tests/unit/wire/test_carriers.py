"""Carrier tables: what ships, and every mistake a table can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.events import Sense
from service.domain.milestones import Milestone, Reason
from service.errors import SettingsError
from service.wire.carriers import CarrierTables, Meaning, parse_table

GOOD = """\
name = "Some Carrier"
zone = "Europe/London"

[collected]
"0100" = "Picked up"

[movement]
S = "Sorted"

[delivered]
D = "Delivered"

[informational]
P = "Pre-advice"
"""


@pytest.fixture(scope="module")
def shipped() -> CarrierTables:
    return CarrierTables.load()


def test_the_shipped_tables_are_sound(shipped: CarrierTables) -> None:
    assert shipped.carriers == ("generic", "omniparcel")


@pytest.mark.parametrize(
    ("code", "milestone"),
    (("COLLECTED", Milestone.RT), ("IN_TRANSIT", Milestone.RT), ("DELIVERED", Milestone.RDTPF)),
)
def test_generic_has_three_codes_for_integrations_that_map_themselves(
    shipped: CarrierTables, code: str, milestone: Milestone
) -> None:
    assert shipped.understand("generic", code) == Meaning(Sense.ASSERTS, milestone)
    table = shipped.table("generic")
    assert table is not None
    assert len(table.codes) == 3


@pytest.mark.parametrize("number", (1, 8, 9, 12, 54, 56, 71, 76, *range(57, 70), 85, 90, 94))
def test_pre_advice_and_traps_of_omniparcel_assert_nothing(shipped: CarrierTables, number: int) -> None:
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.INFORMS)


@pytest.mark.parametrize("number", (10, 11, 14, 33, 89, 3, 4, 5, 18, 22, 47, 50, 51, 79))
def test_a_physical_scan_of_omniparcel_proves_that_the_return_is_in_transit(
    shipped: CarrierTables, number: int
) -> None:
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.ASSERTS, Milestone.RT)


@pytest.mark.parametrize("number", (72, 74))
def test_only_a_delivery_at_the_door_is_the_transfer_to_the_sorting_facility(
    shipped: CarrierTables, number: int
) -> None:
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.ASSERTS, Milestone.RDTPF)


@pytest.mark.parametrize("code", ("OP-72 ", "op-72", "OP-072", "72", ""))
def test_codes_are_compared_as_the_feed_writes_them(shipped: CarrierTables, code: str) -> None:
    assert shipped.understand("omniparcel", code) == Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE)


def test_a_carrier_without_a_table_is_unmapped_and_has_no_zone(shipped: CarrierTables) -> None:
    assert shipped.understand("nobody", "X") == Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CARRIER)
    assert not shipped.knows("nobody")
    assert shipped.zone("nobody") is None
    assert shipped.lookup("nobody", "X") is None
    assert shipped.table("nobody") is None


def test_omniparcel_has_a_zone_and_generic_has_none(shipped: CarrierTables) -> None:
    assert str(shipped.zone("omniparcel")) == "Pacific/Auckland"
    assert shipped.zone("generic") is None


def test_a_table_tells_what_each_code_means() -> None:
    tables = CarrierTables([parse_table("some", GOOD, "some.toml")])

    code = tables.lookup("some", "0100")

    assert code is not None
    assert (code.sense, code.milestone, code.description) == (Sense.ASSERTS, Milestone.RT, "Picked up")
    assert tables.lookup("some", "100") is None
    assert tables.knows("some")


@pytest.mark.parametrize(
    ("text", "complaint"),
    (
        (GOOD + "[colected]\nX = 'x'\n", "some.toml:15: unknown key 'colected'"),
        (GOOD + 'Q = "one"\nQ = "two"\n', "some.toml: Cannot overwrite a value (at line 16"),
        (GOOD + 'D = "again"\n', "some.toml:15: informational.D: the code stands in two lists"),
        (GOOD + '" X" = "x"\n', "some.toml:15: informational. X: a code has"),
        (GOOD + '"" = "x"\n', "some.toml:15: informational.: a code has"),
        (GOOD + "X = 7\n", "some.toml:15: informational.X: a text"),
        (GOOD + 'X = ""\n', "some.toml:15: informational.X: a text"),
        (GOOD.replace("Europe/London", "Europe/Lundun"), "some.toml:2: zone: 'Europe/Lundun' is not"),
        (GOOD.replace("Europe/London", "../etc/passwd"), "some.toml:2: zone: '../etc/passwd' is not"),
        (GOOD.replace("Europe/London", "Europe"), "some.toml:2: zone: 'Europe' is not"),
        (GOOD.replace('"Europe/London"', "1"), "some.toml:2: zone: the name of"),
        (GOOD.replace('name = "Some Carrier"\n', ""), "some.toml: name: "),
        ('name = "x"\ncollected = 7\n', "some.toml:2: collected: a table"),
        ('name = "x"\n', "some.toml: the table has no code"),
        ("name = \n", "some.toml: Invalid value (at line 1"),
    ),
)
def test_a_mistake_in_a_table_is_named_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_table("some", text, "some.toml")

    assert str(caught.value).startswith(complaint)


def test_tables_of_a_directory_add_and_replace(tmp_path: Path) -> None:
    (tmp_path / "generic.toml").write_text(GOOD)
    (tmp_path / "some-carrier.toml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("not a table")

    tables = CarrierTables.load(tmp_path)

    assert tables.carriers == ("generic", "omniparcel", "some-carrier")
    assert tables.understand("generic", "COLLECTED").sense is Sense.UNMAPPED


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    (
        ("Some Carrier.toml", GOOD.encode(), "the file is named after its carrier"),
        ("some.toml", b"\xff", "cannot be read as UTF-8 text"),
    ),
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=complaint) as caught:
        CarrierTables.load(tmp_path)

    assert str(tmp_path / name) in str(caught.value)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        CarrierTables.load(tmp_path / "nowhere")
