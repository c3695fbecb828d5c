"""What the stand-ins remember: documents and a journal of calls, in one SQLite file that outlives a restart.

Contacts must survive one, since the office keeps their ids. Safe from several threads: one connection behind one lock.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

_SCHEMA = """
create table if not exists documents (
    seq    integer primary key autoincrement,
    kind   text not null,               -- contact, message, calendar …
    id     text not null,
    label  text not null default '',    -- what it is looked up by: a contact's externalId, an event's calendar
    body   text not null,
    unique (kind, id)
);
create index if not exists documents_by_label on documents (kind, label, seq);
create table if not exists journal (
    seq     integer primary key autoincrement,
    at      text not null,
    service text not null,
    method  text not null,
    path    text not null,              -- the template: ids are not worth keeping
    status  integer,
    outcome text not null,
    notes   text not null default '{}'
);
"""

_JOURNAL_KEPT = 20_000
"""Calls; older ones are dropped, so that a demo left running for weeks stays small."""


class Store:
    """Documents by kind and id. Bodies are copied in and out, so a caller can never change what is stored by accident."""

    def __init__(self, path: Path | str) -> None:
        """`path`: a file that is made when missing, or ":memory:"."""
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # A power cut may cost a stand-in its last instant; waiting for the disk would cost all that is measured against it.
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = off;" + _SCHEMA)

    def put(self, kind: str, key: str, body: Mapping[str, object], *, label: str = "") -> None:
        with self._transaction() as db:
            db.execute(
                "insert into documents (kind, id, label, body) values (?, ?, ?, ?)"
                " on conflict (kind, id) do update set label = excluded.label, body = excluded.body",
                (kind, key, label, json.dumps(body)),
            )

    def get(self, kind: str, key: str) -> dict[str, object] | None:
        with self._transaction() as db:
            row = db.execute("select body from documents where kind = ? and id = ?", (kind, key)).fetchone()
        return _body(row[0]) if row else None

    def find(self, kind: str, *, label: str | None = None) -> list[dict[str, object]]:
        """All of a kind, oldest first; with `label`, those filed under it."""
        with self._transaction() as db:
            rows = db.execute(
                "select body from documents where kind = ? and (? is null or label = ?) order by seq", (kind, label, label)
            ).fetchall()
        return [_body(row[0]) for row in rows]

    def remove(self, kind: str, key: str) -> bool:
        with self._transaction() as db:
            return db.execute("delete from documents where kind = ? and id = ?", (kind, key)).rowcount > 0

    def count(self, kind: str) -> int:
        with self._transaction() as db:
            (count,) = db.execute("select count(*) from documents where kind = ?", (kind,)).fetchone()
        return int(count)

    def tally(self, kind: str) -> dict[str, int]:
        """How many documents of a kind are filed under each label."""
        with self._transaction() as db:
            return dict(db.execute("select label, count(*) from documents where kind = ? group by label order by label", (kind,)))

    def arrived(self, at: datetime, service: str, method: str, path: str) -> int:
        """Journals a call the moment it comes in, so that a held or unanswered one can be seen too."""
        with self._transaction() as db:
            entry = db.execute(
                "insert into journal (at, service, method, path, outcome) values (?, ?, ?, ?, 'received')",
                (at.isoformat(), service, method, path),
            ).lastrowid
            assert entry is not None  # noqa: S101 - sqlite3 gives every insert one; the type cannot say so
            db.execute("delete from journal where seq <= ?", (entry - _JOURNAL_KEPT,))
        return entry

    def ended(self, entry: int, outcome: str, status: int | None, notes: Mapping[str, object]) -> None:
        with self._transaction() as db:
            db.execute(
                "update journal set outcome = ?, status = ?, notes = ? where seq = ?", (outcome, status, json.dumps(notes), entry)
            )

    def journal(
        self, *, service: str | None = None, method: str | None = None, path: str | None = None
    ) -> list[dict[str, object]]:
        """Calls in the order they came; `path` is a prefix of the template."""
        with self._transaction() as db:
            rows = db.execute(
                "select seq, at, service, method, path, status, outcome, notes from journal"
                " where (:service is null or service = :service) and (:method is null or method = :method)"
                " and (:path is null or substr(path, 1, length(:path)) = :path) order by seq",
                {"service": service, "method": method, "path": path},
            ).fetchall()
        names = ("seq", "at", "service", "method", "path", "status", "outcome")
        return [dict(zip(names, row[:7], strict=True)) | {"notes": _body(row[7])} for row in rows]

    def forget_calls(self) -> None:
        with self._transaction() as db:
            db.execute("delete from journal")

    def forget_everything(self) -> None:
        with self._transaction() as db:
            db.execute("delete from journal")
            db.execute("delete from documents")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")


def _body(text: str) -> dict[str, object]:
    body: dict[str, object] = json.loads(text)
    return body
