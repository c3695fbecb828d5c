"""save-appointment's answer, for one trip and for fifty at once, against a bare transaction that inserts the same rows: turn and
turn about, at the same rate.

The bare one writes as few statements as can be: one for all trips, one for all audit entries, one for all tasks.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

import psycopg
from psycopg_pool import AsyncConnectionPool

from bench.answer import SLICES
from bench.house import House
from bench.load import Line, Shot, shoot
from bench.stats import Series, quantile, ratio

MANY = 50
SLOWER = 20  # fifty trips are saved that many times less often than one; at least five times a second
_hours = count(1)
_LONG_AHEAD = datetime(2030, 1, 1, 12, tzinfo=UTC)

_CLIENT = """insert into clients (knumber, firstname, lastname, phone, email, civicaddress, city, prov, postalcode)
values ('K3000001', 'Bench', 'Rider', '+19025550123', 'rider@example.test', '1 High St', 'Truro', 'NS', 'B2N 1A1') returning id"""
_TRIPS = """insert into appointments (client_id, appointmenttime, transittime, this_appointment_length,
                          locationname, locationaddress, managed_by)
select %(client)s, t.at, 30, 60, 'QEII', '1796 Summer St, Halifax', %(user)s
  from unnest(%(at)s::timestamptz[]) t (at) returning id"""
_AUDIT = """insert into audit_logs (action, entity_type, entity_id, user_id, user_name, role)
select 'create_appointment', 'appointment', t.id, %(user)s, 'Bare', 'booking_agent' from unnest(%(trips)s::uuid[]) t (id)
returning id, entity_id"""
_TASKS = """insert into background_tasks (entity_type, entity_id, entity_label, task_type, created_by,
                              audit_log_id, once_key, lane)
select 'appointment', t.id, 'Bare Rider', k.task_type, %(user)s, t.entry, k.task_type || ':' || t.id, 'quo'
  from unnest(%(trips)s::uuid[], %(entries)s::uuid[]) t (id, entry)
 cross join (values ('send_appointment_notification'), ('sync_appointment_quo')) k (task_type)"""


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    token, user = house.sign_in()
    with psycopg.connect(house.dsn, autocommit=True) as database:
        database.execute("update office_settings set value = 'true' where key = 'notices_on'")
        (client,) = database.execute(_CLIENT).fetchone() or (None,)
    line = Line(house.address)
    headers = f"authorization: Bearer {token}\r\n"
    told: list[Series] = []
    async with AsyncConnectionPool(house.dsn, min_size=8, max_size=20, kwargs={"autocommit": True}, open=False) as pool:
        for trips, pace in ((1, rate), (MANY, max(rate / SLOWER, 5.0))):

            async def save(_: int, trips: int = trips) -> None:
                status, body = await line.post(
                    "/webhook/save-appointment", form(trips), headers + f"idempotency-key: {uuid4()}\r\n"
                )
                if status != 200:
                    raise RuntimeError(f"save-appointment answered {status}: {body.decode()[:200]}")

            async def bare(_: int, trips: int = trips) -> None:
                async with pool.connection() as connection, connection.transaction():
                    await _bare(connection, client, user, trips)

            _same_rows(await _one_of_each(house, save, bare), trips)
            told += _told(trips, pace, *await _in_turn(save, bare, pace, seconds / 2))
    await line.close()
    return told


def form(trips: int) -> bytes:
    rows = [
        {
            "knumber": "K3000001", "appointmentDateTime": at.isoformat(), "location": "QEII", "transitTime": 30,
            "locationAddress": "1796 Summer St, Halifax", "appointmentLength": 60,
        }
        for at in _times(trips)
    ]  # fmt: skip
    return json.dumps({"appointments": rows}).encode()


def _times(trips: int) -> list[datetime]:
    return [_LONG_AHEAD + timedelta(hours=next(_hours) % 500_000) for _ in range(trips)]


async def _bare(connection: psycopg.AsyncConnection[object], client: UUID | None, user: UUID, trips: int) -> None:
    about: dict[str, object] = {"client": client, "user": user, "at": _times(trips)}
    made = await (await connection.execute(_TRIPS, about)).fetchall()
    about["trips"] = [row[0] for row in made if isinstance(row, tuple)]
    audit = await (await connection.execute(_AUDIT, about)).fetchall()
    entries = {row[1]: row[0] for row in audit if isinstance(row, tuple)}
    about |= {"trips": list(entries), "entries": list(entries.values())}
    await connection.execute(_TASKS, about)


async def _one_of_each(house: House, save: Shot, bare: Shot) -> list[tuple[int, ...]]:
    """How many rows each writes, table by table; it warms both up."""
    written: list[tuple[int, ...]] = []
    with psycopg.connect(house.dsn, autocommit=True) as database:
        for shot in (save, bare):
            before = _rows(database)
            await shot(0)
            written.append(tuple(after - earlier for after, earlier in zip(_rows(database), before, strict=True)))
        for _ in range(10):
            await save(0)
            await bare(0)
    return written


def _rows(database: psycopg.Connection[tuple[int, ...]]) -> tuple[int, ...]:
    counted = database.execute(
        "select (select count(*) from appointments), (select count(*) from background_tasks),"
        " (select count(*) from audit_logs where action = 'create_appointment')"
    ).fetchone()
    return counted or ()


def _same_rows(written: list[tuple[int, ...]], trips: int) -> None:
    """A comparison is worth something only while both write the same."""
    if written[0] != written[1]:
        raise RuntimeError(f"save-appointment of {trips} writes {written[0]} rows, the bare transaction {written[1]}")


async def _in_turn(save: Shot, bare: Shot, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(SLICES):
        theirs += await shoot(bare, rate=rate, seconds=seconds / SLICES / 2)
        ours += await shoot(save, rate=rate, seconds=seconds / SLICES / 2)
    return ours, theirs


def _told(trips: int, rate: float, ours: list[float], theirs: list[float]) -> list[Series]:
    many = f"{trips} trip{'s' * (trips > 1)}"
    against = f"{ratio(ours, theirs, 0.5)} p50, {quantile(ours, 0.5) - quantile(theirs, 0.5):+.1f} ms"
    return [
        Series(f"bare transaction, {many}, same rows, {rate:.0f}/s", theirs),
        Series(f"save-appointment's answer, {many}, {rate:.0f}/s", ours, against=against, aim="p50 ≤ 3×"),
    ]
