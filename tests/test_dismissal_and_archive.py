"""Dismissing failures, taking it back, and the archive: what people with a full screen, and without, rely on."""

from __future__ import annotations

from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest

from backhaul.core.store import Actor
from backhaul.core.testing import Clock, Database
from tests.ledger import badge, complete, completed, create, dismiss, failed, start, task_of, undismiss

# ── Dismiss and take it back ──


def test_dismiss_hides_a_failure_and_records_who_and_when(database: Database, agent: Actor, clock: Clock) -> None:
    task = failed(database, create(database, created_by=agent.id))
    move = dismiss(database, task, agent.id)
    assert (move["changed"], move["status"]) == (True, "failed")
    assert badge(database) == []
    row = task_of(database, task)
    assert (row["dismissed_by"], row["dismissed_at"]) == (agent.id, clock.now)
    again = database.one("select changed, reason from dismiss_background_task(%s, %s)", task, agent.id)
    assert again == {"changed": False, "reason": "It has failed and was dismissed."}


def test_only_failures_can_be_dismissed(database: Database, agent: Actor) -> None:
    task = create(database, created_by=agent.id)
    for step in (None, start, complete):
        if step:
            step(database, task)
        move = database.one("select changed, reason from dismiss_background_task(%s, %s)", task, agent.id)
        assert move["changed"] is False
        assert move["reason"]
    assert task_of(database, task)["dismissed_at"] is None


def test_undismiss_brings_a_failure_back_and_says_when_there_is_nothing_to_take_back(database: Database, agent: Actor) -> None:
    task = failed(database, create(database, created_by=agent.id))
    assert undismiss(database, task)["changed"] is False
    dismiss(database, task, agent.id)
    assert undismiss(database, task, agent.id)["changed"]
    assert badge(database) == [task]
    assert task_of(database, task)["dismissed_by"] is None


def test_a_dismissal_by_nobody_is_refused(database: Database) -> None:
    task = failed(database, create(database))
    with pytest.raises(psycopg.Error, match="nobody said who") as refused:
        dismiss(database, task)
    assert (refused.value.sqlstate, refused.value.diag.message_hint) == ("BT400", "Pass the id of the user as user_id.")


def test_a_stranger_cannot_dismiss_or_bring_back_and_a_supervisor_can(
    database: Database, agent: Actor, supervisor: Actor
) -> None:
    task = failed(database, create(database, created_by=agent.id))
    stranger = database.person("booking_agent")
    with pytest.raises(psycopg.Error, match="is not this user's"):
        dismiss(database, task, stranger.id)
    assert dismiss(database, task, supervisor.id)["changed"]
    with pytest.raises(psycopg.Error, match="is not this user's"):
        undismiss(database, task, stranger.id)


def test_a_failure_without_an_owner_is_the_supervisors_to_dismiss(database: Database, agent: Actor, supervisor: Actor) -> None:
    task = failed(database, create(database))
    with pytest.raises(psycopg.Error, match="is not this user's"):
        dismiss(database, task, agent.id)
    assert dismiss(database, task, supervisor.id)["changed"]


def test_dismiss_all_takes_the_callers_own_failures_and_nobody_elses(database: Database, agent: Actor, supervisor: Actor) -> None:
    mine = [failed(database, create(database, created_by=agent.id)) for _ in range(2)]
    others = failed(database, create(database, created_by=supervisor.id))
    pending = create(database, created_by=agent.id)
    assert database.value("select dismiss_all_failed_tasks(%s)", agent.id) == 2
    assert badge(database) == [others]
    assert all(task_of(database, task)["dismissed_by"] == agent.id for task in mine)
    assert task_of(database, pending)["status"] == "pending"
    assert database.value("select dismiss_all_failed_tasks(%s)", agent.id) == 0


def test_dismiss_all_of_null_is_never_everybody(database: Database, agent: Actor) -> None:
    task = failed(database, create(database, created_by=agent.id))
    unowned = failed(database, create(database))
    for call in (
        "select dismiss_all_failed_tasks()",
        "select dismiss_all_failed_tasks(null)",
        "select dismiss_all_failed_tasks(null, null)",
        "select dismiss_all_failed_tasks(null, true)",
    ):
        with (
            psycopg.connect(database.dsn, autocommit=True) as connection,
            pytest.raises(psycopg.Error, match="nobody said who") as refused,
        ):
            connection.execute(call.encode())
        assert refused.value.sqlstate == "BT400"
    assert sorted(badge(database)) == sorted([task, unowned])


def test_everybodys_failures_are_dismissed_only_by_a_supervisor_who_says_so(
    database: Database, agent: Actor, supervisor: Actor
) -> None:
    tasks = [failed(database, create(database, created_by=owner)) for owner in (agent.id, supervisor.id, None)]
    with pytest.raises(psycopg.Error, match="only supervisors and admins") as refused:
        database.one("select dismiss_all_failed_tasks(%s, true)", agent.id)
    assert refused.value.sqlstate == "BT403"
    assert sorted(badge(database)) == sorted(tasks)
    assert database.value("select dismiss_all_failed_tasks(%s, true)", supervisor.id) == 3
    assert badge(database) == []


# ── Archive ──


def test_what_is_settled_for_more_than_a_week_is_archived_with_steps_and_attempts(
    database: Database, agent: Actor, clock: Clock
) -> None:
    done = create(database, created_by=agent.id)
    start(database, done, "n8n")
    database.one("select private.keep_step(%s, 1, 'ask', 'h', '{\"minutes\": 7}')", done)
    complete(database, done, result={"contact": "QC1"})
    before = task_of(database, done)
    clock.advance(days=7)
    assert database.value("select archive_old_tasks()") == 0
    clock.advance(seconds=1)
    assert database.value("select archive_old_tasks()") == 1
    assert database.value("select count(*) from background_tasks") == 0
    kept = database.one("select * from background_tasks_archive")
    assert {name: kept[name] for name in before} == before
    assert kept["archived_at"] == clock.now
    assert [(step["label"], step["answer"]) for step in kept["steps"]] == [("ask", {"minutes": 7})]
    assert [(attempt["attempt"], attempt["worker"], attempt["outcome"]) for attempt in kept["attempts"]] == [
        (1, "n8n", "completed")
    ]
    leftovers = database.one(
        "select (select count(*) from background_task_steps) s, (select count(*) from background_task_attempts) a"
    )
    assert leftovers == {"s": 0, "a": 0}


def test_an_undismissed_failure_never_vanishes_however_old(database: Database, agent: Actor, clock: Clock) -> None:
    on_screen = failed(database, create(database, entity_id=uuid4()))
    dismissed = failed(database, create(database, entity_id=uuid4(), created_by=agent.id))
    dismiss(database, dismissed, agent.id)
    superseded = failed(database, create(database))
    clock.advance(minutes=1)
    completed(database, create(database))
    waiting, running = create(database), create(database)
    start(database, running)
    clock.advance(days=400)
    assert database.value("select archive_old_tasks()") == 3
    assert {row["id"] for row in database.all("select id from background_tasks")} == {on_screen, waiting, running}
    assert superseded in {row["id"] for row in database.all("select id from background_tasks_archive")}
    assert badge(database) == [on_screen]


def test_archive_goes_in_as_small_steps_as_it_is_told(database: Database, clock: Clock) -> None:
    _insert_completed(database, 5)
    clock.advance(days=8)
    assert [database.value("select archive_old_tasks(at_most => 2)") for _ in range(4)] == [2, 2, 1, 0]
    assert database.value("select archive_old_tasks(at_most => 0)") == 0
    assert database.value("select archive_old_tasks(at_most => -1)") == 0


def test_archive_without_a_bound_takes_more_than_one_batch(database: Database, clock: Clock) -> None:
    _insert_completed(database, 2500)
    clock.advance(days=8)
    assert database.value("select archive_old_tasks()") == 2500


def test_the_age_may_be_given_and_null_means_a_week(database: Database, clock: Clock) -> None:
    _insert_completed(database, 2)
    clock.advance(days=2)
    assert database.value("select archive_old_tasks(null)") == 0
    assert database.value("select archive_old_tasks(older_than => '1 day', at_most => 1)") == 1
    clock.advance(days=6)
    assert database.value("select archive_old_tasks(null, null)") == 1


def test_archive_passes_over_a_row_that_somebody_holds_and_takes_it_next_time(database: Database, clock: Clock) -> None:
    _insert_completed(database, 3)
    clock.advance(days=8)
    with psycopg.connect(database.dsn) as somebody:
        somebody.execute("select * from background_tasks limit 1 for update")
        assert database.value("select archive_old_tasks()") == 2
    assert database.value("select archive_old_tasks()") == 1


def test_the_archive_has_the_ledgers_columns_in_the_ledgers_order(database: Database) -> None:
    """The move copies `t.*`: a column added to one table alone, or in another place, would break it."""
    columns: LiteralString = (
        "select array_agg(attname || ' ' || format_type(atttypid, atttypmod) order by attnum) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped"
    )
    ledger, archive = database.value(columns, "background_tasks"), database.value(columns, "background_tasks_archive")
    assert archive == [*ledger, "archived_at timestamp with time zone", "steps jsonb", "attempts jsonb"]


def test_an_archived_task_is_told_of_as_archived(database: Database, clock: Clock) -> None:
    task = completed(database, create(database))
    clock.advance(days=8)
    database.value("select archive_old_tasks()")
    with pytest.raises(psycopg.Error, match="there is no task") as refused:
        start(database, task)
    assert "archived" in str(refused.value.diag.message_detail)


def _insert_completed(database: Database, count: int) -> None:
    database.all(
        "insert into background_tasks (entity_type, entity_id, task_type, status, completed_at)"
        " select 'client', gen_random_uuid(), 'sync_quo', 'completed', task_now() from generate_series(1, %s)",
        count,
    )
