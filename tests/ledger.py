"""The ledger's functions as n8n or a person at psql calls them: by name, one statement each, as the owner of the tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from backhaul.core.store import Row
from backhaul.core.testing import Database

CLIENT = UUID("00000000-0000-4000-8000-000000000001")


def create(database: Database, **given: Any) -> UUID:
    """A task for one client, by nobody; other arguments by name."""
    named: dict[str, Any] = {"entity_type": "client", "entity_id": CLIENT, "entity_label": "Jane Roe", "task_type": "sync_quo"}
    made: UUID = call(database, "create_background_task", **(named | given))["create_background_task"]
    return made


def start(database: Database, task: UUID, worker: str | None = None, lease: timedelta | None = None) -> Row:
    return call(database, "start_background_task", task_id=task, worker=worker, lease=lease)


def claim(database: Database, task: UUID, worker: str = "worker", lease: timedelta = timedelta(seconds=5)) -> Row:
    """As our own workers start a task."""
    return database.one("select * from private.claim_task(%s, %s, %s)", task, worker, lease)


def complete(database: Database, task: UUID, attempt: int | None = None, result: dict[str, Any] | None = None) -> Row:
    return call(
        database, "complete_background_task", task_id=task, result=None if result is None else Jsonb(result), attempt=attempt
    )


def fail(database: Database, task: UUID, message: str | None = "Quo does not answer.", **given: Any) -> Row:
    return call(database, "fail_background_task", task_id=task, error_message=message, **given)


def snooze(database: Database, task: UUID, **given: Any) -> Row:
    return call(database, "snooze_background_task", task_id=task, **given)


def retry(database: Database, task: UUID, by: UUID | None = None) -> Row:
    return call(database, "retry_background_task", task_id=task, user_id=by)


def dismiss(database: Database, task: UUID, by: UUID | None = None) -> Row:
    return call(database, "dismiss_background_task", task_id=task, user_id=by)


def undismiss(database: Database, task: UUID, by: UUID | None = None) -> Row:
    return call(database, "undismiss_background_task", task_id=task, user_id=by)


def call(database: Database, function: str, **named: Any) -> Row:
    """One function of `public`, its arguments by name; the one row it returns."""
    arguments = sql.SQL(", ").join(sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in named)
    with psycopg.connect(database.dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        statement = sql.SQL("select * from {}({})").format(sql.Identifier(function), arguments)
        row = connection.execute(statement, named).fetchone()
    assert row is not None
    return row


def completed(database: Database, task: UUID) -> UUID:
    """Started and completed."""
    start(database, task)
    assert complete(database, task)["changed"]
    return task


def failed(database: Database, task: UUID) -> UUID:
    """Started and failed for good."""
    start(database, task)
    assert fail(database, task)["status"] == "failed"
    return task


def task_of(database: Database, task: UUID) -> Row:
    return database.one("select * from background_tasks where id = %s", task)


def badge(database: Database) -> list[UUID]:
    """The failures that are on somebody's screen, in the order of their ids."""
    return [row["id"] for row in database.all("select id from user_failed_tasks order by id")]
