"""add-client's answer against a bare transaction that inserts the same rows: turn and turn about, at the same rate."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import count
from uuid import uuid4

import psycopg
from psycopg_pool import AsyncConnectionPool

from bench.house import House
from bench.load import Line, Shot, shoot
from bench.stats import Series, quantile, ratio

SLICES = 4
_numbers = count(1)

_CLIENT = """insert into clients (knumber, firstname, lastname, phone, email, civicaddress, city, prov, postalcode)
values (%s, 'Bare', 'Row', '+19025550123', 'bare@example.test', '1 High St', 'Truro', 'NS', 'B2N 1A1') returning id"""
_AUDIT = """insert into audit_logs (action, entity_type, entity_id, user_id, user_name, role)
values ('create_client', 'client', %s, %s, 'Bare', 'booking_agent') returning id"""
_TASK = """insert into background_tasks (entity_type, entity_id, entity_label, task_type, created_by,
                              audit_log_id, once_key, lane)
values ('client', %s, 'Bare Row', %s, %s, %s, %s, %s)"""


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    token, user = house.sign_in()
    line = Line(house.address)
    headers = f"authorization: Bearer {token}\r\n"

    async def add_client(_: int) -> None:
        status, body = await line.post("/webhook/add-client", form(), headers + f"idempotency-key: {uuid4()}\r\n")
        if status != 200:
            raise RuntimeError(f"add-client answered {status}: {body.decode()[:200]}")

    async with AsyncConnectionPool(house.dsn, min_size=8, max_size=20, kwargs={"autocommit": True}, open=False) as pool:

        async def bare(_: int) -> None:
            async with pool.connection() as connection, connection.transaction():
                await _bare(connection, user)

        await shoot(add_client, rate=20, seconds=1)  # warm up both
        await shoot(bare, rate=20, seconds=1)
        alone = await _in_turn(add_client, bare, rate, seconds)
        with house.worker() if seconds else ExitStack():
            working = await _in_turn(add_client, bare, rate, seconds)
    await line.close()
    return [*_told("nobody working", rate, *alone), *_told("a worker at it", rate, *working)]


async def _in_turn(add_client: Shot, bare: Shot, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(SLICES):
        theirs += await shoot(bare, rate=rate, seconds=seconds / SLICES / 2)
        ours += await shoot(add_client, rate=rate, seconds=seconds / SLICES / 2)
    return ours, theirs


def _told(when: str, rate: float, ours: list[float], theirs: list[float]) -> list[Series]:
    against = f"{ratio(ours, theirs, 0.5)} p50, {quantile(ours, 0.5) - quantile(theirs, 0.5):+.1f} ms"
    return [
        Series(f"bare transaction, same rows, {rate:.0f}/s, {when}", theirs),
        Series(f"add-client's answer, {rate:.0f}/s, {when}", ours, against=against, aim="p50 ≤ 3×, p95 ≤ 15 ms"),
    ]


def form() -> bytes:
    number = next(_numbers)
    client = {
        "firstName": "Bench", "lastName": f"Client {number}", "phone": "902-555-0123", "email": f"c{number}@example.test",
        "civicAddress": f"{number % 300 + 1} High St", "city": "Truro", "province": "NS", "postalCode": "B2N 1A1",
    }  # fmt: skip
    return json.dumps({"kNumber": f"K1{number:06d}", "clientData": client, "selectedClinicIds": []}).encode()


async def _bare(connection: psycopg.AsyncConnection[object], user: object) -> None:
    client = await (await connection.execute(_CLIENT, (f"K2{next(_numbers):06d}",))).fetchone()
    entity = client[0] if isinstance(client, tuple) else None
    entry = await (await connection.execute(_AUDIT, (entity, user))).fetchone()
    audit = entry[0] if isinstance(entry, tuple) else None
    for task, lane in (("calculate_drive_times", "maps"), ("sync_quo", "quo")):
        await connection.execute(_TASK, (entity, task, user, audit, f"{task}:{entity}", lane))
