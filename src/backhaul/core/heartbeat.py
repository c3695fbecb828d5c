"""A worker's sign of life: a thread of its own, so that a busy handler is never taken for a dead one.

Every third of a lease it tells the ledger that this worker lives, which renews the leases of all its tasks in one statement, and
learns which tasks the ledger still counts as ours. A worker that was paused learns on waking that it holds nothing any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any
from uuid import UUID

import psycopg
import structlog

Held = frozenset[tuple[UUID, int]]

# A connection of one's own: a silent cut is noticed in seconds, and looked after by trying again.
ALIVE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}
RECONNECT_S = 0.2

_KEEP = "select task_id, attempt from private.keep_leases(%(worker)s, %(lease)s)"
_log = structlog.get_logger(__name__)


class Heartbeat:
    """Beats while it is entered.

    on_held: hears, in this thread, which (task, attempt) are still ours, and since when (time.monotonic()) that is known; what
    was started later is not judged. An empty set after a silence longer than the lease: nothing is ours any more.
    """

    def __init__(self, dsn: str, worker: str, lease: timedelta, *, on_held: Callable[[Held, float], object]) -> None:
        self._dsn = dsn
        self._params = {"worker": worker, "lease": lease}
        self._lease_s = lease.total_seconds()
        self._on_held = on_held
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.last_beat = time.monotonic()

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(timeout=self._lease_s)

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True, connect_timeout=2) as connection:
                    connection.execute("set role service_role")
                    self._beat_on(connection)
            except psycopg.Error as error:
                _log.warning("heartbeat without a database", why=type(error).__name__)
                if time.monotonic() - self.last_beat > self._lease_s:
                    self._on_held(frozenset(), time.monotonic() - self._lease_s)
                self._stop.wait(0.5)

    def _beat_on(self, connection: psycopg.Connection) -> None:
        while not self._stop.is_set():
            asked = time.monotonic()
            rows = connection.execute(_KEEP, self._params).fetchall()
            self.last_beat = asked
            self._on_held(frozenset((task_id, attempt) for task_id, attempt in rows), asked)
            self._stop.wait(self._lease_s / 3)
