"""What each of the adapter's statements does, in the model of PostgreSQL: by file and name, found by their text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import psycopg
from pydantic_core import from_json

from service.adapters.postgres.journal.columns import LISTS
from service.adapters.postgres.queries import load_queries
from service.wire.stored import from_micros, to_micros
from tests.world.postgres import ModelConnection, Row, Tx

_PG_EPOCH: Final = 946_684_800_000_000
_FILES: Final = (
    *("journal.sql", "labels.sql", "batch_log.sql", "search.sql", "letters.sql", "verify.sql", "fuses.sql"),
    *("unheard.sql", "waits.sql"),
)
_LISTED: Final = ("journal.sql", "labels.sql", "batch_log.sql", "letters.sql")
_TEXTS: Final = {file: load_queries(file, LISTS) if file in _LISTED else load_queries(file) for file in _FILES}
_COLUMNS: Final = re.compile(r"AS new \(([^)]*)\)", re.DOTALL)
_COPIED: Final = re.compile(r"COPY (\w+) \(([^)]*)\)", re.DOTALL)

STATEMENTS: Final[dict[str, tuple[str, Callable[[Tx, Any], Iterable[Any]], bool]]] = {}


def _names(text: str) -> list[str]:
    return [name.strip().strip('"') for name in text.split(",")]


def _does(file: str, *names: str, writes: bool = False) -> Callable[..., Any]:
    def register(do: Callable[[Tx, Any], Iterable[Any]]) -> Callable[[Tx, Any], Iterable[Any]]:
        for name in names:
            STATEMENTS[_TEXTS[file][name]] = name, do, writes
        return do

    return register


def _new_rows(file: str, name: str, columns: Sequence[Sequence[Any]]) -> list[Row]:
    """The rows of an INSERT from arrays."""
    found = _COLUMNS.search(_TEXTS[file][name])
    assert found is not None
    return [dict(zip(_names(found[1]), row, strict=True)) for row in zip(*columns, strict=True)]


def setting(connection: ModelConnection, text: str) -> bool:
    """What is no query of a file: settings of the session. Whether it is known."""
    if "synchronous_commit = off" in text:
        if connection.tx is not None:
            connection.tx.is_async = True
        return True
    if text.startswith("LISTEN "):
        connection.enter("listens")
        connection.listens = True
        return True
    if "idle_session_timeout" in text:
        connection.idle_limit = float(text.split("'")[1].rstrip("s"))
        return True
    return text.startswith(("SET ", "SELECT 1"))


def set_local(connection: ModelConnection, name: str, value: str) -> None:
    """`database.set_local`."""
    if name == "lock_timeout":
        seconds = float(value[:-2]) / 1000 if value.endswith("ms") else float(value.rstrip("s"))
        connection.lock_seconds = seconds or float("inf")


def _now(tx: Tx) -> datetime:
    return datetime.fromtimestamp(tx.server.world.wall(), UTC)


# journal.sql


@_does("journal.sql", "advance_offsets", writes=True)
def _advance_offsets(tx: Tx, params: Any) -> Iterator[Any]:
    moves = list(zip(*params, strict=True))

    def hits(move: Any) -> Row | None:
        topic, partition, expected, _, topic_id, _ = move
        row = tx.get("offsets", (topic, partition))
        if row is None or row["next"] != expected or (topic_id is not None and row["topic_id"] != topic_id):
            return None
        return row

    seen = [move for move in moves if hits(move) is not None]  # the statement's snapshot
    for move in seen:
        tx.lock("offsets", move[:2])
        if (row := hits(move)) is not None:  # as it is once nobody else holds it
            tx.update("offsets", move[:2], row | {"next": move[3], "epoch": move[5]})
            yield move
        else:
            tx.server.world.saw("an offset had moved while a transaction waited for it")


@_does("journal.sql", "rebind_offsets", writes=True)
def _rebind_offsets(tx: Tx, params: Any) -> Iterator[Any]:
    for topic, partition, expected, expected_id, next_, topic_id, epoch in zip(*params, strict=True):
        key = topic, partition

        def hits(key: Any = key, expected: int = expected, expected_id: Any = expected_id) -> bool:
            row = tx.get("offsets", key)
            return row is not None and row["next"] == expected and row["topic_id"] == expected_id

        if hits():
            tx.lock("offsets", key)
            if hits():
                tx.update("offsets", key, {"next": next_, "topic_id": topic_id, "epoch": epoch})
                yield key


@_does("journal.sql", "start_offsets", writes=True)
def _start_offsets(tx: Tx, params: Any) -> Iterator[Any]:
    for topic, partition, next_, topic_id in sorted(zip(*params, strict=True), key=lambda row: row[:2]):
        if tx.insert("offsets", (topic, partition), {"next": next_, "topic_id": topic_id, "epoch": -1}):
            yield topic, partition


@_does("journal.sql", "stored_offsets")
def _stored_offsets(tx: Tx, params: Any) -> Iterator[Any]:
    for key in zip(*params, strict=True):
        if (row := tx.get("offsets", key)) is not None:
            yield (*key, row["next"], row["topic_id"], row["epoch"])


@_does("journal.sql", "find_returns")
def _find_returns(tx: Tx, params: Any) -> Iterator[Any]:
    for return_id in params[0]:
        if (row := tx.get("returns", return_id)) is not None:
            yield return_id, row["return_no"]


@_does("journal.sql", "create_returns", writes=True)
def _create_returns(tx: Tx, params: Any) -> Iterator[Any]:
    batch_id, return_ids = params
    for return_id in sorted(return_ids):
        return_no = tx.server.next_number("returns")
        if tx.insert("returns", return_id, {"return_no": return_no, "batch_id": int(batch_id)}):
            yield return_id, return_no, False
        else:
            tx.server.world.saw("two workers created one return")


@_does("journal.sql", "find_labels")
def _find_labels(tx: Tx, params: Any) -> Iterator[Any]:
    for key in zip(*params, strict=True):
        if (row := tx.get("labels", key)) is not None:
            yield (*key, row["return_no"])


@_does("journal.sql", "claim_labels", writes=True)
def _claim_labels(tx: Tx, params: Any) -> Iterator[Any]:
    batch_id, *columns = params
    for carrier, number, return_no in sorted(zip(*columns, strict=True), key=lambda row: row[:2]):
        if tx.insert("labels", (carrier, number), {"return_no": return_no, "batch_id": int(batch_id)}):
            yield carrier, number, return_no
        else:
            tx.server.world.saw("a label was claimed by another return")


def history_of(tx: Tx, return_no: int) -> list[Row]:
    """A return's rows, in order."""
    return [row for (number, _), row in sorted(tx.rows("history"), key=lambda item: item[0]) if number == return_no]


@_does("journal.sql", "load_states")
def _load_states(tx: Tx, params: Any) -> Iterator[Any]:
    wanted = set(params[0])
    last: dict[int, Row] = {}
    for (return_no, seq), row in tx.rows("history"):
        if return_no in wanted and (return_no not in last or last[return_no]["seq"] < seq):
            last[return_no] = row
    for return_no, row in last.items():
        yield return_no, row["seq"], row["version"], row["seen"], row["state"].decode()


@_does("journal.sql", "load_keys")
def _load_keys(tx: Tx, params: Any) -> Iterator[Any]:
    for return_no in params[0]:
        yield return_no, b"".join(row["key"] for row in history_of(tx, return_no))


@_does("journal.sql", "load_past")
def _load_past(tx: Tx, params: Any) -> Iterator[Any]:
    named = ((return_no, row) for return_no in sorted(params[0]) for row in history_of(tx, return_no))
    for number, row in named:
        at, data = _moment(row["occurred_at"]), from_json(row["data"])
        yield (
            number,
            row["source"],
            row["id"],
            row["type"],
            at,
            _text(row["milestone"]),
            data,
            str(row["verdict"]),
            row["reason"],
            _text(row["effect"]),
            row["is_ahead"],
            row["retailers"],
        )


def _moment(micros: int) -> datetime:
    return from_micros(micros + _PG_EPOCH)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _refuse(tx: Tx, row: Row) -> None:
    if tx.server.refuses(row):
        tx.server.world.saw("PostgreSQL refused a value")
        tx.session.fail(psycopg.errors.UntranslatableCharacter("refused"))


def copied(tx: Tx, query: str, rows: Iterable[Sequence[Any]]) -> None:
    """COPY into the history, into a table beside it, or of what waits."""
    found = _COPIED.search(query)
    assert found is not None
    table, names = found[1], _names(found[2])
    made = [dict(zip(names, row, strict=True)) | {"recorded_at": _now(tx)} for row in rows]
    for row in made:
        _refuse(tx, row)
        if table == "contested":
            tx.written.setdefault("contested", {})[row["return_no"]] = row
        elif table == "parked":
            if not tx.insert("parked", _place_of_parked(row), row):
                tx.server.world.saw("parked again")
                tx.session.fail(psycopg.errors.UniqueViolation("parked_pkey"))
            tx.server.world.saw("parked")
        elif not tx.insert("history", (row["return_no"], row["seq"]), row):
            tx.server.world.saw("two workers appended to one return")
            tx.session.fail(psycopg.errors.UniqueViolation("history_pkey"))


@_does("journal.sql", "make_contested", "clear_contested", writes=True)
def _clear_contested(tx: Tx, params: Any) -> Iterable[Any]:
    del params
    tx.written.pop("contested", None)
    return ()


@_does("journal.sql", "append_first", writes=True)
def _append_first(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    contested = tx.written.pop("contested", {})
    for return_no in sorted(contested):
        row = contested[return_no]
        assert row is not None
        if tx.insert("history", (return_no, row["seq"]), row):
            yield (return_no,)
        else:
            tx.server.world.saw("a return was decided anew")


@_does("journal.sql", "park", writes=True)
def _park(tx: Tx, params: Any) -> Iterator[Any]:
    batch_id, *columns = params
    rows = _new_rows("journal.sql", "park", columns)
    for row in sorted(rows, key=lambda row: row["words"]):
        _refuse(tx, row)
        tx.server.world.saw("parked")
        if tx.insert("parked", _place_of_parked(row), row | {"batch_id": int(batch_id)}):
            yield row["topic"], row["topic_id"], row["partition"], row["offset"]


def _place_of_parked(row: Row) -> tuple[Any, ...]:
    return row["kind"], row["subject"], row["retailers"], row["source"], row["id"], row["words"]


@_does("journal.sql", "keep_deliveries", writes=True)
def _keep_deliveries(tx: Tx, params: Any) -> Iterator[Any]:
    batch_id, *columns = params
    rows = _new_rows("journal.sql", "keep_deliveries", columns)
    for row in sorted(rows, key=lambda row: (row["connote"], row["source"], row["id"], row["words"])):
        _refuse(tx, row)
        key = row["connote"], row["source"], row["id"], row["words"]
        if tx.insert("connote_deliveries", key, row | {"batch_id": int(batch_id)}):
            yield row["topic"], row["topic_id"], row["partition"], row["offset"]


@_does("journal.sql", "join_connotes", writes=True)
def _join_connotes(tx: Tx, params: Any) -> Iterator[Any]:
    batch_id, *columns = params
    for *at, exported in sorted(zip(*columns, strict=True)):
        key, row = tuple(at), {"batch_id": int(batch_id), "exported_at": exported}
        if tx.insert("connote_members", key, row):
            yield key
            continue
        tx.lock("connote_members", key)
        known = tx.get("connote_members", key)
        if known is not None and known["exported_at"] < exported:
            tx.update("connote_members", key, row)
            tx.server.world.saw("a return was exported again under its connote")
            yield key


@_does("journal.sql", "keep_dead_letters", writes=True)
def _bury(tx: Tx, params: Any) -> Iterator[Any]:
    batch_id, *columns = params
    for row in _new_rows("journal.sql", "keep_dead_letters", columns):
        number = tx.server.next_number("dead_letters")
        place = row["topic"], row["topic_id"], row["partition"], row["offset"]
        key = *place, row["published_at"], row["value"]
        kept = {"letter_no": number, "batch_id": int(batch_id), "attempts": 1, "resolved_at": None}
        if tx.insert("dead_letters", key, row | kept | {"recorded_at": _now(tx)}):
            tx.server.world.saw("buried")
            yield place


@_does("fuses.sql", "mend_fuses", writes=True)
def _mend_fuses(tx: Tx, params: Any) -> Iterable[Any]:
    del tx, params
    return ()  # no fuse blows here: so few are invalid


@_does("unheard.sql", "watch", "watch_anew", "due", "forget", writes=True)
def _hear(tx: Tx, params: Any) -> Iterable[Any]:
    del tx, params
    return ()  # no history lasts for an hour


@_does("waits.sql", "try_look")
def _look(tx: Tx, params: Any) -> Iterator[Any]:
    del tx, params
    yield (False,)  # nothing waits for an hour


@_does("batch_log.sql", "waits")
def _log_waits(tx: Tx, params: Any) -> Iterable[Any]:
    del tx, params
    return ()


@_does("journal.sql", "lock", writes=True)
def _lock(tx: Tx, params: Any) -> Iterable[Any]:
    locks = tx.server.locks
    while (holder := locks.get(params[0])) is not None and holder is not tx:
        tx.session.wait_for(holder, lambda: params[0] not in locks, f"lock {params[0]:#x}")
    locks[params[0]] = tx
    return ()


@_does("journal.sql", "try_sweep", writes=True)
def _try_lock(tx: Tx, params: Any) -> Iterator[Any]:
    holder = tx.server.locks.setdefault(params[0], tx)
    if holder is not tx:
        tx.server.world.saw("another worker swept")
    yield (holder is tx,)


@_does("journal.sql", "number_batch", writes=True)
def _number_batch(tx: Tx, params: Any) -> Iterable[Any]:
    n = max((key for key, _ in tx.rows("batches")), default=0) + 1
    batch_id, events = params
    if not tx.insert("batches", n, {"batch_id": int(batch_id), "events": events, "recorded_at": _now(tx)}):
        tx.session.fail(psycopg.errors.UniqueViolation("batches_pkey"))
    return ()


def _cursor(tx: Tx, name: str) -> int:
    row = tx.get("cursors", name)
    return 0 if row is None else int(row["n"])


def newest(tx: Tx) -> int:
    """The number of the newest batch."""
    return max((key for key, _ in tx.rows("batches")), default=0)


@_does("journal.sql", "unswept")
def _unswept(tx: Tx, params: Any) -> list[Any]:
    after = _cursor(tx, "sweep")
    turn = tx.get("sweep_turns", "sweep")
    found = sorted((n, str(row["batch_id"])) for n, row in tx.rows("batches") if n > after)
    return [
        (n, batch_id, *(turn["label"] if turn is not None and n <= turn["upto"] else (None, None)))
        for n, batch_id in found[: params[0]]
    ]


@_does("journal.sql", "sweep_progress")
def _sweep_progress(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    yield _cursor(tx, "sweep"), newest(tx)


def _owner(tx: Tx, kind: str, subject: str) -> int | None:
    row = tx.get("returns", subject) if kind == "return" else tx.get("labels", tuple(subject.split("/", 1)))
    return None if row is None else int(row["return_no"])


@_does("journal.sql", "unpark", writes=True)
def _unpark(tx: Tx, params: Any) -> Iterator[Any]:
    parked_by, created_by, claimed_by = (set(map(int, ids)) for ids in params[:3])
    limit = params[3]
    parked = dict(tx.rows("parked"))
    found = set[tuple[str, str, int]]()
    for key, row in tx.rows("returns"):
        if row["batch_id"] in created_by:
            found.add(("return", key, row["return_no"]))
    claimed = {key[:2] for key, _ in tx.rows("label_claims")}
    for (carrier, number), row in tx.rows("labels"):
        if row["batch_id"] in claimed_by and (carrier, number) not in claimed:
            found.add(("label", f"{carrier}/{number}", row["return_no"]))
    for (kind, subject, *_), row in parked.items():
        if kind == "label" and tuple(subject.split("/", 1)) in claimed:
            continue
        if row["batch_id"] in parked_by and (owner := _owner(tx, kind, subject)) is not None:
            found.add((kind, subject, owner))
    chosen = [
        (return_no, key)
        for kind, subject, return_no in sorted(found)
        for key in sorted(parked)
        if key[:3] == (kind, subject, "")
    ]
    for return_no, key in chosen[:limit]:
        tx.lock("parked", key)
        if tx.get("parked", key) is None:
            continue
        row = parked[key]
        tx.update("parked", key, None)
        tx.server.world.saw("a parked event was placed")
        yield (return_no, row["kind"], row["subject"], *_event(row))


def _event(row: Row) -> tuple[Any, ...]:
    return (row["source"], row["id"], *_rest(row))


def _rest(row: Row) -> tuple[Any, ...]:
    # What was parked or kept counts from 1970, and its texts are texts; the history's are what goes over the wire.
    is_history = isinstance(row["data"], bytes)
    at = _moment(row["occurred_at"]) if is_history else from_micros(row["occurred_at"])
    published = _moment(row["published_at"]) if is_history else from_micros(row["published_at"] * 1000)
    data, extensions = row["data"], row["extensions"]
    if is_history:
        data, extensions = data.decode(), extensions and extensions.decode()
    return (
        row["type"],
        at,
        row["zone_source"],
        row["utc_offset"],
        row["code"],
        _text(row["milestone"]),
        data,
        extensions,
        row["topic"],
        _bytes(row["topic_id"]),
        row["partition"],
        row["offset"],
        published,
        row["is_ahead"],
        row["retailers"],
    )


def _bytes(topic_id: Any) -> Any:
    return topic_id.bytes if isinstance(topic_id, UUID) else topic_id


def _is_delivered(tx: Tx, return_no: int, source: str, id_: str, words: bytes) -> bool:
    return any(
        number == return_no and row["source"] == source and row["id"] == id_ and row["key"][8:] == words
        for (number, _), row in tx.rows("history")
    )


def _concerns(delivery: Row, member: Row, days: int) -> bool:
    is_void = delivery["type"] == "com.omnirps.event.voided.v1"
    return bool(is_void or delivery["occurred_at"] - days * 86_400_000_000 <= member["exported_at"])


@_does("journal.sql", "undelivered")
def _undelivered(tx: Tx, params: Any) -> list[Any]:
    days, delivered_by, _, joined_by, limit = params
    delivered_by, joined_by = set(map(int, delivered_by)), set(map(int, joined_by))
    deliveries, members = dict(tx.rows("connote_deliveries")), dict(tx.rows("connote_members"))
    named = {
        (key[0], from_json(row["data"])["source"], from_json(row["data"])["id"])
        for key, row in deliveries.items()
        if row["type"] == "com.omnirps.event.voided.v1"
    }
    due = set[tuple[int, tuple[str, str, str, bytes]]]()
    for key, row in deliveries.items():
        for (connote, return_no), member in members.items():
            is_its, is_new = _concerns(row, member, days), row["batch_id"] in delivered_by
            is_due = (is_new and (is_its or key[:3] in named)) or (is_its and member["batch_id"] in joined_by)
            if connote == key[0] and is_due:
                due.add((return_no, key))
    return [
        (return_no, "connote", *key[:3], *_rest(deliveries[key]))
        for return_no, key in sorted(due)
        if not _is_delivered(tx, return_no, *key[1:])
    ][:limit]


@_does("journal.sql", "end_sweep", writes=True)
def _end_sweep(tx: Tx, params: Any) -> Iterable[Any]:
    tx.lock("cursors", "sweep")
    tx.update("cursors", "sweep", {"n": params[0]})
    return ()


@_does("journal.sql", "stop_sweep", writes=True)
def _stop_sweep(tx: Tx, params: Any) -> Iterable[Any]:
    upto, *label = params
    tx.lock("sweep_turns", "sweep")
    tx.update("sweep_turns", "sweep", {"upto": upto, "label": label})
    return ()


@_does("journal.sql", "extend_history", writes=True)
def _extend(tx: Tx, params: Any) -> Iterable[Any]:
    del tx, params
    return ()


# labels.sql


@_does("labels.sql", "join_claims", writes=True)
def _join_claims(tx: Tx, params: Any) -> Iterable[Any]:
    *columns, batch_id = params
    for carrier, number, return_no, at, retailer, closed_at, is_void in sorted(
        zip(*columns, strict=True), key=lambda row: row[:3]
    ):
        key, batch = (carrier, number, return_no), int(batch_id)
        row = {
            "batch_id": batch,
            "made_in": batch,
            "at": at,
            "retailer": retailer,
            "closed_at": closed_at,
            "told": None,
            "is_void": is_void,
        }
        if tx.insert("label_claims", key, row):
            continue
        known = tx.get("label_claims", key)
        assert known is not None
        if at < known["at"] or closed_at != known["closed_at"]:
            tx.server.world.saw("a claim moved")
            earlier = {"at": at, "retailer": retailer} if at < known["at"] else {}
            tx.update("label_claims", key, known | earlier | {"batch_id": batch, "closed_at": closed_at})
    return ()


@_does("labels.sql", "set_claims", writes=True)
def _set_claims(tx: Tx, params: Any) -> Iterable[Any]:
    *columns, batch_id = params
    for carrier, number, return_no, at, retailer, closed_at, is_void in sorted(
        zip(*columns, strict=True), key=lambda row: row[:3]
    ):
        key, batch = (carrier, number, return_no), int(batch_id)
        now = {"at": at, "retailer": retailer, "closed_at": closed_at, "is_void": is_void}
        if tx.insert("label_claims", key, {"batch_id": batch, "made_in": batch, "told": None, **now}):
            continue
        known = tx.get("label_claims", key)
        assert known is not None
        if any(known[name] != value for name, value in now.items()):
            tx.server.world.saw("a claim was void" if is_void else "a claim moved")
            tx.update("label_claims", key, known | now | {"batch_id": batch})
    return ()


@_does("labels.sql", "touched_labels")
def _touched_labels(tx: Tx, params: Any) -> list[Any]:
    ids = set(map(int, params[0]))
    claimed = {key[:2] for key, _ in tx.rows("label_claims")}
    claims = [(key, row) for key, row in tx.rows("label_claims") if row["batch_id"] in ids]
    found = {key[:2] for key, row in claims if not _stands_alone(tx, key, row)}
    for (kind, subject, *_), row in tx.rows("parked"):
        label = tuple(subject.split("/", 1))
        if kind == "label" and row["batch_id"] in ids and (label in claimed or row["retailers"]):
            known = label in claimed or tx.get("labels", label) is not None
            found |= {label} if known else set()
        if row["retailers"] and (owner := tx.get("labels", label)) is not None and owner["batch_id"] in ids:
            found.add(label)
    bound = {key[:2] for key, _ in tx.rows("bound_scans")}
    bound |= {tuple(row["subject"].split("/", 1)) for _, row in tx.rows("parked") if row["retailers"]}
    return [(*label, label in bound) for label in sorted(found)]


def _stands_alone(tx: Tx, key: Any, row: Any) -> bool:
    """Whether nobody but who was known first claims the label, nobody was told of it, and no scan of it waits."""
    label, owner = key[:2], tx.get("labels", key[:2])
    return (
        not row["is_void"]
        and row["told"] is None
        and owner is not None
        and owner["return_no"] == key[2]
        and all(other[:2] != label or other == key for other, _ in tx.rows("label_claims"))
        and all((kind, subject) != ("label", "/".join(label)) for (kind, subject, *_), _ in tx.rows("parked"))
        and all(other[:2] != label for other, _ in tx.rows("bound_scans"))
    )


@_does("labels.sql", "claims")
def _claims(tx: Tx, params: Any) -> list[Any]:
    carrier, number, limit, own = params
    names, upto = return_ids(tx), _cursor(tx, "sweep")
    done = {row["batch_id"] for n, row in tx.rows("batches") if n <= upto} | {int(own)}
    rows = sorted((key[2], row) for key, row in tx.rows("label_claims") if key[:2] == (carrier, number))[:limit]
    return sorted(
        (
            (
                return_no,
                from_micros(row["at"]),
                row["retailer"],
                None if row["closed_at"] is None else from_micros(row["closed_at"]),
                None if row["told"] is None else from_json(row["told"]),
                names[return_no],
                row["batch_id"] not in done,
                row["made_in"] not in done and row["made_in"] == row["batch_id"],
                row["is_void"],
            )
            for return_no, row in rows
        ),
        key=lambda row: (row[1], row[0]),
    )


@_does("labels.sql", "tell", writes=True)
def _tell(tx: Tx, params: Any) -> Iterable[Any]:
    return_nos, told, *label = params
    for return_no, text in zip(return_nos, told, strict=True):
        key = (*label, return_no)
        tx.lock("label_claims", key)
        row = tx.get("label_claims", key)
        assert row is not None
        tx.server.world.saw("a window moved")
        tx.update("label_claims", key, row | {"told": text})
    return ()


@_does("labels.sql", "bounds")
def _bounds(tx: Tx, params: Any) -> list[Any]:
    subject, _, *label = params
    waiting = {key[2] for key, _ in tx.rows("parked") if key[:2] == ("label", subject) and key[2]}
    held = [(key[2], key[3], row["told"]) for key, row in tx.rows("bound_scans") if key[:2] == tuple(label)]
    told = [(text, return_no, None if said is None else from_json(said)) for text, return_no, said in held]
    return [*told, *((text, None, None) for text in sorted(waiting))]


@_does("labels.sql", "keep_bound", writes=True)
def _keep_bound(tx: Tx, params: Any) -> Iterable[Any]:
    for key in sorted(zip(*params, strict=True)):
        tx.insert("bound_scans", key, {"told": None})
        tx.server.world.saw("a scan counted for some retailers only")
    return ()


@_does("labels.sql", "tell_bound", writes=True)
def _tell_bound(tx: Tx, params: Any) -> Iterable[Any]:
    return_nos, told, *name = params
    for return_no, text in sorted(zip(return_nos, told, strict=True)):
        key = (*name, return_no)
        if not tx.insert("bound_scans", key, {"told": text}):
            tx.lock("bound_scans", key)
            tx.update("bound_scans", key, {"told": text})
        tx.server.world.saw("a window moved for some retailers only")
    return ()


@_does("labels.sql", "waiting_scans")
def _waiting_scans(tx: Tx, params: Any) -> list[Any]:
    wanted, subject, limit, _ = params
    rows = sorted((key, row) for key, row in tx.rows("parked") if key[:2] == ("label", subject) and key[2] in wanted)
    return [(row["kind"], row["subject"], *_event(row)) for _, row in rows[:limit]]


@_does("labels.sql", "unpark_scans", writes=True)
def _unpark_scans(tx: Tx, params: Any) -> Iterable[Any]:
    *columns, subject = params
    for named in zip(*columns, strict=True):
        key = "label", subject, *named
        tx.lock("parked", key)
        if tx.get("parked", key) is not None:
            tx.update("parked", key, None)
    return ()


@_does("labels.sql", "scan_places")
def _scan_places(tx: Tx, params: Any) -> Iterator[Any]:
    return_no, carrier, number, retailers = params
    for row in history_of(tx, return_no):
        data = from_json(row["data"])
        if (row["retailers"] or "") != retailers:
            continue
        if row["code"] is not None and (data.get("carrier"), data.get("tracking_number")) == (carrier, number):
            yield row["seq"], row["source"], row["id"], _moment(row["occurred_at"]), row["key"]


@_does("labels.sql", "scans_at")
def _scans_at(tx: Tx, params: Any) -> Iterator[Any]:
    return_nos, seqs, subject = params
    for key in zip(return_nos, seqs, strict=True):
        row = tx.get("history", key)
        assert row is not None
        tx.server.world.saw("a scan went to another return too")
        yield "label", subject, *_event(row)


# batch_log.sql


@_does("batch_log.sql", "end")
def _end(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    yield (newest(tx),)


@_does("batch_log.sql", "batches")
def _batches(tx: Tx, params: Any) -> list[Any]:
    rows = sorted(tx.rows("batches"), key=lambda item: item[0])
    found = [(n, str(row["batch_id"]), row["recorded_at"], row["events"]) for n, row in rows if n >= params["first"]]
    return found[: params["limit"]]


_ALTERING: Final = frozenset({"DS", "RP", "RE", "RR"})


def return_ids(tx: Tx) -> dict[int, str]:
    """The returns by number."""
    return {row["return_no"]: key for key, row in tx.rows("returns")}


@_does("batch_log.sql", "rows")
def _log_rows(tx: Tx, params: Any) -> list[Any]:
    numbers = dict(zip(map(int, params["ids"]), params["numbers"], strict=True))
    after = params["n"], params["return_no"], params["seq"]
    names, always = return_ids(tx), params["always"]
    found = list[Any]()
    for (return_no, seq), row in tx.rows("history"):
        n = numbers.get(row["batch_id"])
        told = row["changes"] is not None or row["reason"] is not None or row["verdict"] == "unmapped"
        told = told or row["exceptions"] is not None
        if n is None or return_no not in names or not (told or row["type"] in always) or (n, return_no, seq) <= after:
            continue
        with_data = row["reason"] is not None or row["milestone"] in _ALTERING or row["type"] in always
        with_data = with_data or row["exceptions"] is not None
        found.append(
            (
                n,
                return_no,
                seq,
                names[return_no],
                row["recorded_at"],
                row["source"],
                row["id"],
                row["type"],
                _moment(row["occurred_at"]),
                _text(row["milestone"]),
                row["code"],
                str(row["verdict"]),
                _text(row["reason"]),
                None if row["changes"] is None else from_json(row["changes"]),
                row["version"],
                from_json(row["state"]),
                row["topic"],
                row["partition"],
                row["offset"],
                None if row["exceptions"] is None else from_json(row["exceptions"]),
                from_json(row["data"]) if with_data else None,
            )
        )
    return sorted(found, key=lambda row: row[:3])[: params["limit"]]


@_does("batch_log.sql", "letters")
def _log_letters(tx: Tx, params: Any) -> list[Any]:
    numbers = dict(zip(map(int, params["ids"]), params["numbers"], strict=True))
    found = list[Any]()
    for _, row in tx.rows("dead_letters"):
        n = numbers.get(row["batch_id"])
        if n is None or (n, row["letter_no"]) <= (params["n"], params["letter_no"]):
            continue
        found.append(_kept_letter(row) | {"n": n, "fits": True})
    return sorted(found, key=lambda row: (row["n"], row["letter_no"]))[: params["limit"]]


@_does("batch_log.sql", "lead", writes=True)
def _lead(tx: Tx, params: Any) -> Iterator[Any]:
    holder = tx.server.locks.setdefault(params["lock"], tx.session)
    if holder is not tx.session:
        tx.server.world.saw("a relay stood by")
    yield (holder is tx.session,)


@_does("batch_log.sql", "ping")
def _ping(tx: Tx, params: Any) -> Iterator[Any]:
    del tx, params
    yield (1,)


@_does("batch_log.sql", "batch_id")
def _batch_id(tx: Tx, params: Any) -> Iterator[Any]:
    if (row := tx.get("batches", params["n"])) is not None:
        yield (str(row["batch_id"]),)


@_does("batch_log.sql", "told_before")
def _told_before(tx: Tx, params: Any) -> list[Any]:
    numbers = {row["batch_id"]: n for n, row in tx.rows("batches")}
    names, upto = return_ids(tx), (params["n"], params["return_no"], params["seq"])
    found = [
        (numbers[row["batch_id"]], *key, names[key[0]], row["version"])
        for key, row in tx.rows("history")
        if row["changes"] is not None and row["batch_id"] in numbers and (numbers[row["batch_id"]], *key) <= upto
    ]
    return sorted(found, key=lambda row: row[:3], reverse=True)[: params["limit"]]


@_does("batch_log.sql", "row_of")
def _place(tx: Tx, params: Any) -> Iterator[Any]:
    owner = tx.get("returns", params["return_id"])
    numbers = {row["batch_id"]: n for n, row in tx.rows("batches")}
    if owner is None:
        return
    for row in reversed(history_of(tx, owner["return_no"])):
        if row["changes"] is None:
            continue
        if row["version"] - len(from_json(row["changes"])) < params["version"] <= row["version"]:
            yield numbers[row["batch_id"]], row["return_no"], row["seq"]
            return


@_does("batch_log.sql", "reconciled")
def _reconciled(tx: Tx, params: Any) -> Iterable[Any]:
    del tx, params
    return ()


# letters.sql


def _is_selected(row: Row, params: Any) -> bool:
    return row["resolved_at"] is None and all(
        params[name] is None or row[column] in params[name]
        for name, column in (("reasons", "reason"), ("topics", "topic"), ("letter_nos", "letter_no"))
    )


@_does("letters.sql", "extent")
def _extent(tx: Tx, params: Any) -> Iterator[Any]:
    numbers = [row["letter_no"] for _, row in tx.rows("dead_letters") if _is_selected(row, params)]
    yield len(numbers), max(numbers, default=0)


def _kept_letter(row: Row) -> Row:
    """By the names of the columns: the adapter asks for values of a class."""
    names = ("letter_no", "topic", "topic_id", "partition", "offset", "key", "value", "reason", "error", "attempts")
    kept = {name: row[name] for name in (*names, "recorded_at", "resolved_at")}
    size = None if row["value"] is None else len(row["value"])
    published_at = from_micros(row["published_at"] * 1000)
    return kept | {"published_at": published_at, "size": size, "headers": from_json(row["headers"])}


@_does("letters.sql", "take", writes=True)
def _take(tx: Tx, params: Any) -> Iterator[Any]:
    rows = sorted(tx.rows("dead_letters"), key=lambda item: item[1]["letter_no"])
    taken = 0
    for key, row in rows:
        if not (_is_selected(row, params) and params["after"] < row["letter_no"] <= params["upto"]):
            continue
        if tx.server.pending.get(("dead_letters", key)) not in {None, tx}:
            tx.server.world.saw("a letter was locked by another replay")
            continue
        if taken == params["limit"]:
            return
        tx.lock("dead_letters", key)
        taken += 1
        yield _kept_letter(row)


@_does("letters.sql", "take_one", writes=True)
def _take_one(tx: Tx, params: Any) -> Iterator[Any]:
    for key, row in list(tx.rows("dead_letters")):
        if row["letter_no"] == params[1]:
            tx.lock("dead_letters", key)
            now = tx.get("dead_letters", key)
            if now is not None:
                yield _kept_letter(now)


def _by_number(tx: Tx) -> dict[int, Any]:
    return {row["letter_no"]: key for key, row in tx.rows("dead_letters")}


@_does("letters.sql", "resolve", writes=True)
def _resolve_letters(tx: Tx, params: Any) -> Iterable[Any]:
    keys = _by_number(tx)
    for number in params[0]:
        tx.lock("dead_letters", keys[number])
        row = tx.get("dead_letters", keys[number])
        assert row is not None
        tx.update("dead_letters", keys[number], row | {"resolved_at": _now(tx), "attempts": row["attempts"] + 1})
    return ()


@_does("letters.sql", "fail", writes=True)
def _fail_letters(tx: Tx, params: Any) -> Iterable[Any]:
    keys = _by_number(tx)
    for number, reason, error in zip(*params, strict=True):
        tx.lock("dead_letters", keys[number])
        row = tx.get("dead_letters", keys[number])
        assert row is not None
        new = {"attempts": row["attempts"] + 1, "reason": reason, "error": error}
        tx.update("dead_letters", keys[number], row | new)
    return ()


def _unmapped_rows(tx: Tx) -> list[Row]:
    rows = [row for _, row in sorted(tx.rows("history"), key=lambda item: item[0])]
    return [
        row
        for row in rows
        if row["verdict"] == "unmapped"
        and not any(
            (again["return_no"], again["source"], again["id"]) == (row["return_no"], row["source"], row["id"])
            and again["seq"] > row["seq"]
            and again["verdict"] != "unmapped"
            and all(again[name] == row[name] for name in ("occurred_at", "data", "retailers"))
            for again in rows
        )
    ]


@_does("letters.sql", "count_unmapped")
def _count_unmapped(tx: Tx, params: Any) -> list[Any]:
    counts: dict[tuple[str, str], int] = {}
    for row in _unmapped_rows(tx):
        key = from_json(row["data"])["carrier"], row["code"]
        if params["carrier"] in {None, key[0]} and params["code"] in {None, key[1]}:
            counts[key] = counts.get(key, 0) + 1
    return [(*key, number) for key, number in sorted(counts.items())]


@_does("letters.sql", "unmapped")
def _unmapped(tx: Tx, params: Any) -> list[Any]:
    carrier, code, return_no, seq, limit = params
    found = list[Any]()
    for row in _unmapped_rows(tx):
        data = from_json(row["data"])
        if (data["carrier"], row["code"]) != (carrier, code) or (row["return_no"], row["seq"]) <= (return_no, seq):
            continue
        subject = f"{carrier}/{data['tracking_number']}"
        found.append((row["return_no"], row["seq"], "label", subject, *_event(row)))
    return found[:limit]


# verify.sql


@_does("verify.sql", "continuations")
def _continuations(tx: Tx, params: Any) -> Iterable[Any]:
    del tx, params
    return ()


@_does("verify.sql", "histories")
def _histories(tx: Tx, params: Any) -> list[Any]:
    del params
    names, found = return_ids(tx), list[Any]()
    for (return_no, seq), row in sorted(tx.rows("history"), key=lambda item: item[0]):
        found.append(
            (
                return_no,
                names.get(return_no),
                seq,
                row["source"],
                row["id"],
                row["type"],
                _moment(row["occurred_at"]),
                _text(row["milestone"]),
                from_json(row["data"]),
                str(row["verdict"]),
                _text(row["reason"]),
                None if row["changes"] is None else from_json(row["changes"]),
                row["version"],
                _text(row["status"]),
                from_json(row["state"]),
                row["key"],
                row["seen"],
                _text(row["effect"]),
                None if row["exceptions"] is None else from_json(row["exceptions"]),
                row["is_ahead"],
                row["retailers"],
            )
        )
    without = names.keys() - {row[0] for row in found}
    found += [(number, names[number], None, *[None] * 18) for number in without]
    return sorted(found, key=lambda row: (row[0], row[2] or 0))


@_does("verify.sql", "labels")
def _all_labels(tx: Tx, params: Any) -> list[Any]:
    del params
    upto = _cursor(tx, "sweep")
    unswept = {row["batch_id"] for n, row in tx.rows("batches") if n > upto}
    claims = dict(tx.rows("label_claims"))
    swept = {key[:2] for key, row in claims.items() if not row["is_void"] and row["batch_id"] not in unswept}
    firsts = {(*label, row["return_no"]) for label, row in tx.rows("labels")}
    found = list[Any]()
    for key in firsts | claims.keys():
        row = claims.get(key)
        columns: tuple[Any, ...] = (None,) * 5
        if row is not None:
            closed_at = None if row["closed_at"] is None else from_micros(row["closed_at"])
            told = None if row["told"] is None else from_json(row["told"])
            columns = from_micros(row["at"]), row["retailer"], closed_at, row["is_void"], told
        found.append((key[2], *key[:2], *columns, key[:2] in swept))
    return sorted(found, key=lambda row: row[:3])


@_does("verify.sql", "contested")
def _contested(tx: Tx, params: Any) -> list[Any]:
    del params
    claims = Counter(key[:2] for key, _ in tx.rows("label_claims"))
    return sorted(label for label, count in claims.items() if count > 1)


@_does("verify.sql", "parked_although_known")
def _parked_although_known(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    for key, row in sorted(tx.rows("parked"), key=lambda item: item[0]):
        owner = _owner(tx, row["kind"], row["subject"])
        label = tuple(row["subject"].split("/", 1))
        claims = {at[2]: claim for at, claim in tx.rows("label_claims") if row["kind"] == "label" and at[:2] == label}
        is_void = owner in claims and all(claim["is_void"] for claim in claims.values())
        if row["retailers"]:
            is_known = any(c["retailer"] in row["retailers"].split(",") and not c["is_void"] for c in claims.values())
        else:
            is_known = owner is not None and not is_void
        if is_known:
            yield (*key[:2], *key[3:5])


@_does("verify.sql", "undelivered_members")
def _undelivered_members(tx: Tx, params: Any) -> Iterator[Any]:
    names = return_ids(tx)
    for key, delivery in sorted(tx.rows("connote_deliveries"), key=lambda item: item[0]):
        for (connote, return_no), member in sorted(tx.rows("connote_members"), key=lambda item: item[0]):
            is_due = connote == key[0] and _concerns(delivery, member, params[0])
            if is_due and not _is_delivered(tx, return_no, *key[1:]):
                yield (*key[:3], names.get(return_no))


@_does("verify.sql", "listed_otherwise")
def _listed_otherwise(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    upto = _cursor(tx, "search")
    ids = {row["batch_id"] for n, row in tx.rows("batches") if n <= upto}
    last: dict[int, Row] = {}
    for (return_no, seq), row in tx.rows("history"):
        if row["batch_id"] in ids and (return_no not in last or last[return_no]["seq"] < seq):
            last[return_no] = row
    names, listed = return_ids(tx), dict(tx.rows("search_returns"))
    for return_no in sorted(last.keys() | listed.keys()):
        here, there = listed.get(return_no), last.get(return_no)
        held = (here["version"], here["status"]) if here else (None, None)
        true = (there["version"], _text(there["status"])) if there else (None, None)
        if held != true:
            yield names.get(return_no), held[0], true[0], held[1], true[1]


@_does("verify.sql", "miscounted_returns")
def _miscounted_returns(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    counted: dict[tuple[str, str], int] = {}
    for _, row in tx.rows("search_returns"):
        key = row["route"], row["status"]
        counted[key] = counted.get(key, 0) + 1
    yield from _differences(tx, "search_counts", "returns", counted)


def _differences(tx: Tx, table: str, column: str, counted: dict[Any, int]) -> Iterator[Any]:
    held = {key: row[column] for key, row in tx.rows(table)}
    for key in sorted(held.keys() | counted.keys(), key=str):
        if held.get(key, 0) != counted.get(key, 0):
            yield (*(key if isinstance(key, tuple) else (key,)), held.get(key, 0), counted.get(key, 0))


@_does("verify.sql", "miscounted_days")
def _miscounted_days(tx: Tx, params: Any) -> Iterator[Any]:
    counted: dict[Any, int] = {}
    for _, row in tx.rows("search_returns"):
        for milestone, day in zip(params[0], _days(row["reached"]), strict=True):
            if day is not None:
                key = day, milestone, row["route"]
                counted[key] = counted.get(key, 0) + 1
    yield from _differences(tx, "search_days", "returns", counted)


@_does("verify.sql", "miscounted_connotes")
def _miscounted_connotes(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    counted: dict[Any, list[int]] = {}
    for _, row in tx.rows("search_returns"):
        if row["connote"] is not None and row["status"] in {"RE", "RDBTC"}:
            numbers = counted.setdefault((row["connote"], row["retailer"], row["carrier"]), [0, 0])
            numbers[row["status"] == "RDBTC"] += 1
    held = {key: [row["under_way"], row["delivered"]] for key, row in tx.rows("search_connotes")}
    for key in sorted(held.keys() | counted.keys()):
        has, true = held.get(key, [0, 0]), counted.get(key, [0, 0])
        if has != true:
            yield (*key, has[0], true[0], has[1], true[1])


@_does("verify.sql", "miscounted_minutes")
def _miscounted_minutes(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    counted: dict[Any, int] = {}
    upto = _cursor(tx, "minutes")
    for n, row in tx.rows("batches"):
        if n <= upto and row["events"] > 0:
            minute = row["recorded_at"].replace(second=0, microsecond=0)
            counted[minute] = counted.get(minute, 0) + row["events"]
    yield from _differences(tx, "search_minutes", "events", counted)


# search.sql


def _days(reached: str) -> list[Any]:
    """PostgreSQL's text of an array of dates, read."""
    parts = reached.strip("{}").split(",")
    return [None if part == "NULL" else datetime.fromisoformat(part).date() for part in parts]


@_does("search.sql", "is_behind")
def _is_behind(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    yield _cursor(tx, "search"), newest(tx)


@_does("search.sql", "begin", writes=True)
def _begin(tx: Tx, params: Any) -> Iterator[Any]:
    del params
    if tx.server.pending.get(("cursors", "search")) not in {None, tx}:
        tx.server.world.saw("another projector was at work")
        return
    tx.lock("cursors", "search")
    yield (_cursor(tx, "search"),)


_SEARCH_RETURN: Final = _names(
    "return_no, return_id, retailer, route, carrier, tracking_number, order_number, connote, hub, status, status_at, "
    "status_recorded_at, version, complete, created_at, updated_at, seq, reached, exported_at, "
    "closed_at, closed_reason"
)


@_does("search.sql", "put_returns", writes=True)
def _put_returns(tx: Tx, params: Any) -> Iterable[Any]:
    for values in zip(*params, strict=True):
        row = dict(zip(_SEARCH_RETURN, values, strict=True))
        if row["status_recorded_at"] is None:
            continue
        tx.lock("search_returns", row["return_no"])
        known = tx.get("search_returns", row["return_no"])
        if known is None or known["seq"] < row["seq"]:
            hub = row["hub"] if row["hub"] is not None or known is None else known["hub"]
            tx.update("search_returns", row["return_no"], row | {"hub": hub})
    return ()


@_does("search.sql", "touch_returns", writes=True)
def _touch_returns(tx: Tx, params: Any) -> Iterable[Any]:
    for values in zip(*params, strict=True):
        row = dict(zip(_SEARCH_RETURN, values, strict=True))
        known = tx.get("search_returns", row["return_no"])
        if known is None or known["seq"] >= row["seq"] or row["status_recorded_at"] is not None:
            continue
        tx.lock("search_returns", row["return_no"])
        kept = {"status_recorded_at": known["status_recorded_at"], "hub": row["hub"] or known["hub"]}
        tx.update("search_returns", row["return_no"], row | kept)
    return ()


@_does("search.sql", "counted")
def _counted(tx: Tx, params: Any) -> Iterator[Any]:
    for return_no in params[0]:
        if (row := tx.get("search_returns", return_no)) is not None:
            held = (row[name] for name in ("connote", "retailer", "carrier"))
            yield return_no, row["seq"], row["route"], row["status"], _days(row["reached"]), *held


@_does("search.sql", "count_returns", writes=True)
def _count_returns(tx: Tx, params: Any) -> Iterable[Any]:
    for route, status, number in zip(*params, strict=True):
        _add(tx, "search_counts", (route, status), "returns", number)
    return ()


def _add(tx: Tx, table: str, key: Any, column: str, number: int) -> None:
    tx.lock(table, key)
    row = tx.get(table, key)
    tx.update(table, key, {column: (row[column] if row else 0) + number})


@_does("search.sql", "count_days", writes=True)
def _count_days(tx: Tx, params: Any) -> Iterable[Any]:
    for day, milestone, route, number in zip(*params, strict=True):
        _add(tx, "search_days", (day, milestone, route), "returns", number)
    return ()


@_does("search.sql", "count_connotes", writes=True)
def _count_connotes(tx: Tx, params: Any) -> Iterable[Any]:
    for *share, under_way, delivered in zip(*params, strict=True):
        key = tuple(share)
        tx.lock("search_connotes", key)
        known = tx.get("search_connotes", key) or {"under_way": 0, "delivered": 0}
        numbers = {"under_way": known["under_way"] + under_way, "delivered": known["delivered"] + delivered}
        tx.update("search_connotes", key, known | numbers)
    return ()


@_does("search.sql", "time_connotes", writes=True)
def _time_connotes(tx: Tx, params: Any) -> Iterable[Any]:
    for key in zip(*params, strict=True):
        shared = [r for _, r in tx.rows("search_returns") if (r["connote"], r["retailer"], r["carrier"]) == key]
        waiting = [row["status_at"] for row in shared if row["status"] == "RE"]
        arrived = [row for row in shared if row["status"] == "RDBTC"]
        last = max((row["status_at"] for row in arrived), default=None)
        exported = [row["exported_at"] for row in arrived if row["status_at"] == last]
        times = {"exported_at": min(waiting or exported, default=None), "delivered_at": last}
        tx.update("search_connotes", key, (tx.get("search_connotes", key) or {}) | times)
    return ()


@_does("search.sql", "forget_connotes", writes=True)
def _forget_connotes(tx: Tx, params: Any) -> Iterable[Any]:
    for key in zip(*params, strict=True):
        known = tx.get("search_connotes", key)
        if known is not None and known["under_way"] <= 0 and known["delivered"] <= 0:
            tx.update("search_connotes", key, None)
    return ()


@_does("search.sql", "count_minutes", writes=True)
def _count_minutes(tx: Tx, params: Any) -> Iterable[Any]:
    after = max(params["after"], _cursor(tx, "minutes"))
    for n, row in sorted(tx.rows("batches"), key=lambda item: item[0]):
        if after < n <= params["upto"] and row["events"] > 0:
            minute = row["recorded_at"].replace(second=0, microsecond=0)
            _add(tx, "search_minutes", minute, "events", row["events"])
    return ()


@_does("search.sql", "end_minutes", writes=True)
def _end_minutes(tx: Tx, params: Any) -> Iterable[Any]:
    tx.lock("cursors", "minutes")
    tx.update("cursors", "minutes", {"n": max(_cursor(tx, "minutes"), params[0])})
    return ()


@_does("search.sql", "end", writes=True)
def _end_search(tx: Tx, params: Any) -> Iterable[Any]:
    tx.lock("cursors", "search")
    tx.update("cursors", "search", {"n": params[0]})
    return ()


_EXCEPTION: Final = _names(
    "return_no, seq, return_id, retailer, verdict, reason, milestone, code, type, source, id, carrier, tracking_number, "
    "connote, occurred_at, recorded_at, resolved_at, begun_seq"
)


@_does("search.sql", "put_exceptions", writes=True)
def _put_exceptions(tx: Tx, params: Any) -> Iterable[Any]:
    for values in zip(*params, strict=True):
        tx.insert("search_exceptions", values[:2], dict(zip(_EXCEPTION, values, strict=True)))
    return ()


@_does("search.sql", "open_exceptions")
def _open_exceptions(tx: Tx, params: Any) -> Iterator[Any]:
    wanted = set(params[0])
    for (return_no, _), row in sorted(tx.rows("search_exceptions"), key=lambda item: item[0]):
        if return_no in wanted and row["resolved_at"] is None:
            yield tuple(row[name] for name in _EXCEPTION)


@_does("search.sql", "resolve", writes=True)
def _resolve(tx: Tx, params: Any) -> Iterable[Any]:
    for return_no, seq, at in zip(*params, strict=True):
        row = tx.get("search_exceptions", (return_no, seq))
        if row is not None:
            tx.lock("search_exceptions", (return_no, seq))
            tx.update("search_exceptions", (return_no, seq), row | {"resolved_at": at})
    return ()


@_does("search.sql", "resolve_untold", writes=True)
def _resolve_untold(tx: Tx, params: Any) -> Iterable[Any]:
    ids = {row["batch_id"] for n, row in tx.rows("batches") if params[0] < n <= params[1]}
    again = [
        row
        for _, row in tx.rows("history")
        if row["batch_id"] in ids and row["code"] is not None and row["verdict"] != "unmapped"
    ]
    for key, before in list(tx.rows("search_exceptions")):
        if before["resolved_at"] is not None:
            continue
        over = [
            row["recorded_at"]
            for row in again
            if row["return_no"] == key[0]
            and row["seq"] > key[1]
            and before["verdict"] == "unmapped"
            and _told_of(before) == (*_told_of(row)[:3], _moment(row["occurred_at"]))
        ]
        if over:
            tx.lock("search_exceptions", key)
            tx.update("search_exceptions", key, before | {"resolved_at": min(over)})
    return ()


def _told_of(row: Row) -> tuple[Any, ...]:
    return row["source"], row["id"], row["code"], row["occurred_at"]


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return to_micros(moment)
