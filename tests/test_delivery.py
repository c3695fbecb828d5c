"""How due tasks reach workers: at once, each to one, whatever becomes of the engine's memory. Whoever saves relies on it.

The engine and the database are real; workers run in this process.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from backhaul.core.delivery import Delivery, sweep
from backhaul.core.store import Store
from backhaul.core.task import Run
from backhaul.core.testing import Database
from backhaul.core.worker import Worker
from backhaul.core.workflow import Workflows
from tests.conftest import as_login

LANES = ("inner", "maps", "quo")


class Office:
    """Counts visits; a visit by way of `maps` waits until the road is open."""

    def __init__(self) -> None:
        self.visits: Counter[UUID] = Counter()
        self.road_open = asyncio.Event()


def workflows() -> Workflows[Office]:
    made: Workflows[Office] = Workflows()

    @made.task()
    async def visit(run: Run[Office]) -> None:
        run.office.visits[run.task_id] += 1

    @made.task(lane="maps")
    async def drive(run: Run[Office]) -> None:
        await run.office.road_open.wait()
        run.office.visits[run.task_id] += 1

    return made


@pytest.fixture
def office() -> Office:
    return Office()


@asynccontextmanager
async def worker(database: Database, office: Office, *, at_once: int = 20, sweeps: bool = True) -> AsyncIterator[Delivery]:
    """One worker, as dispatch/working.py puts it together."""
    store = Store(as_login(database.dsn), at_least=1, at_most=8, house=True)
    await store.open()
    one = Worker(store, workflows(), office)
    delivery = Delivery(store, one.work_on, LANES, at_once=at_once)
    stop = asyncio.Event()
    with one.heartbeat():
        delivering = asyncio.create_task(delivery.run())
        sweeping = asyncio.create_task(sweep(store, stop)) if sweeps else None
        try:
            yield delivery
        finally:
            delivery.stop()
            stop.set()
            office.road_open.set()
            await asyncio.wait_for(delivering, 10)
            if sweeping is not None:
                await sweeping
    await store.close()


def make(database: Database, count: int = 1, *, task_type: str = "visit", lane: str = "inner", in_s: float = 0) -> list[UUID]:
    rows = database.all(
        "select create_background_task('client', gen_random_uuid(), 'Jane Roe', %s, lane => %s,"
        " run_after => now() + %s * interval '1 s') as id from generate_series(1, %s)",
        task_type, lane, in_s, count,
    )  # fmt: skip
    return [row["id"] for row in rows]


def completed(database: Database, count: int) -> Callable[[], bool]:
    return lambda: database.value("select count(*) from background_tasks where status = 'completed'") == count


async def until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


# ── To one, at once ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_workers_do_each_task_once(live_database: Database, office: Office) -> None:
    async with worker(live_database, office), worker(live_database, office):
        make(live_database, 100)
        for _ in range(50):
            make(live_database)
        await until(completed(live_database, 150), within_s=20)
    assert set(office.visits.values()) == {1}
    assert live_database.value("select max(attempt) from background_tasks") == 1
    assert live_database.value("select count(*) from engine.pgqueuer") == 0


async def test_a_task_is_begun_as_soon_as_its_save_is_committed_and_not_before(live_database: Database, office: Office) -> None:
    async with worker(live_database, office, sweeps=False):
        with psycopg.connect(live_database.dsn) as saving:
            saving.execute("select create_background_task('client', gen_random_uuid(), 'Jane Roe', 'visit')")
            seen = make(live_database)
            await until(lambda: bool(office.visits))
            assert list(office.visits) == seen
            saving.commit()
            await until(lambda: len(office.visits) == 2, within_s=0.9)  # sooner than anybody looks by themselves


async def test_a_task_for_later_is_begun_at_its_time(live_database: Database, office: Office) -> None:
    async with worker(live_database, office, sweeps=False):
        make(live_database, in_s=0.5)
        assert not office.visits
        await until(completed(live_database, 1), within_s=5)
    early = "select count(*) from background_tasks where started_at < run_after or started_at > run_after + interval '0.9 s'"
    assert live_database.value(early) == 0


async def test_a_slow_lane_leaves_places_for_the_others(live_database: Database, office: Office) -> None:
    async with worker(live_database, office, at_once=6):
        make(live_database, 12, task_type="drive", lane="maps")
        await until(lambda: live_database.value("select count(*) from background_tasks where status = 'processing'") == 4)
        make(live_database, 5)
        await until(completed(live_database, 5))
        office.road_open.set()
        await until(completed(live_database, 17))


async def test_a_worker_has_no_more_in_hand_than_it_may(live_database: Database, office: Office) -> None:
    most = 0
    make(live_database, 30, task_type="drive", lane="maps")
    make(live_database, 30, task_type="drive", lane="quo")
    async with worker(live_database, office, at_once=8):
        running: LiteralString = "select count(*) from background_tasks where status = 'processing'"
        await until(lambda: live_database.value(running) == 7)  # one place is the third lane's own
        make(live_database, 3, task_type="drive", lane="inner")
        await until(lambda: live_database.value(running) == 8)
        most = live_database.value("select count(*) from background_tasks where attempt > 0")
        office.road_open.set()
        await until(completed(live_database, 63))
    assert most == 8


async def test_a_worker_told_to_stop_takes_nothing_new_and_finishes_what_it_has(live_database: Database, office: Office) -> None:
    async with worker(live_database, office) as delivery:
        make(live_database, task_type="drive", lane="maps")
        await until(lambda: live_database.value("select count(*) from background_tasks where status = 'processing'") == 1)
        delivery.stop()
        make(live_database)
        office.road_open.set()
    assert live_database.all("select task_type, status from background_tasks order by task_type") == [
        {"task_type": "drive", "status": "completed"},
        {"task_type": "visit", "status": "pending"},
    ]


# ── Nothing depends on the engine's memory ──────────────────────────────────────────────────────────────────────────

EVERYTHING = "truncate engine.pgqueuer, engine.pgqueuer_log, engine.pgqueuer_schedules, engine.pgqueuer_statistics"


@pytest.mark.parametrize("forget", ["delete from engine.pgqueuer", EVERYTHING], ids=["its jobs", "everything"])
async def test_the_engine_may_forget_at_any_time(live_database: Database, office: Office, forget: LiteralString) -> None:
    async with worker(live_database, office, at_once=4), worker(live_database, office, at_once=4):
        for _ in range(8):
            make(live_database, 10)
            live_database.all(forget)
        await until(completed(live_database, 80), within_s=20)
    assert set(office.visits.values()) == {1}


async def test_the_ledger_restored_alone_is_worked_off(live_database: Database, office: Office) -> None:
    make(live_database, 10)
    live_database.all(EVERYTHING)
    live_database.all("update background_tasks set run_after = run_after - interval '1 hour'")
    live_database.all(EVERYTHING)
    async with worker(live_database, office):
        await until(completed(live_database, 10))


async def test_jobs_that_mean_nothing_are_thrown_away(live_database: Database, office: Office) -> None:
    (done,) = make(live_database)
    async with worker(live_database, office):
        await until(completed(live_database, 1))
        for payload in (str(done), str(uuid4()), "no id", None):  # of a finished task, of none, of nothing
            live_database.all(
                "insert into engine.pgqueuer (priority, status, entrypoint, payload)"
                " values (0, 'queued', 'inner', convert_to(%s, 'UTF8'))",
                payload,
            )
        await until(lambda: live_database.value("select count(*) from engine.pgqueuer") == 0)
        make(live_database)
        await until(completed(live_database, 2))
    assert office.visits[done] == 1


async def test_a_job_taken_by_a_worker_that_died_is_brought_again(live_database: Database, office: Office) -> None:
    make(live_database)
    live_database.all("update engine.pgqueuer set status = 'picked', heartbeat = now(), queue_manager_id = gen_random_uuid()")
    async with worker(live_database, office):
        await until(completed(live_database, 1), within_s=8)


async def test_a_lost_wake_up_waits_no_longer_than_the_sweep(live_database: Database, office: Office) -> None:
    live_database.all("alter table engine.pgqueuer disable trigger tg_pgqueuer_changed")
    async with worker(live_database, office, sweeps=False):
        for count in range(1, 4):
            make(live_database)
            await until(completed(live_database, count), within_s=2)


async def test_a_worker_hears_again_after_its_connections_were_cut(live_database: Database, office: Office) -> None:
    async with worker(live_database, office, sweeps=False):
        make(live_database)
        await until(completed(live_database, 1))
        mine: LiteralString = "from pg_stat_activity where datname = current_database() and usename = 'authenticator'"
        live_database.all("select pg_terminate_backend(pid) " + mine)
        listening: LiteralString = "select count(*) " + mine + " and query ilike 'listen%%ch_pgqueuer'"
        await until(lambda: live_database.value(listening) == 1)
        await until(lambda: live_database.value("select count(*) " + mine + " and query like '%%pgqueuer%%'") >= 2)
        make(live_database)
        await until(completed(live_database, 2), within_s=2)


async def test_an_error_in_the_listener_ends_the_worker_and_not_only_its_hearing(
    live_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    async def handle(_: UUID) -> None:
        """Nothing comes."""

    monkeypatch.setattr(Delivery, "_hear", deaf)
    store = Store(as_login(live_database.dsn), house=True)
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await asyncio.wait_for(Delivery(store, handle, LANES).run(), 5)


# ── The sweep ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_engines_log_does_not_grow_for_ever(live_database: Database, office: Office) -> None:
    live_database.all(
        "insert into engine.pgqueuer_log (created, job_id, status, priority, entrypoint)"
        " select now() - interval '2 hours', g, 'picked', 0, 'inner' from generate_series(1, 25000) g"
    )
    async with worker(live_database, office):
        await until(lambda: live_database.value("select count(*) from engine.pgqueuer_log") == 0)


async def test_one_worker_at_a_time_sweeps(live_database: Database) -> None:
    def swept(by: psycopg.Connection) -> bool:
        row = by.execute("select did_it from private.sweep()").fetchone()
        return row is not None and bool(row[0])

    with psycopg.connect(live_database.dsn) as first, psycopg.connect(live_database.dsn) as second:
        assert swept(first)
        assert not swept(second)
        first.commit()
        assert swept(second)


def test_a_sudden_crowd_does_not_hold_up_the_sweep(live_database: Database) -> None:
    """The database keeps plans; one made when there was nothing to do must serve when there is much."""
    live_database.all("analyze")
    with psycopg.connect(as_login(live_database.dsn), autocommit=True) as sweeper:
        sweeper.execute("set role service_role")
        for _ in range(7):
            sweeper.execute("select * from private.sweep()", prepare=True)
        make(live_database, 3000, in_s=-5)
        sweeper.execute("set statement_timeout = '2 s'")
        assert sweeper.execute("select forgotten from private.sweep()", prepare=True).fetchone() == (0,)
        live_database.all("delete from engine.pgqueuer")
        assert sweeper.execute("select forgotten > 500 from private.sweep()", prepare=True).fetchone() == (True,)
