"""From LISTEN/NOTIFY to open pages: one listener per process, one server-sent event stream per page.

A notification carries ids only. Each stream reads the row again as its own person, so row-level security decides what a page
sees. Reading is no sign of a person: a stream ends when its session has lain idle to its limit, and looks at just that moment.
A session ended by somebody (signed out elsewhere, role changed, account disabled) is heard of at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog
from pydantic_core import to_json

from backhaul.core.errors import Unauthenticated
from backhaul.core.queries import Queries
from backhaul.core.store import Row, Store
from backhaul.core.tokens import Claims

KEEP_ALIVE_S = 15.0
GATHER_S = 0.02  # what happens within this time travels together

_TASKS, _SESSIONS = "background_tasks", "sessions"
# a line that only listens would not notice for hours that the other end is gone; these are seconds and a count
_LINE: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_sql = Queries("tasks")
_log = structlog.get_logger(__name__)


class _Subscriber:
    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.changed: set[UUID] = set()
        self.woken = asyncio.Event()
        self.missed = False
        self.left_s = 0.0  # of the session, by the database's clock, when it was last asked

    def hears_of(self, owner: UUID | None) -> bool:
        """A first sieve, to spare the database; row-level security has the last word."""
        return owner == self.claims.user_id or self.claims.role in ("supervisor", "admin")


class Stream:
    """Listens while it runs, and feeds every open page."""

    def __init__(
        self,
        store: Store,
        *,
        listen_to: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """listen_to: a session connection to the same database, when the store's own goes through a transaction pooler."""
        self._store = store
        self._dsn = listen_to or store.dsn
        self._now = now
        self._subscribers: set[_Subscriber] = set()
        self._listener: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.listening = False

    async def open(self) -> None:
        self._listener = asyncio.create_task(self._listen(), name="task listener")

    async def close(self) -> None:
        self.hang_up()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    def hang_up(self) -> None:
        """Says goodbye to all pages; they come back to whoever serves next."""
        self._closing.set()
        for subscriber in self._subscribers:
            subscriber.woken.set()

    @property
    def open_pages(self) -> int:
        return len(self._subscribers)

    async def events(self, claims: Claims, shape: Callable[[Row], dict[str, Any]]) -> AsyncIterator[bytes]:
        """The event stream of one page, until its token expires, its session ends, we stop, or the database was out of hearing.

        Ends with `bye` and the reason: expired (the token), idle, ended (the session), shutdown or interrupted.
        """
        subscriber = _Subscriber(claims)
        self._subscribers.add(subscriber)
        try:
            yield _event("hello", {"now": self._now()})
            await self._read(subscriber, set())
            while (reason := self._over(subscriber)) is None:
                changed = await self._changed(subscriber)
                if self._over(subscriber) is not None:  # what is not sent now is read from the list by whoever comes back
                    continue
                rows = await self._read(subscriber, changed)
                for row in rows:
                    yield _event("task", shape(row) | {"mine": row["created_by"] == claims.user_id})
                if not rows:
                    yield b": keep-alive\n\n"
            yield _event("bye", {"reason": reason})
        except Unauthenticated as ended:
            reason = "idle" if ended.code == "session.idle" else "ended"
            yield _event("bye", {"reason": reason, "message": ended.what})
        except psycopg.OperationalError as error:
            _log.warning("stream interrupted", why=type(error).__name__)
            yield _event("bye", {"reason": "interrupted"})
        finally:
            self._subscribers.discard(subscriber)

    def _over(self, subscriber: _Subscriber) -> str | None:
        if self._closing.is_set():
            return "shutdown"
        if subscriber.missed:
            return "interrupted"
        return "expired" if subscriber.claims.expires_at <= self._now() else None

    async def _changed(self, subscriber: _Subscriber) -> set[UUID]:
        token_left_s = (subscriber.claims.expires_at - self._now()).total_seconds()
        left_s = min(KEEP_ALIVE_S, token_left_s, subscriber.left_s + 0.1)  # just past the end, not just before
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(subscriber.woken.wait(), max(0.0, left_s))
            await asyncio.sleep(GATHER_S)
        changed, subscriber.changed = subscriber.changed, set()
        if not self._closing.is_set():
            subscriber.woken.clear()
        return changed

    async def _read(self, subscriber: _Subscriber, ids: set[UUID]) -> list[Row]:
        """The changed tasks that this person may see; asked without any, only whether they are still signed in."""
        async with self._store.person(subscriber.claims.user_id, subscriber.claims.session_id) as (tx, who):
            subscriber.left_s = who["left_s"]
            return await tx.all(_sql.by_ids, {"ids": list(ids)}) if ids else []

    async def _listen(self) -> None:
        pause_s = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, **_LINE) as connection:
                    for channel in (_TASKS, _SESSIONS):
                        await connection.execute(f"listen {channel}".encode())
                    self.listening = True
                    self._missed()  # pages that said hello while nobody listened
                    pause_s = 0.1
                    async for note in connection.notifies():
                        (self._hear_of_end if note.channel == _SESSIONS else self._hear)(note.payload)
            except psycopg.Error as error:
                _log.warning("stream without a database", why=type(error).__name__)
            finally:
                self.listening = False
            self._missed()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)

    def _hear(self, payload: str) -> None:
        about = _about(payload)
        if about is None:
            return
        task_id, owner = about
        for subscriber in self._subscribers:
            if subscriber.hears_of(owner):
                subscriber.changed.add(task_id)
                subscriber.woken.set()

    def _hear_of_end(self, session_id: str) -> None:
        """Streams of that session look for themselves: anybody at psql may send a notification."""
        for subscriber in self._subscribers:
            if str(subscriber.claims.session_id) == session_id:
                subscriber.woken.set()

    def _missed(self) -> None:
        """We did not hear for a while, and nothing is said twice: pages reconnect, and read their list anew."""
        for subscriber in self._subscribers:
            subscriber.missed = True
            subscriber.woken.set()


def _about(payload: str) -> tuple[UUID, UUID | None] | None:
    """The task and its owner; None for a notification that is not ours: anybody at psql may send one on this channel."""
    try:
        said = json.loads(payload)
        return UUID(said["id"]), UUID(said["created_by"]) if said["created_by"] else None
    except (ValueError, TypeError, KeyError, AttributeError):
        _log.warning("notification not understood", length=len(payload))
        return None


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), to_json(data))
