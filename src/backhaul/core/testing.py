"""For tests of workflows: a real database whose clock stands still, and a worker that works when told to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.store import Actor, Row, Store, spoke
from backhaul.core.task import OfficeT
from backhaul.core.worker import Worker
from backhaul.core.workflow import FormT, Reply, Workflow, Workflows

_CLOCK = """
create schema testing;
create table testing.clock (now timestamptz not null);
insert into testing.clock values ('2026-11-23 14:00:00+00');
grant usage on schema testing to public;
grant select on testing.clock to public;
create or replace function public.task_now() returns timestamptz
  language sql stable set search_path = '' as 'select now from testing.clock';
"""
_IMPATIENT = "-c statement_timeout=60s"  # a test that waits for a lock which its own thread holds fails, and does not hang


def hold_clock(dsn: str) -> None:
    """Makes the clock of this database stand still, and that of each copy made of it."""
    with psycopg.connect(dsn, autocommit=True) as database:
        database.execute(_CLOCK)


@contextmanager
def copy_of(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """A database of its own for one test, copied from `template` in milliseconds, and dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    # File by file: the usual strategy writes each page to the log as well, which takes three times as long.
    create = sql.SQL("create database {} template {} owner postgres strategy file_copy")
    with psycopg.connect(postgres.dsn("postgres", "supabase_admin"), autocommit=True) as server:
        server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            with closing(Database(postgres.dsn(name))) as database:
                yield database
        finally:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


class Database:
    """A test's own look into its database, as the owner: past row-level security and every guard but the triggers."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._idle: list[psycopg.Connection[Row]] = []

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def all(self, statement: LiteralString, *params: Any) -> list[Row]:
        with self._connection() as database:
            cursor = database.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: LiteralString, *params: Any) -> Row:
        rows = self.all(statement, *params)
        if len(rows) != 1:
            raise LookupError(f"{len(rows)} rows where one was expected")
        return rows[0]

    def value(self, statement: LiteralString, *params: Any) -> Any:
        return next(iter(self.one(statement, *params).values()))

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        """One that no other thread uses meanwhile; kept for the next, since the first statements of each are slow."""
        connection = self._idle.pop() if self._idle else None
        if connection is not None and spoke(connection):  # its server has gone, with this test's doing
            connection.close()
            connection = None
        connection = connection or psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row, options=_IMPATIENT)
        try:
            yield connection
        finally:
            if connection.broken:
                connection.close()
            else:
                self._idle.append(connection)

    @contextmanager
    def acting(self, role: str, claims: Mapping[str, Any] | None = None) -> Iterator[psycopg.Connection[Row]]:
        """One transaction as an API would open it: by the login role, which becomes `role` and says whose token it has read."""
        login = psycopg.conninfo.make_conninfo(self.dsn, user="authenticator")
        with psycopg.connect(login, row_factory=dict_row) as connection:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims or {}, default=str),))
            yield connection

    def person(self, role: str, name: str = "") -> Actor:
        """A new user with an open session."""
        name = name or role.replace("_", " ").title()
        username = f"{uuid4().hex[:8]}@example.test"
        user = self.value(
            "insert into users (username, email, full_name, role) values (%s, %s, %s, %s) returning id",
            username,
            username,
            name,
            role,
        )
        session = self.value(
            "insert into user_sessions (user_id, expires_at) values (%s, task_now() + interval '7 days') returning id", user
        )
        return Actor(user, role, name, session)


class Clock:
    """The database's clock, held. `advance` moves it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self._database.value("select now from testing.clock").timestamp(), UTC)

    def advance(self, **by: float) -> None:
        """By the arguments of timedelta: advance(minutes=31)."""
        self._database.all("update testing.clock set now = now + %s", timedelta(**by))

    def set(self, moment: datetime) -> None:
        self._database.all("update testing.clock set now = %s", moment)


@dataclass
class TestOffice(Generic[OfficeT]):
    """Submits, works when told to, and says what the ledger holds."""

    __test__ = False

    database: Database
    store: Store
    workflows: Workflows[OfficeT]
    outside: OfficeT
    clock: Clock
    worker: Worker[OfficeT] = field(init=False)

    def __post_init__(self) -> None:
        self.worker = self.new_worker()

    def new_worker(self) -> Worker[OfficeT]:
        """Another worker over the same ledger, as after a crash of the first."""
        return Worker(self.store, self.workflows, self.outside)

    async def submit(self, workflow: Workflow[FormT, OfficeT], form: FormT, *, by: Actor, key: str | None = None) -> Reply:
        return await workflow.submit(self.store, form, by, key=key)

    async def work(self, *, after_s: float = 0) -> list[str]:
        """Moves the clock, then works on what is due until nothing is. Returns how each attempt ended."""
        self.clock.advance(seconds=after_s)
        ended: list[str] = []
        while due := self._due():
            for task_id in due:
                ended.append(await self.worker.work_on(task_id))
        return ended

    def tasks(self, status: str) -> list[str]:
        """The types of the tasks with that status, in the order of their types."""
        rows = self.database.all("select task_type from background_tasks where status = %s order by task_type, id", status)
        return [row["task_type"] for row in rows]

    def task(self, task_type: str) -> Row:
        """The one task of that type."""
        return self.database.one("select * from background_tasks where task_type = %s", task_type)

    def _due(self) -> list[UUID]:
        rows = self.database.all(
            "select id from background_tasks t where status = 'pending' and run_after <= task_now() and not exists"
            " (select from background_tasks r where r.once_key = t.once_key and r.status = 'processing') order by task_type, id"
        )
        return [row["id"] for row in rows]
