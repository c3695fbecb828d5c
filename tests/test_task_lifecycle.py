"""Each function of the ledger, called as n8n or a person at psql calls it: every move, what it returns and why.

What n8n's workflows, our worker and whoever is on call rely on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from backhaul.core.store import Actor, Row
from backhaul.core.testing import Clock, Database
from tests.ledger import (
    CLIENT,
    badge,
    claim,
    complete,
    completed,
    create,
    dismiss,
    fail,
    failed,
    retry,
    snooze,
    start,
    task_of,
    undismiss,
)

# ── Create ──


def test_the_two_statements_people_try_first_work_at_psql(database: Database) -> None:
    assert database.all("SELECT * FROM background_tasks LIMIT 1;") == []
    made = database.value("SELECT create_background_task('test', gen_random_uuid(), 'Test', 'test_task', NULL);")
    task = database.one("SELECT * FROM background_tasks LIMIT 1;")
    assert (task["id"], task["status"], task["attempt"], task["created_by"]) == (made, "pending", 0, None)


def test_a_created_task_is_due_at_once_and_has_an_engine_job_in_its_lane(database: Database) -> None:
    task = create(database, lane="quo")
    job = database.one(
        "select entrypoint, convert_from(payload, 'UTF8') as task, status::text, execute_after <= now() as due"
        "  from engine.pgqueuer"
    )
    assert job == {"entrypoint": "quo", "task": str(task), "status": "queued", "due": True}


def test_a_creation_rolled_back_leaves_neither_task_nor_job(database: Database) -> None:
    with psycopg.connect(database.dsn) as connection:
        connection.execute("select create_background_task('client', gen_random_uuid(), 'Jane', 'sync_quo')")
        assert connection.execute(
            "select (select count(*) from background_tasks), (select count(*) from engine.pgqueuer)"
        ).fetchone() == (1, 1)
        connection.rollback()
    assert database.one("select (select count(*) from background_tasks) t, (select count(*) from engine.pgqueuer) j") == {
        "t": 0,
        "j": 0,
    }


def test_a_task_for_later_has_a_job_for_later_and_cannot_start_before(database: Database, clock: Clock) -> None:
    task = create(database, run_after=clock.now + timedelta(hours=2))
    assert database.value("select execute_after > now() + interval '119 minutes' from engine.pgqueuer")
    early = start(database, task)
    assert (early["changed"], early["status"]) == (False, "pending")
    assert "not before 2026-11-23 16:00:00 UTC" in early["reason"]
    clock.advance(hours=2)
    assert start(database, task)["changed"]


@pytest.mark.parametrize("missing", [{"entity_type": " "}, {"entity_id": None}, {"task_type": ""}, {"task_type": None}])
def test_a_task_without_entity_or_type_is_refused_with_an_example(database: Database, missing: dict[str, Any]) -> None:
    with pytest.raises(psycopg.Error, match="needs an entity and a task type") as refused:
        create(database, **missing)
    assert refused.value.sqlstate == "BT400"
    assert "Given:" in str(refused.value.diag.message_detail)
    assert "create_background_task(" in str(refused.value.diag.message_hint)


def test_nulls_where_n8n_has_nothing_to_say_mean_the_defaults(database: Database) -> None:
    task = task_of(
        database,
        create(
            database, args=None, max_attempts=None, lane=None, run_after=None, once_key="", created_by=None, audit_log_id=None
        ),
    )
    assert (task["args"], task["max_attempts"], task["lane"], task["once_key"]) == ({}, 5, "inner", None)


def test_an_empty_once_key_joins_nothing(database: Database) -> None:
    assert create(database, once_key="") != create(database, once_key="")


def test_a_task_that_allows_no_try_is_refused(database: Database) -> None:
    with pytest.raises(psycopg.Error, match="at least one try") as refused:
        create(database, max_attempts=0)
    assert refused.value.sqlstate == "BT400"


def test_a_lane_that_n8n_works_gets_no_engine_job_and_the_sweep_leaves_it_alone(database: Database, clock: Clock) -> None:
    database.all("insert into private.foreign_lanes values ('mail', 'n8n')")
    task = create(database, lane="mail")
    clock.advance(minutes=5)
    database.one("select * from private.sweep()")
    assert database.value("select count(*) from engine.pgqueuer") == 0
    assert start(database, task, "n8n")["changed"]


# ── Start ──


def test_start_says_that_it_won_and_a_second_start_that_it_lost_and_to_whom(database: Database) -> None:
    task = create(database)
    won = start(database, task, "n8n")
    assert won == {"task_id": task, "changed": True, "status": "processing", "attempt": 1, "reason": None}
    lost = start(database, task, "somebody else")
    assert lost == {
        "task_id": task,
        "changed": False,
        "status": "processing",
        "attempt": 1,
        "reason": "It is running: attempt 1, by n8n.",
    }
    assert task_of(database, task)["leased_by"] == "n8n"


def test_start_counts_the_attempt_and_keeps_a_record_of_it(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task, "n8n")
    assert task_of(database, task)["started_at"] == clock.now
    assert database.all("select attempt, worker, started_at, finished_at, outcome from background_task_attempts") == [
        {"attempt": 1, "worker": "n8n", "started_at": clock.now, "finished_at": None, "outcome": None}
    ]


@pytest.mark.parametrize("end", [completed, failed])
def test_what_has_ended_cannot_start(database: Database, end: Callable[[Database, UUID], UUID]) -> None:
    task = end(database, create(database))
    before = task_of(database, task)
    move = start(database, task)
    assert move["changed"] is False
    assert move["reason"] in ("It is completed.", "It has failed.")
    assert task_of(database, task) == before


def test_a_lease_that_has_ended_already_is_refused(database: Database) -> None:
    with pytest.raises(psycopg.Error, match="lease") as refused:
        start(database, create(database), lease=timedelta(0))
    assert refused.value.sqlstate == "BT400"


@pytest.mark.parametrize("move", [start, complete, fail, snooze, retry, dismiss, undismiss])
def test_an_unknown_task_is_an_error_that_says_so(database: Database, move: Callable[[Database, UUID], Row]) -> None:
    nobody = uuid4()
    with pytest.raises(psycopg.Error, match=f"there is no task {nobody}") as refused:
        move(database, nobody)
    assert refused.value.sqlstate == "BT404"
    assert refused.value.diag.message_detail
    assert refused.value.diag.message_hint


def test_work_is_claimed_with_the_arguments_of_the_moment_it_is_claimed(database: Database) -> None:
    task = create(database, once_key="k", args=Jsonb({"address": "old"}))
    with psycopg.connect(database.dsn) as joining, psycopg.connect(database.dsn, autocommit=True) as worker:
        joining.execute(
            "select create_background_task('client', %s, 'Jane', 'sync_quo', once_key => 'k', args => '{\"address\": \"new\"}')",
            (CLIENT,),
        )
        with worker.pipeline():  # the claim is under way, and waits for the one who joins
            cursor = worker.execute("select attempt, args from private.claim_task(%s, 'worker', '5 s')", (task,))
            _wait_until_blocked(database, 1)
            joining.commit()
        assert cursor.fetchone() == (1, {"address": "new"})


def _wait_until_blocked(database: Database, backends: int) -> None:
    deadline = time.monotonic() + 10
    while (
        database.value("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
        < backends
    ):
        assert time.monotonic() < deadline, "nobody waits for the lock"


# ── Complete ──


def test_complete_with_the_task_id_alone_means_the_current_attempt(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task)
    clock.advance(minutes=1)
    move = database.one("select * from complete_background_task(%s)", task)
    assert (move["changed"], move["status"], move["attempt"]) == (True, "completed", 1)
    row = task_of(database, task)
    assert (row["completed_at"], row["lease_expires_at"], row["result"]) == (clock.now, None, None)
    assert database.one("select outcome, finished_at from background_task_attempts") == {
        "outcome": "completed",
        "finished_at": clock.now,
    }


def test_complete_keeps_the_result_and_clears_the_error_of_earlier_tries(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task)
    fail(database, task, "Slow.", transient=True, error_code="quo.429", error_hint="Wait.")
    clock.advance(minutes=1)
    start(database, task)
    complete(database, task, result={"contact": "QC1"})
    row = task_of(database, task)
    assert (row["result"], row["error_message"], row["error_code"], row["error_hint"]) == ({"contact": "QC1"}, None, None, None)


def test_complete_before_start_changes_nothing_and_says_why(database: Database) -> None:
    task = create(database)
    before = task_of(database, task)
    move = complete(database, task)
    assert (move["changed"], move["reason"]) == (False, "It is waiting. Start it first.")
    assert task_of(database, task) == before


@pytest.mark.parametrize("end", [completed, failed])
@pytest.mark.parametrize("report", [complete, fail])
def test_what_has_ended_stays_as_it_ended(
    database: Database, end: Callable[[Database, UUID], UUID], report: Callable[..., Row]
) -> None:
    task = end(database, create(database))
    before = task_of(database, task)
    move = report(database, task)
    assert move["changed"] is False
    assert move["reason"]
    assert task_of(database, task) == before


def test_late_worker_cannot_complete_or_fail_a_task_leased_to_another(database: Database, clock: Clock) -> None:
    task = create(database)
    for worker in ("paused", "successor"):
        assert claim(database, task, worker)["changed"]
        clock.advance(seconds=6 if worker == "paused" else 0)
    for report in (complete, fail):
        move = report(database, task, attempt=1)
        assert (move["changed"], move["reason"]) == (False, "Attempt 1 no longer holds it: attempt 2 does.")
    assert complete(database, task, attempt=2)["changed"]
    assert [row["outcome"] for row in database.all("select outcome from background_task_attempts order by attempt")] == [
        "lost",
        "completed",
    ]


def test_a_result_after_the_end_of_its_lease_is_refused_though_nobody_took_over(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task, "slow", timedelta(seconds=5))
    clock.advance(seconds=5)
    assert complete(database, task, attempt=1)["reason"] == "The lease of attempt 1 has ended."
    assert fail(database, task)["changed"] is False
    assert task_of(database, task)["status"] == "processing"


# ── Fail ──


def test_fail_says_what_failed_and_what_to_do(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task)
    move = fail(database, task, "Quo refused our key.", error_code="quo.401", error_hint="A Quo owner makes a new one.")
    assert (move["changed"], move["status"]) == (True, "failed")
    row = task_of(database, task)
    assert (row["error_message"], row["error_code"], row["error_hint"]) == (
        "Quo refused our key.",
        "quo.401",
        "A Quo owner makes a new one.",
    )
    assert (row["completed_at"], row["failures"]) == (clock.now, 1)
    assert database.one("select outcome, error_message, error_code from background_task_attempts") == {
        "outcome": "failed", "error_message": "Quo refused our key.", "error_code": "quo.401",
    }  # fmt: skip


@pytest.mark.parametrize("message", [None, "", "  \n"])
def test_an_empty_error_message_is_refused(database: Database, message: str | None) -> None:
    task = create(database)
    start(database, task)
    with pytest.raises(psycopg.Error, match="must say what failed") as refused:
        fail(database, task, message)
    assert (refused.value.sqlstate, refused.value.diag.message_detail) == ("BT400", "error_message is empty.")
    assert task_of(database, task)["status"] == "processing"


def test_a_failure_that_passes_by_itself_waits_longer_each_time_and_then_fails(database: Database, clock: Clock) -> None:
    task = create(database, max_attempts=8)
    pauses = []
    for _ in range(7):
        start(database, task)
        assert fail(database, task, transient=True)["status"] == "pending"
        pauses.append((task_of(database, task)["run_after"] - clock.now).total_seconds())
        clock.set(task_of(database, task)["run_after"])
    for pause, base in zip(pauses, (2, 6, 18, 54, 162, 486, 600), strict=True):
        assert base * 0.9 <= pause <= base * 1.1
    start(database, task)
    assert fail(database, task, transient=True)["status"] == "failed"
    assert (task_of(database, task)["attempt"], task_of(database, task)["failures"]) == (8, 8)


def test_pauses_are_spread_so_that_a_crowd_does_not_come_back_as_one(database: Database) -> None:
    pauses = database.all("select private.back_off(1) as pause from generate_series(1, 50)")
    assert len({row["pause"] for row in pauses}) > 40


def test_retry_after_is_honoured_to_the_second(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task)
    move = fail(database, task, "Slow down.", transient=True, retry_after=timedelta(seconds=90))
    assert (move["changed"], move["status"]) == (True, "pending")
    assert "not before 2026-11-23 14:01:30 UTC" in move["reason"]
    assert task_of(database, task)["run_after"] == clock.now + timedelta(seconds=90)
    assert task_of(database, task)["error_message"] == "Slow down."
    assert database.value("select max(execute_after) > now() + interval '85 seconds' from engine.pgqueuer")


def test_a_trigger_or_engine_that_lost_the_job_does_not_leave_the_task_pending_for_ever(database: Database, clock: Clock) -> None:
    task = create(database)
    database.all("delete from engine.pgqueuer")
    clock.advance(seconds=2)
    assert database.one("select * from private.sweep()")["forgotten"] == 1
    assert database.value("select convert_from(payload, 'UTF8') from engine.pgqueuer") == str(task)
    assert database.one("select * from private.sweep()")["forgotten"] == 0


def test_a_job_taken_by_a_worker_that_died_before_it_started_the_task_is_brought_again(database: Database, clock: Clock) -> None:
    create(database)
    database.all(
        "update engine.pgqueuer set status = 'picked', queue_manager_id = gen_random_uuid(),"
        " updated = now() - interval '4 seconds'"
    )
    clock.advance(seconds=2)
    assert database.one("select * from private.sweep()")["forgotten"] == 1
    assert database.value("select count(*) from engine.pgqueuer where status = 'queued'") == 1


def test_a_long_backlog_that_the_engine_lost_comes_back_in_parts_the_oldest_first(database: Database, clock: Clock) -> None:
    database.all(
        "insert into background_tasks (entity_type, entity_id, task_type, run_after)"
        " select 'client', gen_random_uuid(), 'sync_quo', task_now() - n * interval '1 second' from generate_series(1, 1500) n"
    )
    database.all("delete from engine.pgqueuer")
    clock.advance(seconds=1)
    assert database.one("select * from private.sweep()")["forgotten"] == 1000
    assert database.one("select * from private.sweep()")["forgotten"] == 0
    oldest = database.all(
        "select t.id as task from engine.pgqueuer j join background_tasks t on t.id = convert_from(j.payload, 'UTF8')::uuid"
        " order by t.run_after"
    )
    assert oldest == database.all("select id as task from background_tasks order by run_after limit 1000")
    database.all("select private.claim_task(id, 'worker', '1 hour') from background_tasks order by run_after limit 1000")
    assert database.one("select * from private.sweep()")["forgotten"] == 500


# ── Snooze ──


def test_a_snooze_costs_no_try_and_says_why_it_waits(database: Database, clock: Clock) -> None:
    task = create(database, max_attempts=1)
    start(database, task)
    until = clock.now + timedelta(hours=1)
    move = database.one("select * from snooze_background_task(%s, %s, 'Quo is in maintenance', 1)", task, until)
    assert (move["changed"], move["status"]) == (True, "pending")
    row = task_of(database, task)
    assert (row["run_after"], row["failures"], row["error_message"]) == (until, 0, "Quo is in maintenance")
    assert database.value("select outcome from background_task_attempts") == "snoozed"


def test_only_the_attempt_that_holds_it_may_snooze_a_task(database: Database) -> None:
    task = create(database)
    assert database.one("select * from snooze_background_task(%s)", task)["changed"] is False
    start(database, task)
    assert database.one("select * from snooze_background_task(%s, attempt => 7)", task)["changed"] is False


# ── Retry ──


def test_retry_makes_a_failure_due_again_with_its_checkpoints_and_all_its_tries(database: Database, agent: Actor) -> None:
    task = create(database, created_by=agent.id)
    start(database, task)
    database.one("select private.keep_step(%s, 1, 'ask', 'h', '1')", task)
    fail(database, task)
    dismiss(database, task, agent.id)
    move = retry(database, task, agent.id)
    assert (move["changed"], move["status"]) == (True, "pending")
    row = task_of(database, task)
    assert (row["failures"], row["dismissed_at"], row["dismissed_by"], row["error_message"], row["completed_at"]) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert start(database, task)["attempt"] == 2
    assert database.one("select * from private.recall_step(%s, 2, 'ask', 'h')", task)["known"]


def test_retry_puts_a_job_into_the_engine(database: Database) -> None:
    task = failed(database, create(database))
    database.all("delete from engine.pgqueuer")
    retry(database, task)
    assert database.value("select convert_from(payload, 'UTF8') from engine.pgqueuer where status = 'queued'") == str(task)


def test_retry_of_what_has_not_failed_changes_nothing_and_says_why(database: Database) -> None:
    task = create(database)
    assert database.one("select changed, reason from retry_background_task(%s)", task) == {
        "changed": False,
        "reason": "It is waiting.",
    }
    start(database, task, "n8n")
    assert retry(database, task)["reason"] == "It is running: attempt 1, by n8n."
    complete(database, task)
    assert retry(database, task)["reason"] == "It is completed."


def test_a_failure_whose_work_a_later_task_did_is_not_retried(database: Database, clock: Clock) -> None:
    old = failed(database, create(database))
    clock.advance(minutes=1)
    completed(database, create(database))
    assert database.one("select changed, reason from retry_background_task(%s)", old) == {
        "changed": False, "reason": "It has failed, and a later task did the work.",
    }  # fmt: skip


def test_retry_by_a_stranger_is_refused_and_by_a_supervisor_done(database: Database, agent: Actor, supervisor: Actor) -> None:
    task = failed(database, create(database, created_by=agent.id))
    stranger = database.person("booking_agent")
    with pytest.raises(psycopg.Error, match="is not this user's") as refused:
        retry(database, task, stranger.id)
    assert (refused.value.sqlstate, refused.value.diag.message_hint) == ("BT403", "Ask a supervisor.")
    assert retry(database, task, supervisor.id)["changed"]


def test_a_disabled_owner_moves_nothing_even_when_the_house_asks_in_their_name(database: Database, agent: Actor) -> None:
    task = failed(database, create(database, created_by=agent.id))
    database.all("update users set is_active = false where id = %s", agent.id)
    for move in (retry, dismiss):
        with pytest.raises(psycopg.Error, match="is not this user's") as refused:
            move(database, task, agent.id)
        assert refused.value.sqlstate == "BT403"


def test_retry_and_dismissal_are_in_the_audit_log(database: Database, agent: Actor) -> None:
    task = failed(database, create(database, created_by=agent.id))
    dismiss(database, task, agent.id)
    undismiss(database, task, agent.id)
    retry(database, task, agent.id)
    entries = database.all("select action, entity_id, user_id from audit_logs order by seq")
    assert entries == [
        {"action": action, "entity_id": task, "user_id": agent.id} for action in ("dismiss_task", "undismiss_task", "retry_task")
    ]


# ── Superseding ──


def test_a_later_success_takes_the_older_failure_off_the_badge(database: Database, clock: Clock) -> None:
    old = failed(database, create(database))
    assert badge(database) == [old]
    clock.advance(minutes=1)
    new = completed(database, create(database))
    assert badge(database) == []
    assert task_of(database, old)["superseded_by"] == new


def test_a_success_leaves_other_records_other_types_and_newer_failures_on_the_badge(database: Database, clock: Clock) -> None:
    new = create(database)
    clock.advance(minutes=1)
    others = [
        failed(database, create(database, entity_id=uuid4())),
        failed(database, create(database, task_type="calculate_drive_times")),
        failed(database, create(database)),
    ]
    completed(database, new)
    assert sorted(badge(database)) == sorted(others)


def test_work_of_one_save_does_not_supersede_its_siblings(database: Database) -> None:
    with psycopg.connect(database.dsn) as save:
        tell = (
            "select create_background_task('appointment', %s, 'Visit', 'tell_driver',"
            " args => jsonb_build_object('driver', %s::text))"
        )
        (first,), (second,) = [save.execute(tell, (CLIENT, driver)).fetchone() or () for driver in ("Ana", "Ben")]
    failed(database, first)
    completed(database, second)
    assert badge(database) == [first]


def test_work_under_another_once_per_key_is_other_work(database: Database, clock: Clock) -> None:
    ana = failed(database, create(database, task_type="tell_driver", once_key="tell_driver:ana"))
    clock.advance(minutes=1)
    completed(database, create(database, task_type="tell_driver", once_key="tell_driver:ben"))
    assert badge(database) == [ana]


def test_a_dismissed_failure_does_not_come_back_when_its_work_was_done_meanwhile(
    database: Database, agent: Actor, clock: Clock
) -> None:
    old = failed(database, create(database, created_by=agent.id))
    dismiss(database, old, agent.id)
    clock.advance(minutes=1)
    completed(database, create(database))
    move = undismiss(database, old, agent.id)
    assert move["changed"]
    assert badge(database) == []
    assert retry(database, old)["changed"] is False


# ── Moves made around the functions ──


@pytest.mark.parametrize(
    ("end", "to"),
    [
        (completed, "failed"), (completed, "pending"), (completed, "processing"), (failed, "completed"), (failed, "processing"),
        (None, "completed"), (None, "failed"),
    ],
)  # fmt: skip
def test_no_update_by_hand_makes_a_move_the_ledger_does_not_know(
    database: Database, end: Callable[[Database, UUID], UUID] | None, to: str
) -> None:
    task = create(database)
    if end:
        end(database, task)
    with (
        psycopg.connect(database.dsn, autocommit=True) as connection,
        pytest.raises(psycopg.Error, match="cannot go from") as refused,
    ):
        connection.execute(
            "update background_tasks set status = %s, error_message = 'x', completed_at = now(), lease_expires_at = null,"
            " attempt = attempt + 1 where id = %s",
            (to, task),
        )
    assert (refused.value.sqlstate, refused.value.diag.message_hint) == (
        "BT409",
        "Use the functions: start, complete, fail, retry.",
    )


def test_no_start_by_hand_without_a_new_attempt_number(database: Database) -> None:
    task = create(database)
    with pytest.raises(psycopg.Error, match="without a new attempt number"):
        database.all(
            "update background_tasks set status = 'processing', lease_expires_at = now() + interval '1 hour' where id = %s", task
        )


@pytest.mark.parametrize(
    "broken",
    [
        "update background_tasks set task_type = ''", "update background_tasks set once_key = ''",
        "update background_tasks set max_attempts = 0", "update background_tasks set lease_expires_at = now()",
        "update background_tasks set completed_at = now()", "update background_tasks set superseded_by = id",
        "update background_tasks set dismissed_at = now()",
    ],
)  # fmt: skip
def test_the_table_refuses_what_cannot_be(database: Database, broken: LiteralString) -> None:
    create(database)
    with pytest.raises(psycopg.errors.IntegrityError):
        database.all(broken)


# ── Views ──


def test_the_views_say_what_is_on_the_screens(database: Database, agent: Actor, clock: Clock) -> None:
    audit = database.value("select private.write_audit('create_client', 'client', %s, %s)", CLIENT, agent.id)
    task = failed(database, create(database, created_by=agent.id, audit_log_id=audit))
    failed(database, create(database, entity_id=uuid4()))
    create(database, created_by=agent.id)
    assert [
        row["created_by_name"] for row in database.all("select * from all_failed_tasks order by created_by_name nulls last")
    ] == ["Alex Agent", None]
    assert database.one("select * from failed_tasks_summary") == {
        "total_failed": 2, "users_with_failures": 1, "oldest_failure": clock.now, "newest_failure": clock.now,
    }  # fmt: skip
    assert database.one("select * from task_status_summary where created_by = %s", agent.id) == {
        "created_by": agent.id, "failed_count": 1, "completed_24h": 0, "pending_count": 1, "processing_count": 0,
    }  # fmt: skip
    told = database.one("select * from failed_tasks_with_audit where task_id = %s", task)
    assert (told["user_action"], told["action_user_name"], told["task_failed_at"]) == ("create_client", "Alex Agent", clock.now)
