"""From commit to the first line of the task, on an idle worker and with two of them."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg

from bench.house import House
from bench.stats import Series

_CREATE = "select create_background_task('bench', %s, 'bench', 'bench_noop')"
_LEFT = "select count(*) from background_tasks where task_type = 'bench_noop' and status in ('pending', 'processing')"


async def measure(house: House, *, seconds: float, rate: float) -> list[Series]:
    return [
        Series(
            f"commit to pick-up, {workers} worker{'s' * (workers > 1)}",
            await _measure(house, workers, seconds),
            aim="p95 ≤ 10 ms",
        )
        for workers in (1, 2)
    ]


async def _measure(house: House, workers: int, seconds: float) -> list[float]:
    committed: dict[str, float] = {}
    logs = [house.home / f"noop-{uuid4().hex}.log" for _ in range(workers)]
    with ExitStack() as running:
        for log in logs:
            running.enter_context(house.noop_worker(log))
        async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as database:
            await asyncio.sleep(1)
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                row = await (await database.execute(_CREATE, (uuid4(),))).fetchone()
                committed[str(row[0] if row else "")] = time.time()
                await asyncio.sleep(random.uniform(0.02, 0.06))  # noqa: S311  (not in step with anything)
            await drained(database)
    return [(float(began) - committed[task]) * 1000 for task, began in _read(logs) if task in committed]


async def drained(database: psycopg.AsyncConnection[object], longest_s: float = 120) -> None:
    """Until nothing of ours waits or runs."""
    ends = time.monotonic() + longest_s
    while time.monotonic() < ends:
        row = await (await database.execute(_LEFT)).fetchone()
        if isinstance(row, tuple) and row[0] == 0:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("the tasks were not done in time")


def _read(logs: list[Path]) -> list[tuple[str, str]]:
    return [(line.split()[0], line.split()[1]) for log in logs for line in log.read_text().splitlines()]
