"""Tasks a second from start to finish: each is started, run and completed in the ledger, attempts included."""

from __future__ import annotations

import time
from contextlib import ExitStack
from uuid import uuid4

import psycopg

from bench.house import House
from bench.pickup import drained
from bench.stats import Series

TASKS = 2000
_MANY = "select count(create_background_task('bench', gen_random_uuid(), 'bench', 'bench_noop')) from generate_series(1, %s)"


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    return [
        Series(f"tasks a second, end to end, {workers} worker{'s' * (workers > 1)}", [await _measure(house, workers)], "/s")
        for workers in (1, 2)
    ]


async def _measure(house: House, workers: int) -> float:
    with ExitStack() as running:
        for _ in range(workers):
            running.enter_context(house.noop_worker(house.home / f"noop-{uuid4().hex}.log"))
        async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as database:
            began = time.perf_counter()
            await database.execute(_MANY, (TASKS,))
            await drained(database)
            return TASKS / (time.perf_counter() - began)
