"""Leases, heartbeats and checkpoints: what a worker that is killed, paused or sent home relies on, and n8n after its hour."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from backhaul.core.testing import Clock, Database
from tests.ledger import claim, complete, create, retry, start, task_of

# ── Leases that end ──


def test_n8n_has_an_hour_and_then_the_sweep_fails_its_task_in_words_a_person_can_act_on(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task, "n8n")
    clock.advance(minutes=59, seconds=59)
    assert database.value("select private.sweep_leases()") == 0
    clock.advance(seconds=1)
    assert database.value("select private.sweep_leases()") == 1
    row = task_of(database, task)
    assert (row["status"], row["error_code"]) == ("failed", "foreign.lost")
    assert row["error_message"] == "n8n started this and never reported back. It may or may not have been done."
    assert "retry it here or dismiss it" in row["error_hint"]


def test_a_task_started_without_a_name_is_told_of_as_n8ns_or_a_persons(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task)
    clock.advance(hours=1)
    database.value("select private.sweep_leases()")
    assert task_of(database, task)["error_message"].startswith("n8n or a person started this and never reported back.")


def test_the_hour_is_a_setting(database: Database, clock: Clock) -> None:
    task = create(database)
    database.all("update private.ledger_settings set foreign_lease = '10 minutes'")
    database.one("select * from start_background_task(%s)", task)
    assert task_of(database, task)["lease_expires_at"] == clock.now + timedelta(minutes=10)


def test_a_start_after_n8ns_hour_is_refused_like_the_sweep_would_and_tells_a_person(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task, "n8n")
    clock.advance(hours=2)
    move = start(database, task, "n8n")
    assert (move["changed"], move["status"]) == (False, "failed")
    assert task_of(database, task)["error_message"].startswith("n8n started this and never reported back.")


def test_a_dead_worker_costs_no_try_but_the_fifth_in_a_row_tells_a_person(database: Database, clock: Clock) -> None:
    task = create(database, max_attempts=1)
    for n in range(5):
        assert task_of(database, task)["status"] == "pending", n
        claim(database, task, f"worker {n}")
        clock.advance(seconds=5)
        assert database.value("select private.sweep_leases()") == 1
    row = task_of(database, task)
    assert (row["status"], row["attempt"], row["error_code"]) == ("failed", 5, "worker.lost")


def test_workers_lost_before_an_attempt_that_reported_back_are_not_counted(database: Database, clock: Clock) -> None:
    task = create(database)
    for lost in (4, 4):
        for _ in range(lost):
            claim(database, task)
            clock.advance(seconds=5)
            database.value("select private.sweep_leases()")
        claim(database, task)
        database.one("select * from snooze_background_task(%s)", task)
    assert (task_of(database, task)["status"], task_of(database, task)["attempt"]) == ("pending", 10)


def test_a_worker_that_takes_over_without_the_sweep_counts_the_loss_too(database: Database, clock: Clock) -> None:
    task = create(database)
    for n in range(5):
        assert claim(database, task, f"worker {n}")["changed"]
        clock.advance(seconds=5)
    assert claim(database, task, "worker 6")["changed"] is False
    assert (task_of(database, task)["status"], task_of(database, task)["attempt"]) == ("failed", 5)
    retry(database, task)
    database.one("select * from private.claim_task(%s, 'worker 7', '5 s')", task)
    clock.advance(seconds=5)
    database.value("select private.sweep_leases()")
    assert task_of(database, task)["status"] == "pending"


def test_a_heartbeat_keeps_what_its_worker_holds_and_nothing_that_it_lost(database: Database, clock: Clock) -> None:
    kept, lost = create(database), create(database)
    claim(database, lost)
    clock.advance(seconds=4)
    claim(database, kept)
    clock.advance(seconds=2)
    assert database.all("select * from private.keep_leases('worker', '5 s')") == [{"task_id": kept, "attempt": 1}]
    assert task_of(database, kept)["lease_expires_at"] == clock.now + timedelta(seconds=5)
    assert complete(database, lost, attempt=1)["changed"] is False


def test_a_long_statement_of_a_task_stops_the_heartbeat_neither_of_that_task_nor_of_the_others(
    database: Database, clock: Clock
) -> None:
    slow, other = create(database), create(database)
    for task in (slow, other):
        claim(database, task)
    clock.advance(seconds=4)
    with psycopg.connect(database.dsn) as statement, psycopg.connect(database.dsn, autocommit=True) as heart:
        statement.execute("select private.hold_lease(%s, 1)", (slow,))
        heart.execute("set lock_timeout = '500ms'")
        assert {row[0] for row in heart.execute("select * from private.keep_leases('worker', '5 s')").fetchall()} == {slow, other}
    for task in (slow, other):
        assert task_of(database, task)["lease_expires_at"] == clock.now + timedelta(seconds=5)


def test_a_row_that_somebody_at_psql_has_locked_does_not_stop_the_heartbeat(database: Database, clock: Clock) -> None:
    locked, other = create(database), create(database)
    for task in (locked, other):
        claim(database, task)
    clock.advance(seconds=2)
    with psycopg.connect(database.dsn) as person, psycopg.connect(database.dsn, autocommit=True) as heart:
        person.execute("select * from background_tasks where id = %s for update", (locked,))
        heart.execute("set lock_timeout = '500ms'")
        assert {row[0] for row in heart.execute("select * from private.keep_leases('worker', '5 s')").fetchall()} == {
            locked,
            other,
        }
    assert task_of(database, other)["lease_expires_at"] == clock.now + timedelta(seconds=5)


def test_nobody_takes_over_while_the_holder_writes(database: Database, clock: Clock) -> None:
    task = create(database)
    claim(database, task)
    with psycopg.connect(database.dsn) as holder, psycopg.connect(database.dsn, autocommit=True) as other:
        holder.execute("select private.hold_lease(%s, 1)", (task,))
        clock.advance(seconds=6)
        assert database.value("select private.sweep_leases()") == 0
        other.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select * from start_background_task(%s)", (task,))


def test_a_worker_that_leaves_hands_back_at_once_what_it_holds(database: Database) -> None:
    task, others = create(database), create(database)
    start(database, task, "leaving", timedelta(seconds=5))
    start(database, others, "staying", timedelta(seconds=5))
    assert database.value("select private.leave('leaving')") == 1
    assert (task_of(database, task)["status"], task_of(database, others)["status"]) == ("pending", "processing")
    assert start(database, task, "another")["attempt"] == 2


def test_a_busy_row_does_not_hold_up_the_sweep_or_a_leave(database: Database, clock: Clock) -> None:
    first, second = create(database, once_key="a"), create(database)
    for task in (first, second):
        start(database, task, "worker", timedelta(seconds=5))
    follower = create(database, once_key="a")
    clock.advance(seconds=6)
    with psycopg.connect(database.dsn) as somebody:
        somebody.execute("select * from background_tasks where id = %s for update", (follower,))
        assert database.value("select private.sweep_leases()") == 1
        assert database.value("select private.leave('worker')") == 0
    assert task_of(database, second)["status"] == "failed"
    assert task_of(database, first)["status"] == "processing"
    assert database.value("select private.sweep_leases()") == 1


# ── Checkpoints ──


def test_a_step_is_kept_and_recalled_by_label_and_arguments_while_the_lease_holds(database: Database, clock: Clock) -> None:
    task = create(database)
    start(database, task, "worker", timedelta(seconds=5))
    assert database.one("select * from private.recall_step(%s, 1, 'ask', 'h1')", task) == {"known": False, "answer": None}
    database.one("select private.keep_step(%s, 1, 'ask', 'h1', '{\"minutes\": 7}')", task)
    assert database.one("select * from private.recall_step(%s, 1, 'ask', 'h1')", task) == {
        "known": True,
        "answer": {"minutes": 7},
    }
    assert database.one("select * from private.recall_step(%s, 1, 'ask', 'h2')", task)["known"] is False
    clock.advance(seconds=6)
    with pytest.raises(psycopg.Error, match="no longer holds") as refused:
        database.one("select private.keep_step(%s, 1, 'ask', 'h2', '1')", task)
    assert refused.value.sqlstate == "BT410"


def test_a_known_answer_of_nothing_is_known(database: Database) -> None:
    task = create(database)
    start(database, task)
    database.one("select private.keep_step(%s, 1, 'tell', 'h', null)", task)
    assert database.one("select * from private.recall_step(%s, 1, 'tell', 'h')", task) == {"known": True, "answer": None}
