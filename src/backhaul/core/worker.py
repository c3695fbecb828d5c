"""A worker: starts a task, runs its function, writes what came of it. The ledger decides what counts.

What a task's end means:

    returns                          completed, with what it returned as the result
    returns Snooze, or raises OnHold pending again, at that time, no try used up
    raises what its Retry names      pending again after a pause, while tries remain; then failed
    cannot reach our own database    the same
    is of a type unknown here        the same: a newer worker may know it, while an update is being rolled out
    raises another Problem           failed: a person hears what, why and what to do
    raises anything else             failed: a fault of ours, told as such, with its place in the log
    its lease is lost                nothing is written; another attempt has taken over
    the worker is told to stop       handed back, no try used up

A result is written for as long as the lease lasts, through any absence of the database. And nothing is held by mistake: what the
ledger counts as ours, and we know nothing of (the answer to a start was cut off, say), is handed back.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic
from uuid import UUID, uuid4

import psycopg
import structlog

from backhaul.core.endings import Ending, UnknownType, handed_back, raised, returned
from backhaul.core.errors import LeaseLost, Problem
from backhaul.core.heartbeat import RECONNECT_S, Heartbeat, Held
from backhaul.core.leased import Checkpoints, LeasedDb
from backhaul.core.store import Row, Store
from backhaul.core.task import OfficeT, Result, Retry, Run, Snooze
from backhaul.core.workflow import Workflows

_START = b"select * from private.claim_task(%(task)s, %(worker)s, %(lease)s)"
_ENLIST = b"select count(*) as held from private.keep_leases(%(worker)s, %(lease)s)"
_LEAVE = b"select private.leave(%(worker)s) as handed_back"

LAST_WORDS_S = 3.0  # what is stopped may write its end for so long, before it is handed back as it is

_log = structlog.get_logger(__name__)


def worker_name() -> str:
    """Tells one worker from all others, and a person where to look: host, process and a few random digits."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


@dataclass(slots=True)
class Attempt:
    """One that is running here. lost: the ledger no longer counts it as ours."""

    work: asyncio.Task[Any]
    began: float
    lost: bool = False


@dataclass
class Worker(Generic[OfficeT]):
    """Runs tasks of the given workflows. `store` must be the house's own (Store(..., house=True)).

    lease: how long a task stays ours without a sign of life; a killed worker's tasks run elsewhere soon after.
    """

    store: Store
    workflows: Workflows[OfficeT]
    office: OfficeT
    name: str = field(default_factory=worker_name)
    lease: timedelta = timedelta(seconds=4)
    on_end: Callable[[str, str, float], object] | None = None  # task type, outcome, seconds
    _starting: set[UUID] = field(default_factory=set, init=False)
    _running: dict[tuple[UUID, int], Attempt] = field(default_factory=dict, init=False)
    _in_hand: set[asyncio.Task[Any]] = field(default_factory=set, init=False)
    _strangers: Held = field(default=frozenset(), init=False)
    _enlisted: bool = field(default=False, init=False)
    _leaving: bool = field(default=False, init=False)

    def heartbeat(self) -> Heartbeat:
        """The sign of life for all tasks of this worker; what it reports lost is stopped."""
        loop = asyncio.get_running_loop()
        return Heartbeat(
            self.store.dsn,
            self.name,
            self.lease,
            on_held=lambda held, since: loop.call_soon_threadsafe(self._judge, held, since),
        )

    async def work_on(self, task_id: UUID) -> str:
        """One attempt at one task, if the ledger lets us have it. Returns what became of it, in a word."""
        whole = asyncio.current_task()
        assert whole is not None  # noqa: S101  (a coroutine runs in a task)
        self._in_hand.add(whole)
        try:
            row = await self._start(task_id)
            return row if isinstance(row, str) else await self._see_through(row)
        finally:
            self._in_hand.discard(whole)

    async def leave(self) -> int:
        """Hands back what still runs, at once, and says goodbye. Returns how many tasks were handed back."""
        self._leaving = True
        for attempt in self._running.values():
            attempt.work.cancel()
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=LAST_WORDS_S)
        return int((await self.store.call(_LEAVE, {"worker": self.name}))["handed_back"])

    @property
    def busy(self) -> int:
        """How many tasks it is working on."""
        return len(self._running)

    async def _start(self, task_id: UUID) -> Row | str:
        if self._leaving:
            return "not ours"
        self._starting.add(task_id)
        try:
            if not self._enlisted:  # so that whoever finds a task of ours knows that a worker had it, and no person
                await self.store.call(_ENLIST, {"worker": self.name, "lease": self.lease})
                self._enlisted = True
            row = await self.store.call(_START, {"task": task_id, "worker": self.name, "lease": self.lease})
        except Problem as problem:  # archived or gone since it was enqueued
            _log.info("task not started", task_id=str(task_id), reason=problem.why)
            return "gone"
        except psycopg.OperationalError as error:  # the sweep brings it again; if it was started after all, `_judge` finds out
            _log.warning("task not started", task_id=str(task_id), reason=type(error).__name__)
            return "unknown"
        finally:
            self._starting.discard(task_id)
        if not row["changed"]:
            _log.debug("task not started", task_id=str(task_id), reason=row["reason"])
            return "not ours"
        return row

    async def _see_through(self, row: Row) -> str:
        began = time.perf_counter()
        outcome = await self._attempt(row)
        seconds = time.perf_counter() - began
        _log.info(
            "task ended",
            task_id=str(row["id"]),
            task_type=row["task_type"],
            attempt=row["attempt"],
            outcome=outcome,
            ms=round(seconds * 1000),
        )
        if self.on_end is not None:
            self.on_end(row["task_type"], outcome, seconds)
        return outcome

    async def _attempt(self, row: Row) -> str:
        key = (row["id"], row["attempt"])
        attempt = Attempt(asyncio.create_task(self._perform(row), name=f"{row['task_type']} {row['id']}"), time.monotonic())
        self._running[key] = attempt
        if self._leaving:
            attempt.work.cancel()
        try:
            await asyncio.wait({attempt.work})
            return await self._report(row, attempt)
        except asyncio.CancelledError:
            attempt.work.cancel()
            await asyncio.wait({attempt.work})
            raise
        finally:
            del self._running[key]

    async def _perform(self, row: Row) -> Result | Snooze:
        task = self.workflows.tasks.get(row["task_type"])
        if task is None:
            raise UnknownType(row["task_type"])
        names = ("task_type", "attempt", "entity_type", "entity_id", "entity_label", "args", "created_by")
        run = Run(
            task_id=row["id"],
            office=self.office,
            db=LeasedDb(self.store, row["id"], row["attempt"]),
            ledger=Checkpoints(self.store),
            **{name: row[name] for name in names},
        )
        return await task.perform(run)

    async def _report(self, row: Row, attempt: Attempt) -> str:
        if attempt.work.cancelled() and (attempt.lost or self._leaving):
            return "stopped"
        task = self.workflows.tasks.get(row["task_type"])
        retry = task.retry if task else Retry()
        error = asyncio.CancelledError() if attempt.work.cancelled() else attempt.work.exception()
        if isinstance(error, LeaseLost):
            _log.warning("lease lost", task_id=str(row["id"]), attempt=row["attempt"], why=error.why)
            return "lost"
        if error is not None:
            return await self._write(raised(error, row, retry), row, attempt)
        try:
            return await self._write(returned(attempt.work.result()), row, attempt)
        except (ValueError, TypeError, psycopg.Error) as unkept:  # it is not JSON, or nothing that Postgres can keep
            return await self._write(raised(unkept, row, retry), row, attempt)

    async def _write(self, ending: Ending, row: Row, attempt: Attempt) -> str:
        """Tells the ledger, through any absence of the database; only a lost lease ends the trying. Returns the outcome."""
        params = {"task": row["id"], "attempt": row["attempt"], **ending.said}
        while True:
            try:
                move = await self.store.call(ending.statement, params)
                break
            except psycopg.OperationalError as error:
                if attempt.lost or self._leaving:
                    _log.warning("end not written", task_id=str(row["id"]), outcome=ending.outcome, why=type(error).__name__)
                    return "lost"
                await asyncio.sleep(RECONNECT_S)
            except Problem as problem:  # somebody deleted the task
                _log.warning("end refused", task_id=str(row["id"]), outcome=ending.outcome, why=problem.what)
                return "lost"
        told_before = (move["status"], move["attempt"]) == (ending.outcome, row["attempt"])  # and only the answer was cut off
        if not (move["changed"] or told_before):
            _log.warning("end refused", task_id=str(row["id"]), outcome=ending.outcome, why=move["reason"])
            return "lost"
        return "again" if ending.outcome == "failed" and move["status"] == "pending" else ending.outcome

    def _judge(self, held: Held, since: float) -> None:
        """Stops what the ledger no longer counts as ours, and hands back what it counts as ours and we know nothing of.

        What began after `since` was not there to be counted. A stranger must show twice: the first time it may just have ended.
        """
        for key, attempt in self._running.items():
            if attempt.began < since and key not in held:
                attempt.lost = True
                attempt.work.cancel(msg="lease lost")
        strangers = frozenset(key for key in held if key not in self._running and key[0] not in self._starting)
        for task_id, number in strangers & self._strangers:
            back = asyncio.create_task(self._hand_back(task_id, number))
            self._in_hand.add(back)
            back.add_done_callback(self._in_hand.discard)
        self._strangers = strangers

    async def _hand_back(self, task_id: UUID, number: int) -> None:
        back = handed_back()
        try:
            move = await self.store.call(back.statement, {"task": task_id, "attempt": number, **back.said})
        except psycopg.OperationalError as error:  # the next beat finds it again
            _log.warning("task not handed back", task_id=str(task_id), why=type(error).__name__)
        else:
            _log.warning("task handed back", task_id=str(task_id), attempt=number, changed=move["changed"])
