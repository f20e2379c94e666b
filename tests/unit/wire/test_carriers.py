"""Carrier tables: what ships, and every mistake a table can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.domain.events import Effect, Sense
from service.domain.milestones import Milestone, Reason
from service.errors import SettingsError
from service.wire.carriers import CarrierCode, CarrierTables, CodeList, Meaning, parse_table

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
    assert len(shipped.carriers) >= 18
    assert {"generic", "omniparcel", "nzpost", "royalmail", "usps", "ups", "fedex", "dhl-express"} <= {
        *shipped.carriers
    }
    assert shipped.aggregators == ("17track", "aftership", "easypost", "karrio", "shipengine", "shippo")


@pytest.mark.parametrize(
    ("code", "milestone", "effect"),
    (
        ("COLLECTED", Milestone.RT, Effect.COLLECTED),
        ("IN_TRANSIT", Milestone.RT, None),
        ("DELIVERED", Milestone.RDTPF, None),
        ("RETURNING", None, Effect.RETURNING),
    ),
)
def test_generic_has_four_codes_for_integrations_that_map_themselves(
    shipped: CarrierTables, code: str, milestone: Milestone | None, effect: Effect | None
) -> None:
    sense = Sense.INFORMS if milestone is None else Sense.ASSERTS
    assert shipped.understand("generic", code) == Meaning(sense, milestone, effect=effect)
    table = shipped.table("generic")
    assert table is not None
    assert len(table.codes) == 4


@pytest.mark.parametrize("number", (1, 8, 9, 12, 54, 56, 71, 76))
def test_pre_advice_and_traps_of_omniparcel_assert_nothing(shipped: CarrierTables, number: int) -> None:
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.INFORMS)


@pytest.mark.parametrize("number", (29, 55, *range(57, 70), 85, 90, 94))
def test_omniparcel_s_returns_to_the_sender_assert_nothing_and_turn_the_parcel_back(
    shipped: CarrierTables, number: int
) -> None:
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.INFORMS, effect=Effect.RETURNING)


@pytest.mark.parametrize("number", (10, 11, 14, 33, 89, 3, 4, 5, 18, 22, 47, 50, 51, 79))
def test_a_physical_scan_of_omniparcel_proves_that_the_return_is_in_transit(
    shipped: CarrierTables, number: int
) -> None:
    effect = Effect.COLLECTED if number in {10, 11, 14, 33, 89} else None
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.ASSERTS, Milestone.RT, effect=effect)


@pytest.mark.parametrize("number", (72, 74))
def test_only_a_delivery_at_the_door_is_the_transfer_to_the_sorting_facility(
    shipped: CarrierTables, number: int
) -> None:
    assert shipped.understand("omniparcel", f"OP-{number}") == Meaning(Sense.ASSERTS, Milestone.RDTPF)


@pytest.mark.parametrize("code", ("OP 72", "op-72", "OP-072", "72", ""))
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
        ("sources = 1\n" + GOOD, "some.toml:1: sources: a list of texts"),
        ("aggregator = 1\n" + GOOD, "some.toml:1: aggregator: true or false"),
        ("elsewhere = ['S']\n" + GOOD, "some.toml:1: elsewhere: 'S' is no code of [delivered]"),
        ("elsewhere = ['Z']\n" + GOOD, "some.toml:1: elsewhere: 'Z' is no code of [delivered]"),
        (GOOD + '"X*" = "x"\n', "some.toml:15: informational.X*: a star stands at the end of a family"),
        (GOOD + '"*/X" = "x"\n', "some.toml:15: informational.*/X: a star stands at the end of a family"),
        (GOOD + '"/*" = "x"\n', "some.toml:15: informational./*: a star stands at the end of a family"),
        ("name = \n", "some.toml: Invalid value (at line 1"),
        # A code within a line is on no line of its own.
        ('name = "x"\ncollected = { "X*" = "x" }\n', "some.toml: collected.X*: a star stands at the end of a family"),
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

    assert {"generic", "omniparcel", "some-carrier"} <= {*tables.carriers}
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


# What domain facts say of each carrier, by hand: (carrier, code) in each list, and the traps that must not become RDTPF.
@pytest.mark.parametrize(
    ("carrier", "listed", "codes"),
    (
        ("nzpost", "collected", "13"),
        ("nzpost", "movement", "8 14 32 35 56 57 59 77 80 85"),
        ("nzpost", "delivered", "22 67"),
        ("nzpost", "informational", "58 78 60 141 149 147 143 144 145 146"),
        ("royalmail", "collected", "EVPPA EVDAV EVIMC EVDAC EVBAV EVIAV"),
        ("royalmail", "movement", "EVODO EVORI EVOAC EVOCO"),
        ("royalmail", "delivered", "EVKSP EVKOP EVKSF"),
        ("royalmail", "informational", "EVAIE EVAIP EVKLS EVPLA EVPLC EVKNR EVKNA EVGPD"),
        ("usps", "collected", "03 OA"),
        ("usps", "movement", "10 A1 T1 TL SF 07 OF"),
        ("usps", "delivered", "01"),
        ("usps", "informational", "GX MA 02"),
        ("ups", "collected", "P/anything I/PU I/OR"),
        ("ups", "movement", "I/DP I/DL I/OT"),
        ("ups", "delivered", "D/FS D/KB D/F4 D/KM"),
        ("ups", "informational", "M/MP MV/MP X/NH U/AB"),
        ("fedex", "collected", "PU PX"),
        ("fedex", "movement", "AR DP IT AF SF OF"),
        ("fedex", "delivered", "DL"),
        ("fedex", "informational", "OC OX EP MD HL HP DE DY"),
        ("dhl-express", "collected", "PU"),
        ("dhl-express", "movement", "PL PO DF AF AR WC"),
        ("dhl-express", "delivered", "OK"),
        ("dhl-express", "informational", "RW SA DD PD"),
        ("dhl-parcel-de", "collected", "PCKDU SHRCU"),
        ("dhl-parcel-de", "movement", "SRTED ULFMV LDTMV"),
        ("dhl-parcel-de", "delivered", "DLVRD"),
        ("canadapost", "movement", "0100 0170 0173 0174 0175"),
        ("canadapost", "delivered", "1496 1497 1498 1499 1408 1409 1421 1434 1441 1442"),
        ("canadapost", "informational", "3000 20 1407 1410 1435 1436 1437 1438"),
        ("evri", "collected", "2"),
        ("evri", "movement", "3 4_COURIER"),
        ("evri", "delivered", "5_COURIER"),
        ("evri", "returning", "4/A"),
        ("evri", "informational", "0 1 5_SHOP 4_SHOP"),
        ("hermes-de", "collected", "1000"),
        ("hermes-de", "movement", "2000 3000"),
        ("hermes-de", "delivered", "3500"),
        ("hermes-de", "informational", "0000 5000"),
        ("gls", "collected", "INTIAL.NORMAL"),
        ("gls", "movement", "INTRANSIT INWAREHOUSE INDELIVERY"),
        ("gls", "delivered", "DELIVERED FINAL"),
        ("gls", "informational", "PREADVICE INTIAL.PREADVICE DELIVEREDPS NOTPICKEDUP INPICKUP"),
        ("laposte", "collected", "PC1"),
        ("laposte", "movement", "ET1 ET2 ET3 MD2"),
        ("laposte", "delivered", "DI1"),
        ("laposte", "informational", "DR1"),
        ("landmark", "collected", "200 225"),
        ("landmark", "movement", "125 150 155 250 275 300"),
        ("landmark", "delivered", "500 510"),
        ("landmark", "informational", "50 60 75 80 100 410"),
        ("omniparcel", "returning", " ".join(f"OP-{n}" for n in (29, 55, *range(57, 70), 85, 90, 94))),
    ),
)
def test_a_code_is_read_as_the_public_documents_have_it(
    shipped: CarrierTables, carrier: str, listed: str, codes: str
) -> None:
    for code in codes.split():
        found = shipped.lookup(carrier, code)
        assert found is not None, code
        assert found.listed == listed, code
        assert found.returning is (listed == "returning")


@pytest.mark.parametrize(
    ("carrier", "code"),
    (
        ("usps", "1"),
        ("usps", "3"),
        ("canadapost", "100"),
        ("canadapost", "0020"),
        ("hermes-de", "0"),
        ("ups", "D"),
        ("ups", "DL"),
        ("dhl-parcel-de", "dlvrd"),
        ("auspost", "delivered"),
        ("nzpost", "013"),
    ),
)
def test_a_code_without_its_zeros_or_its_letter_case_is_another_code(
    shipped: CarrierTables, carrier: str, code: str
) -> None:
    assert shipped.understand(carrier, code) == Meaning(Sense.UNMAPPED, unmapped_because=Reason.UNKNOWN_CODE)


def test_one_carriers_letters_say_nothing_in_anothers_scans(shipped: CarrierTables) -> None:
    assert shipped.understand("fedex", "DL").milestone is Milestone.RDTPF
    assert shipped.understand("ups", "I/DL").milestone is Milestone.RT


def test_every_shipped_table_names_the_documents_that_its_codes_are_from(shipped: CarrierTables) -> None:
    for name in (*shipped.carriers, *shipped.aggregators):
        table = shipped.table(name)
        assert table is not None
        assert table.sources or name == "generic", name


def test_a_delivery_to_a_neighbour_counts_and_is_flagged(shipped: CarrierTables) -> None:
    for carrier, code in (("omniparcel", "OP-73"), ("royalmail", "aftership:Delivered_005")):
        found = shipped.lookup(carrier, code)
        assert found is not None
        assert (found.milestone, found.elsewhere) == (Milestone.RDTPF, True)
    at_the_door = shipped.lookup("omniparcel", "OP-72")
    assert at_the_door is not None
    assert not at_the_door.elsewhere


def test_an_aggregators_status_is_read_under_its_name_in_any_carriers_scans(shipped: CarrierTables) -> None:
    for carrier in ("royalmail", "nobody"):
        assert shipped.understand(carrier, "easypost:delivered").milestone is Milestone.RDTPF
        assert shipped.understand(carrier, "easypost:return_to_sender") == Meaning(
            Sense.INFORMS, effect=Effect.RETURNING
        )
    assert shipped.understand("royalmail", "delivered").sense is Sense.UNMAPPED
    assert shipped.understand("royalmail", "easypost:no such status").sense is Sense.UNMAPPED
    # A carrier is no aggregator, and an aggregator no carrier.
    assert shipped.understand("royalmail", "fedex:DL").sense is Sense.UNMAPPED
    assert shipped.understand("easypost", "delivered").unmapped_because is Reason.UNKNOWN_CARRIER
    assert not shipped.knows("easypost")


def test_an_exact_code_goes_before_its_family_and_the_longest_family_before_others() -> None:
    text = 'name = "x"\n[movement]\n"I/*" = "any"\n[delivered]\n"I/D" = "one"\n[informational]\n"I/X/*" = "longer"\n'
    tables = CarrierTables([parse_table("some", text, "some.toml")])

    assert [tables.understand("some", code).milestone for code in ("I/A", "I/D", "I/X/1", "I/D/1")] == [
        Milestone.RT,
        Milestone.RDTPF,
        None,
        Milestone.RT,
    ]
    assert tables.understand("some", "J/A").sense is Sense.UNMAPPED


def test_a_table_has_all_that_its_text_says() -> None:
    text = (
        'name = "X"\nsources = ["https://a", "https://b"]\nzone = "Asia/Tokyo"\nelsewhere = ["N"]\n'
        '[delivered]\nD = "at the door"\nN = "at a neighbour"\n[returning]\nR = "back"\n'
    )

    table = parse_table("some", text, "x")

    assert (table.carrier, table.name, str(table.zone), table.aggregator) == ("some", "X", "Asia/Tokyo", False)
    assert table.sources == ("https://a", "https://b")
    assert table.codes == {
        "D": CarrierCode("D", Sense.ASSERTS, Milestone.RDTPF, "at the door", CodeList.DELIVERED),
        "N": CarrierCode("N", Sense.ASSERTS, Milestone.RDTPF, "at a neighbour", CodeList.DELIVERED, elsewhere=True),
        "R": CarrierCode("R", Sense.INFORMS, None, "back", CodeList.RETURNING),
    }
    assert (table.codes["R"].returning, table.codes["D"].returning) == (True, False)


def test_a_table_of_a_zone_alone_has_no_code() -> None:
    table = parse_table("some", 'name = "X"\nzone = "Asia/Tokyo"\n', "x")

    assert (table.codes, table.sources, str(table.zone)) == ({}, (), "Asia/Tokyo")
    assert parse_table("some", GOOD.replace('zone = "Europe/London"\n', ""), "x").zone is None


@pytest.mark.parametrize(
    ("code", "is_good"),
    (
        ("x" * 128, True),
        ("x" * 129, False),
        ("A/*", True),
        ("A/B/*", True),
        ("A/*/*", False),
        ("A*", False),
        ("A ", False),
    ),
)
def test_a_code_is_as_long_as_an_event_may_have_it_and_has_a_star_at_its_end_alone(code: str, is_good: bool) -> None:
    text = f'name = "X"\n[movement]\n"{code}" = "moved"\n'

    if is_good:
        assert [*parse_table("some", text, "x").codes] == [code]
    else:
        with pytest.raises(SettingsError, match=r"^x:3: movement\."):
            parse_table("some", text, "x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    (
        ("zz = 1\naa = 1\n" + GOOD, "x:2: unknown key 'aa'"),
        (GOOD.replace('D = "', "'D' = \"") + 'D = "again"\n', "x:15: informational.D"),
        (GOOD + '\n  "D"   = "again"\n', "x:16: informational.D"),
        (GOOD.replace("[informational]", "[ informational ]").replace("P = ", "D = "), "x:14: informational.D"),
        ("elsewhere = ['']\n" + GOOD, "x:1: elsewhere: a list of texts"),
        ("sources = ['a', 1]\n" + GOOD, "x:1: sources: a list of texts"),
        ('name = ""\n' + GOOD.partition("\n")[2], "x: name: a text"),
        ('name = "x"\nother = 1\n[movement]\nother = "x"\n', "x:4: unknown key 'other'"),
    ),
)
def test_the_line_of_a_mistake_is_the_last_one_that_writes_its_key(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_table("some", text, "x")

    assert str(caught.value).startswith(complaint)


def test_of_several_files_that_are_no_tables_the_first_by_name_is_named(tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        (tmp_path / f"{name}.toml").write_text("x")

    with pytest.raises(SettingsError, match=r"/a\.toml: "):
        CarrierTables.load(tmp_path)


def test_of_two_directories_the_last_one_wins(tmp_path: Path) -> None:
    for directory in ("first", "last"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "some.toml").write_text(f'name = "{directory} – é"\nzone = "UTC"\n', encoding="utf-8")

    table = CarrierTables.load(tmp_path / "first", tmp_path / "last").table("some")

    assert table is not None
    assert table.name == "last – é"


def test_a_code_with_a_colon_is_the_carriers_own_before_it_is_an_aggregators() -> None:
    own = 'name = "x"\n[movement]\n"agg:D" = "own"\n"C:x" = "own"\n'
    of_many = 'name = "y"\naggregator = true\n[delivered]\nD = "theirs"\n"E/*" = "theirs"\n"F:1" = "theirs"\n'
    tables = CarrierTables([parse_table("some", own, "x"), parse_table("agg", of_many, "y")])

    codes = ("agg:D", "C:x", "agg:E/1", "agg:F:1", "agg:", "agg", "D")
    found = {code: tables.understand("some", code).milestone for code in codes}

    assert found == {
        "agg:D": Milestone.RT,
        "C:x": Milestone.RT,
        "agg:E/1": Milestone.RDTPF,
        "agg:F:1": Milestone.RDTPF,
        "agg:": None,
        "agg": None,
        "D": None,
    }
    assert (tables.carriers, tables.aggregators) == (("some",), ("agg",))
    assert tables.lookup("agg", "D") is None
    assert tables.understand("nobody", "agg:D").milestone is Milestone.RDTPF
    assert (tables.knows("some"), tables.knows("agg"), tables.table("agg") is None) == (True, False, False)


def test_a_family_of_one_level_is_no_member_of_itself() -> None:
    tables = CarrierTables([parse_table("some", 'name = "x"\n[movement]\n"A/*" = "a"\n"A/B/C/*" = "b"\n', "x")])

    found = {code: tables.lookup("some", code) for code in ("A/", "A/B", "A/B/C", "A/B/C/D/E", "A", "B/A/C", "/A/")}

    assert {code: found_ and found_.description for code, found_ in found.items()} == {
        "A/": "a", "A/B": "a", "A/B/C": "a", "A/B/C/D/E": "b", "A": None, "B/A/C": None, "/A/": None,
    }  # fmt: skip


def test_a_carrier_is_called_as_its_table_says_and_one_without_as_it_is_called_here(shipped: CarrierTables) -> None:
    assert (shipped.name_of("gls"), shipped.name_of("acme-post")) == ("GLS", "acme-post")
