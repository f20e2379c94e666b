"""What a batch may cost: more than it may, or damaged as its producer wrote it, it is letters by coordinates."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import cramjam
import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import IsolationLevel
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder

from service.adapters.kafka.fetching.records import MAX_RECORD_BYTES, PartitionRecords
from service.adapters.kafka.fetching.room import BATCHES, Room
from service.adapters.kafka.fetching.unpack import TooLarge, Unreadable, unpack, weigh
from service.adapters.kafka.fetching.unread import MAX_LETTERS
from service.wire.record import Record
from tests.support.batches import CODECS, batch, body, pack, record, varint

TP = TopicPartition("in", 3)
MIB = 1024 * 1024
PACKED = [codec for codec in CODECS if codec != "none"]


def read(data: bytes, room: Room | None = None, fetch_offset: int = 0) -> tuple[list[Record], Any]:
    room = room or Room(4 * MIB)
    fetched = PartitionRecords(
        fetch_offset, TP, MemoryRecords(data), isolation_level=IsolationLevel.READ_COMMITTED, room=room
    )
    return fetched.take(), fetched


def reasons(records: list[Record]) -> list[tuple[int, str | None]]:
    return [(each.offset, None if each.unread is None else each.unread.reason) for each in records]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read(codec: str) -> None:
    values = [b"a" * 3000, None, b"", bytes(range(256)) * 50]

    found, fetched = read(batch(pack(codec, body(*values)), 4, codec))

    assert [each.value for each in found] == values
    assert fetched.next_fetch_offset == 4


@pytest.mark.parametrize("codec", PACKED)
def test_a_batch_over_the_bound_is_letters_by_coordinates_and_the_partition_goes_on(codec: str) -> None:
    bomb = batch(pack(codec, body(b"x" * (5 * MIB), b"y")), 2, codec)
    behind = batch(body(b"behind"), 1, first=2)

    found, fetched = read(bomb + behind)

    assert reasons(found) == [(0, "batch_too_large"), (1, "batch_too_large"), (2, None)]
    assert [(each.key, each.value, each.headers) for each in found[:2]] == [(None, None, ())] * 2
    unread = found[1].unread
    assert unread is not None
    assert f"records 0 to 1 of in 3 takes more than 4 MiB once it is unpacked ({codec})" in unread.error
    assert unread.first == 0
    assert fetched.next_fetch_offset == 3


@pytest.mark.parametrize("codec", ("none", "zstd"))
@pytest.mark.slow
def test_what_takes_memory_as_objects_counts_too(codec: str) -> None:
    # 7 bytes a record, 2 a header: as Python has them that is fifty times as much.
    many = b"".join(b"\x0c\0\0" + varint(n) + b"\x01\x01\0" for n in range(64))
    tiny = b"".join(varint(len(r)) + r for r in (b"\0\0" + varint(n) + b"\x01\x01\0" for n in range(150_000)))
    headers = record(0, b"v", [(b"", None)] * 550_000)

    assert len(read(batch(pack(codec, many), 64, codec))[0]) == 64
    assert reasons(read(batch(pack(codec, tiny), 150_000, codec))[0]) == [(149_999, "batch_too_large")]
    assert reasons(read(batch(pack(codec, headers), 1, codec))[0]) == [(0, "batch_too_large")]


def test_a_batch_of_very_many_is_one_letter_that_says_so_at_its_end() -> None:
    number = MAX_LETTERS + 1
    bomb = batch(pack("zstd", body(b"x" * 5 * MIB, *[b""] * (number - 1))), number, "zstd", first=10)

    found, fetched = read(bomb, fetch_offset=500)  # read from its middle, it is not passed over

    assert reasons(found) == [(number + 9, "batch_too_large")]
    assert found[0].unread is not None
    assert f"records 10 to {number + 9} " in found[0].unread.error
    assert fetched.next_fetch_offset == number + 10


def test_a_message_larger_than_a_letter_may_be_is_kept_by_its_coordinates() -> None:
    found, _ = read(batch(body(b"small", b"x" * (MAX_RECORD_BYTES + 1), b"small"), 3), Room(64 * MIB))

    assert reasons(found) == [(0, None), (1, "too_large"), (2, None)]
    assert [each.value for each in found] == [b"small", None, b"small"]


def test_ten_times_better_packed_than_expected_is_read_all_the_same() -> None:
    value = b"the same words again " * 100_000

    for codec in PACKED:
        assert [each.value for each in read(batch(pack(codec, body(value)), 1, codec))[0]] == [value]


class TestUnpacking:
    @pytest.mark.parametrize("codec", PACKED)
    def test_up_to_the_bound_and_not_a_byte_more(self, codec: str) -> None:
        plain = Random(1).randbytes(1000) * 100
        packed = memoryview(pack(codec, plain))

        assert bytes(unpack(CODECS[codec], packed, len(plain))) == plain
        with pytest.raises(TooLarge):
            unpack(CODECS[codec], packed, len(plain) - 1)

    @pytest.mark.parametrize("codec", PACKED)
    def test_what_is_cut_or_no_such_thing_is_unreadable(self, codec: str) -> None:
        packed = pack(codec, Random(2).randbytes(5000))

        for wrong in (packed[:-20], packed[: len(packed) // 2], b"\x07" * 50):
            with pytest.raises(Unreadable):
                unpack(CODECS[codec], memoryview(wrong), MIB)

    def test_sizes_that_a_frame_claims_are_not_believed(self) -> None:
        plain = bytes(3 * MIB)
        lies = cramjam.snappy.compress_raw(b"little")
        huge = varint(2**31)[:-1] + b"\x0f" + bytes(lies)[1:]
        zstd = bytearray(cramjam.zstd.compress(plain))
        assert zstd[4] & 0xC0, "it has a content size"
        zstd[6:9] = b"\0\0\0"

        with pytest.raises(TooLarge):
            unpack(2, memoryview(huge), MIB)
        with pytest.raises((TooLarge, Unreadable)):
            unpack(4, memoryview(zstd), MIB)

    def test_a_block_of_no_length_is_not_read_for_ever(self) -> None:
        # One of a negative length would lead back to itself.
        header = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)

        for length in (0, -4, -1, 2**31 - 1):
            with pytest.raises(Unreadable):
                unpack(2, memoryview(header + struct.pack(">i", length) + b"rest"), MIB)

    @pytest.mark.parametrize("codec", (5, 6, 7))
    def test_a_codec_that_there_is_not_is_unreadable(self, codec: int) -> None:
        with pytest.raises(Unreadable):
            unpack(codec, memoryview(b"whatever"), MIB)

    def test_weighing_finds_what_the_lengths_say(self) -> None:
        plain = body(*[b"v" * n for n in range(300)])

        assert weigh(plain, 300, 10**9) == len(plain) + 300 * 256
        with pytest.raises(TooLarge):
            weigh(plain, 300, len(plain) + 300 * 256 - 1)
        with pytest.raises(Unreadable):
            weigh(plain, 301, 10**9)


class TestUnreadableBatches:
    """The checksum is right: they came like this, and will for ever."""

    @pytest.mark.parametrize("codec", PACKED)
    def test_a_body_that_cannot_be_unpacked(self, codec: str) -> None:
        found, fetched = read(batch(b"no such thing" * 3, 2, codec) + batch(body(b"behind"), 1, first=2))

        assert reasons(found) == [(0, "unreadable_batch"), (1, "unreadable_batch"), (2, None)]
        assert fetched.next_fetch_offset == 3

    @pytest.mark.parametrize(
        ("plain", "count", "last_delta"),
        (
            pytest.param(body(b"a"), 2**31 - 1, None, id="two thousand million records"),
            pytest.param(body(b"a"), -1, 0, id="fewer than none"),
            pytest.param(body(b"a", b"b"), 1, None, id="more than it says"),
            pytest.param(body(b"a", b"b"), 3, None, id="less than it says"),
            pytest.param(body(b"a"), 1, -5, id="an end before its beginning"),
            pytest.param(record(7, b"a"), 1, 0, id="an offset behind its end"),
            pytest.param(record(-1, b"a"), 1, 0, id="an offset before its beginning"),
            pytest.param(record(1, b"a") + record(0, b"b"), 2, 1, id="offsets that go back"),
            pytest.param(varint(2**40) + body(b"a")[1:], 1, 0, id="a length beyond its end"),
            pytest.param(b"\x10\0\0\0" + varint(2**63 - 1) + b"abc", 1, 0, id="a key of all there is"),
            pytest.param(b"\x10\0\0\0" + varint(2**63 - 60) + b"abc", 1, 0, id="a key of nearly all"),
            pytest.param(b"\x10\0\0\0\x01\x01" + varint(2**62) + b"ab", 1, 0, id="headers without end"),
            pytest.param(b"\x0e\0\0\0\x01\x01\x01", 1, 0, id="headers fewer than none"),
            pytest.param(b"\xff" * 40, 1, 0, id="a number without end"),
            pytest.param(b"", 1, 0, id="nothing"),
        ),
    )
    def test_a_body_at_odds_with_itself(self, plain: bytes, count: int, last_delta: int | None) -> None:
        for codec in ("none", "zstd"):
            wrong = batch(pack(codec, plain), count, codec, first=5, last_delta=last_delta)

            found, fetched = read(wrong, fetch_offset=5)

            assert {reason for _, reason in reasons(found)} == {"unreadable_batch"}
            assert 1 <= len(found) <= 3
            assert found[0].offset >= 5
            assert fetched.next_fetch_offset > 5

    def test_a_marker_that_cannot_be_read_ends_its_transaction(self) -> None:
        found, fetched = read(batch(b"?", 1, flags=0b110000) + batch(body(b"behind"), 1, first=1))

        assert reasons(found) == [(1, None)]
        assert fetched.next_fetch_offset == 2

    @pytest.mark.parametrize("length", (-12, 0, 10, 48))
    def test_a_batch_shorter_than_its_header_is_not_read_for_ever(self, length: int) -> None:
        data = bytearray(batch(body(b"a"), 1))
        data[8:12] = struct.pack(">i", length)

        with pytest.raises(CorruptRecordError):
            read(bytes(data))

    @pytest.mark.parametrize("seed", range(20))
    def test_whatever_it_holds_it_is_records_or_letters(self, seed: int) -> None:
        chance = Random(seed)
        for _ in range(100):
            plain = bytearray(body(*[chance.randbytes(chance.randrange(30)) for _ in range(chance.randrange(1, 5))]))
            for _ in range(chance.randrange(1, 4)):
                plain[chance.randrange(len(plain))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            codec = chance.choice(list(CODECS))
            packed = bytearray(pack(codec, bytes(plain)))
            if chance.random() < 0.3:
                packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)

            found, fetched = read(batch(bytes(packed), chance.randrange(1, 6), codec) + batch(body(b"!"), 1, first=9))

            assert found[-1].value == b"!"
            assert fetched.next_fetch_offset == 10


class TestRoom:
    @pytest.mark.slow
    def test_a_fetch_full_of_well_packed_batches_is_read_piece_by_piece(self) -> None:
        # Each is within the bound, and a fetch holds hundreds of them.
        value = b"x" * (3 * MIB)
        data = b"".join(batch(pack("zstd", body(value)), 1, "zstd", first=n) for n in range(20))
        room = Room(4 * MIB)
        taken, offset = list[int](), 0

        while offset < 20:
            found, fetched = read(data, room, offset)
            assert len(found) <= BATCHES * 2
            taken += [each.offset for each in found if each.offset >= offset]
            assert fetched.next_fetch_offset > offset
            offset = fetched.next_fetch_offset
            data = b"".join(batch(pack("zstd", body(value)), 1, "zstd", first=n) for n in range(offset, 20))
            room.release(("in", 3), None)

        assert taken == list(range(20))

    def test_nothing_is_unpacked_while_there_is_none(self) -> None:
        room = Room(MIB)
        room.hold(("in", 0), 5, 4 * MIB)

        found, fetched = read(batch(body(b"a"), 1), room)
        room.release(("in", 0), 5)
        fetches = [read(batch(body(b"a"), 1), room)[0]]
        room.release(("in", 0), 6)

        assert (found, fetches) == ([], [[]])
        assert fetched.next_fetch_offset == 0
        assert len(read(batch(body(b"a"), 1), room)[0]) == 1

    def test_batches_that_are_refused_take_their_turn_too(self) -> None:
        bomb = pack("zstd", body(b"x" * (5 * MIB)))

        found, _ = read(b"".join(batch(bomb, 1, "zstd", first=n) for n in range(50)))

        assert len(found) == BATCHES


@pytest.mark.parametrize("magic", (0, 1))
def test_an_old_batch_is_bounded_too(magic: int) -> None:
    def old(*values: bytes) -> bytes:
        builder = MemoryRecordsBuilder(magic, 1, 100 * MIB)
        for value in values:
            builder.append(1_700_000_000_000, b"key", value, [])
        builder.close()
        return bytes(builder.buffer())

    assert [each.value for each in read(old(b"a", b"b"))[0]] == [b"a", b"b"]
    assert [reason for _, reason in reasons(read(old(b"x" * 5 * MIB))[0])] == ["batch_too_large"]


def test_the_brokers_own_time_is_told_from_the_publishers() -> None:
    assert [each.broker_time for each in read(batch(body(b"a"), 1))[0]] == [False]
    assert [each.broker_time for each in read(batch(body(b"a"), 1, flags=0b1000))[0]] == [True]
