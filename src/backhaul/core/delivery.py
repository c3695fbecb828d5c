"""How a due task reaches a worker. The one module that knows the engine, PgQueuer: another would need another of these.

The engine says that a task is due; the ledger says whether it may run. A trigger of ours (sql/delivery_schema.sql) writes the
engine's jobs, so nothing here enqueues. A job is thrown away as soon as it has been taken: from then on the lease in the ledger
looks after the task, and the sweep brings back what was taken by a worker that died before it could start it.

Of PgQueuer we use the tables, the trigger that says "a job was inserted", and the statement that hands jobs out. Its own
QueueManager, which drives them, was tried first and left out. Two workers on two busy cores, Postgres 18, fsync on:

                    pick-up p50 / p95    behind 40 tasks that hang for 20 s
    QueueManager    9 / 34 ms            another lane waits until they end
    this loop       4 / 11 ms            as if they were not there

It asks the database four times for each notification, those of its own updates and deletes included; it keeps a job, and a
heartbeat for it in the event loop, for as long as the handler runs; and it counts all lanes together, so that one slow service
fills the worker. Its limit for each entrypoint would count all workers together, even those that were killed; one QueueManager
for each lane would ask as many times more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

import psycopg
import structlog
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from backhaul.core.heartbeat import ALIVE, RECONNECT_S
from backhaul.core.store import Store

LOOK_EVERY_S = 1.0  # in case a notification was lost; and how often the sweep runs

_SETTINGS = DBSettings(db_schema="engine")
_CHANNEL = "ch_pgqueuer"
_UNLIMITED = EntrypointExecutionParameter(concurrency_limit=0)
_STALE_JOB = timedelta(seconds=3)  # taken by a worker that died before it threw the job away
_THROW_AWAY = "delete from engine.pgqueuer where id = any($1)"
_SWEEP = b"select * from private.sweep()"
_PRUNE = b"select private.prune_engine() as gone"
_PRUNE_EVERY = 600  # sweeps
_PRUNED_AT_ONCE = 10_000  # rows, by private.prune_engine

_log = structlog.get_logger(__name__)


class Delivery:
    """Brings due tasks to `handle`, until `stop`. One per worker process.

    lanes: which lanes to serve. at_once: how many tasks this worker has in hand at most. Each lane has a few places of its own
    among them, which no other lane may take; the rest go to whoever comes first.
    """

    def __init__(
        self, store: Store, handle: Callable[[UUID], Awaitable[object]], lanes: Collection[str], *, at_once: int = 20
    ) -> None:
        self._dsn = store.dsn
        self._handle = handle
        self._lanes = sorted(lanes)
        self._at_once = max(at_once, len(self._lanes))
        self._own_places = max(1, self._at_once // (2 * len(self._lanes)))
        self._in_hand: dict[asyncio.Task[None], str] = {}
        self._woken = asyncio.Event()
        self._more = False  # there may be jobs for which there was no place
        self._heard = True  # of a new job, since we last asked when the next one is due
        self._next_due = 0.0
        self._stopping = False
        self._id = QueueManagerId(uuid4())

    async def run(self) -> None:
        """Delivers until `stop`, then waits for what is in hand."""
        try:
            async with asyncio.TaskGroup() as both:
                listening = both.create_task(self._listen(), name="engine listener")
                while not self._stopping:
                    await self._with_database("delivery", self._deliver)
                listening.cancel()
        finally:
            if self._in_hand:
                await asyncio.wait(self._in_hand)

    def stop(self) -> None:
        """Take nothing new."""
        self._stopping = True
        self._woken.set()

    async def _deliver(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(b"set synchronous_commit = off")  # a crash may forget what the engine knew: see the sweep
        engine = Queries(PsycopgDriver(connection), QueryBuilderEnvironment(_SETTINGS), QueryQueueBuilder(_SETTINGS))
        while not self._stopping:
            self._woken.clear()
            room = {lane: room for lane in self._lanes if (room := self._room(lane)) > 0}
            at_most = min(room.values(), default=0)  # so many fit, even if all are of one lane
            jobs = await self._take(engine, list(room), at_most) if room else []
            for job in jobs:
                self._begin(job)
            if jobs:
                await engine.driver.execute(_THROW_AWAY, [job.id for job in jobs])
            self._more = len(room) < len(self._lanes) or len(jobs) == at_most
            if len(jobs) < at_most or not room:
                await self._wait(engine)

    def _room(self, lane: str) -> int:
        """How many more tasks of this lane may be begun, with every other lane's own places kept free for it."""
        busy = Counter(self._in_hand.values())
        kept = sum(max(0, self._own_places - busy[other]) for other in self._lanes if other != lane)
        return self._at_once - busy.total() - kept

    async def _take(self, engine: Queries, lanes: Collection[str], at_most: int) -> list[Job]:
        return await engine.dequeue(
            batch_size=at_most,
            entrypoints={QueueEntrypoint(lane): _UNLIMITED for lane in lanes},
            queue_manager_id=self._id,
            global_concurrency_limit=None,
            heartbeat_timeout=_STALE_JOB,
        )

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._hand_over(job))
        self._in_hand[task] = job.entrypoint
        task.add_done_callback(self._ended)

    async def _hand_over(self, job: Job) -> None:
        try:
            task_id = UUID((job.payload or b"").decode())
        except ValueError:
            _log.warning("job without a task", job=job.id)
            return
        await self._handle(task_id)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._in_hand[task]
        if self._more:
            self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("delivery of a task failed", error=type(error).__name__)  # the lease or the sweep brings it again

    async def _wait(self, engine: Queries) -> None:
        """Until something was inserted, a place became free, a later job is due, or it is time to look."""
        if self._heard or monotonic() >= self._next_due:
            self._heard = False
            eta = await engine.next_deferred_eta([QueueEntrypoint(lane) for lane in self._lanes])
            self._next_due = monotonic() + (eta.total_seconds() if eta else 3600)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), min(LOOK_EVERY_S, max(0.005, self._next_due - monotonic())))

    async def _listen(self) -> None:
        while True:
            await self._with_database("listener", self._hear)

    async def _hear(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(f"listen {_CHANNEL}".encode())
        self._hear_of_job()  # what was said while nobody listened is not repeated
        async for note in connection.notifies():
            if '"insert"' in note.payload:
                self._hear_of_job()

    def _hear_of_job(self) -> None:
        self._heard = True
        self._woken.set()

    async def _with_database(self, who: str, use: Callable[[psycopg.AsyncConnection], Awaitable[None]]) -> None:
        """Lets `use` have a connection of its own. When the database goes away, returns after a moment, to be called again."""
        try:
            async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, **ALIVE) as connection:
                await connection.execute(b"set role service_role")
                await use(connection)
        except psycopg.OperationalError as error:
            _log.warning("no database", who=who, why=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)


async def sweep(store: Store, stop: asyncio.Event, *, every_s: float = LOOK_EVERY_S) -> None:
    """Until `stop`: returns what dead workers held, enqueues what was forgotten, starts what is scheduled, seals the audit.

    All workers call it; one at a time does it.
    """
    rounds = 0
    while not stop.is_set():
        try:
            did = await store.call(_SWEEP)
            if did["leases"] or did["forgotten"] or did["scheduled"]:
                _log.info("swept", leases=did["leases"], forgotten=did["forgotten"], scheduled=did["scheduled"])
            if rounds % _PRUNE_EVERY == 0:
                while (await store.call(_PRUNE))["gone"] >= _PRUNED_AT_ONCE and not stop.is_set():
                    pass
            rounds += 1
        except psycopg.OperationalError as error:
            _log.warning("no database", who="sweep", why=type(error).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
