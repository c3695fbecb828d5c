"""What one attempt may touch in the database: its records, through its lease; and its checkpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from backhaul.core.errors import LeaseLost
from backhaul.core.store import Row, Store, Tx, jsonb
from backhaul.core.task import Run

_RECALL = b"select * from private.recall_step(%(task)s, %(attempt)s, %(label)s, %(hash)s)"
_KEEP = b"select private.keep_step(%(task)s, %(attempt)s, %(label)s, %(hash)s, %(answer)s)"
_HOLD = b"select private.hold_lease(%(task)s, %(attempt)s)"

T = TypeVar("T")


class LeasedDb:
    """Database access of one attempt: every statement runs in a transaction that first makes sure the lease is still held."""

    def __init__(self, store: Store, task_id: UUID, attempt: int) -> None:
        self._store = store
        self._lease = {"task": task_id, "attempt": attempt}

    async def all(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[Any] | None = None) -> list[Any]:
        async with self._store.service() as tx:
            await self._hold(tx)
            return await (tx.all(query, params) if into is None else tx.all(query, params, into=into))

    async def one(self, query: bytes, params: Mapping[str, Any] | None = None, *, into: type[Any] | None = None) -> Any:
        async with self._store.service() as tx:
            await self._hold(tx)
            return await (tx.one(query, params) if into is None else tx.one(query, params, into=into))

    async def run(self, query: bytes, params: Mapping[str, Any] | None = None) -> int:
        async with self._store.service() as tx:
            await self._hold(tx)
            return await tx.run(query, params)

    async def _hold(self, tx: Tx) -> None:
        await _unless_lost(tx.one(_HOLD, self._lease))


class Checkpoints:
    """The ledger's side of `run.step`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recall_step(self, run: Run[Any], label: str, args_hash: str) -> Row:
        return await _unless_lost(self._store.call(_RECALL, _step(run, label, args_hash)))

    async def keep_step(self, run: Run[Any], label: str, args_hash: str, answer: Any) -> None:
        await _unless_lost(self._store.call(_KEEP, _step(run, label, args_hash) | {"answer": jsonb(answer)}))


def _step(run: Run[Any], label: str, args_hash: str) -> dict[str, Any]:
    return {"task": run.task_id, "attempt": run.attempt, "label": label, "hash": args_hash}


async def _unless_lost(asking: Awaitable[T]) -> T:
    try:
        return await asking
    except psycopg.Error as error:
        if error.sqlstate == "BT410":
            raise LeaseLost("This attempt no longer holds its task", error.diag.message_detail or "") from error
        raise
