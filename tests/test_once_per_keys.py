"""Once-per keys: one waiting, one running. What whoever saves the same client five times in a minute relies on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Lock
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from backhaul.core.store import Actor, Row
from backhaul.core.testing import Clock, Database

CLIENT = UUID("00000000-0000-4000-8000-000000000001")
KEY = "sync_quo:jane"

_CREATE = (
    "select create_background_task('client', %s, 'Jane', %s, once_key => %s, args => %s, created_by => %s, max_attempts => %s)"
)


def create(
    database: Database,
    *,
    key: str = KEY,
    args: dict[str, Any] | None = None,
    by: UUID | None = None,
    task_type: str = "sync_quo",
    tries: int = 5,
) -> UUID:
    made: UUID = database.value(_CREATE, CLIENT, task_type, key, Jsonb(args or {}), by, tries)
    return made


def claim(database: Database, task: UUID, *, lease: str = "5 s") -> Row:
    return database.one("select * from private.claim_task(%s, 'worker', %s::interval)", task, lease)


def status(database: Database, *tasks: UUID) -> list[str]:
    return [database.value("select status from background_tasks where id = %s", task) for task in tasks]


def jobs_of(database: Database, task: UUID) -> int:
    """Live jobs that will bring the task to a worker now."""
    count: int = database.value(
        "select count(*) from engine.pgqueuer"
        " where convert_from(payload, 'UTF8') = %s and status = 'queued' and execute_after <= now()",
        str(task),
    )
    return count


# ── Joining one that waits ──


def test_a_repeat_joins_the_one_that_waits_and_brings_its_own_data(database: Database, agent: Actor, supervisor: Actor) -> None:
    first = create(database, args={"address": "old"}, by=agent.id)
    assert create(database, args={"address": "new"}, by=supervisor.id, tries=8) == first
    row = database.one("select * from background_tasks")
    assert (row["args"], row["created_by"], row["max_attempts"]) == ({"address": "new"}, supervisor.id, 8)


def test_a_repeat_by_nobody_in_particular_leaves_the_task_to_its_owner(database: Database, agent: Actor) -> None:
    create(database, by=agent.id)
    create(database, by=None)
    assert database.value("select created_by from background_tasks") == agent.id


def test_a_repeat_gives_one_that_waits_to_try_again_all_its_tries_and_makes_it_due_now(database: Database, clock: Clock) -> None:
    task = create(database, tries=2)
    claim(database, task)
    database.one("select * from fail_background_task(%s, 'Slow.', transient => true, retry_after => '1 hour')", task)
    assert create(database, tries=2) == task
    row = database.one("select failures, run_after from background_tasks")
    assert row == {"failures": 0, "run_after": clock.now}
    assert claim(database, task)["changed"]


def test_a_repeat_for_later_does_not_put_off_one_that_is_due(database: Database, clock: Clock) -> None:
    create(database)
    database.value(
        "select create_background_task('client', %s, 'Jane', 'sync_quo', once_key => %s,"
        " run_after => task_now() + interval '1 hour')",
        CLIENT,
        KEY,
    )
    assert database.value("select run_after from background_tasks") == clock.now


def test_a_joined_task_is_still_brought_to_a_worker_once(database: Database) -> None:
    task = create(database)
    for _ in range(5):
        create(database)
    assert jobs_of(database, task) == 1


def test_the_same_key_of_another_task_type_is_another_key(database: Database) -> None:
    assert create(database, task_type="sync_quo") != create(database, task_type="calculate_drive_times")
    for row in database.all("select id from background_tasks"):
        assert claim(database, row["id"])["changed"]


def test_tasks_without_a_key_never_join(database: Database) -> None:
    made = {database.value("select create_background_task('client', %s, 'Jane', 'sync_quo')", CLIENT) for _ in range(3)}
    assert len(made) == 3


def test_a_creation_that_joined_and_rolled_back_changes_nothing(database: Database, agent: Actor) -> None:
    task = create(database, args={"address": "old"}, by=agent.id)
    with psycopg.connect(database.dsn) as connection:
        connection.execute(_CREATE, (CLIENT, "sync_quo", KEY, Jsonb({"address": "new"}), None, 5))
        connection.rollback()
    assert database.value("select args from background_tasks where id = %s", task) == {"address": "old"}


# ── Following one that runs ──


def test_a_repeat_follows_the_one_that_runs_and_starts_when_that_has_ended(database: Database) -> None:
    first = create(database)
    claim(database, first)
    second = create(database)
    assert second != first
    waits = claim(database, second)
    assert (waits["changed"], waits["reason"]) == (False, f"It waits behind task {first}, which does the same work now.")
    assert create(database) == second
    database.all("delete from engine.pgqueuer")
    database.one("select * from complete_background_task(%s)", first)
    assert jobs_of(database, second) == 1
    assert claim(database, second)["changed"]


@pytest.mark.parametrize(
    "end",
    [
        "select * from complete_background_task(%s)",
        "select * from fail_background_task(%s, 'No such address.')",
        "select * from fail_background_task(%s, 'Slow.', transient => true)",
        "select * from fail_background_task(%s, 'Slow.', transient => true, retry_after => '1 hour')",
        "select * from snooze_background_task(%s, task_now() + interval '1 hour')",
    ],
)
def test_however_the_one_ahead_ends_the_one_behind_is_brought_to_a_worker_once(database: Database, end: LiteralString) -> None:
    first = create(database)
    claim(database, first)
    second = create(database)
    database.all("delete from engine.pgqueuer")
    database.one(end, first)
    assert jobs_of(database, second) == 1
    assert database.value("select count(*) from engine.pgqueuer") == 1
    assert claim(database, second)["changed"]


def test_one_that_would_try_again_gives_way_to_the_newer_one_and_stays_off_the_screen(database: Database) -> None:
    first = create(database)
    claim(database, first)
    second = create(database)
    move = database.one("select * from fail_background_task(%s, 'Slow.', transient => true)", first)
    assert (move["changed"], move["status"]) == (True, "failed")
    row = database.one("select superseded_by, error_message from background_tasks where id = %s", first)
    assert row == {"superseded_by": second, "error_message": "Slow."}
    assert database.all("select id from user_failed_tasks") == []


def test_one_that_fails_for_good_is_shown_until_the_newer_one_succeeds(database: Database, clock: Clock) -> None:
    first = create(database)
    claim(database, first)
    clock.advance(seconds=1)
    second = create(database)
    database.one("select * from fail_background_task(%s, 'No such address.')", first)
    assert [row["id"] for row in database.all("select id from user_failed_tasks")] == [first]
    claim(database, second)
    database.one("select * from complete_background_task(%s)", second)
    assert database.all("select id from user_failed_tasks") == []


@pytest.mark.parametrize("ours", [True, False])
def test_when_the_one_ahead_loses_its_worker_the_one_behind_carries_on(database: Database, clock: Clock, ours: bool) -> None:
    first = create(database)
    if ours:
        claim(database, first)
    else:
        database.one("select * from start_background_task(%s, 'n8n', '5 s')", first)
    second = create(database)
    clock.advance(seconds=5)
    database.all("delete from engine.pgqueuer")
    assert database.value("select private.sweep_leases()") == 1
    assert status(database, first, second) == ["failed", "pending"]
    assert jobs_of(database, second) == 1
    assert (database.value("select superseded_by from background_tasks where id = %s", first) == second) is ours
    assert claim(database, second)["changed"]


def test_a_follower_may_start_straight_after_the_lease_ahead_ended_though_no_sweep_came_by(
    database: Database, clock: Clock
) -> None:
    first = create(database)
    claim(database, first)
    second = create(database)
    clock.advance(seconds=6)
    assert claim(database, first)["changed"] is False
    assert claim(database, second)["changed"]


def test_a_worker_that_leaves_hands_its_work_to_the_newer_request(database: Database) -> None:
    first = create(database)
    claim(database, first)
    second = create(database)
    database.all("delete from engine.pgqueuer")
    assert database.value("select private.leave('worker')") == 1
    assert status(database, first, second) == ["failed", "pending"]
    assert jobs_of(database, second) == 1


def test_a_retry_while_a_newer_one_waits_leaves_the_work_to_that_one(database: Database) -> None:
    first = create(database)
    claim(database, first)
    database.one("select * from fail_background_task(%s, 'No such address.')", first)
    second = create(database)
    move = database.one("select * from retry_background_task(%s)", first)
    assert (move["changed"], move["status"], move["reason"]) == (
        True,
        "failed",
        "A newer request for the same work is waiting; it carries on.",
    )
    assert database.all("select id from user_failed_tasks") == []
    assert status(database, second) == ["pending"]


def test_a_retry_while_a_newer_one_runs_waits_behind_it(database: Database) -> None:
    first = create(database)
    claim(database, first)
    database.one("select * from fail_background_task(%s, 'No such address.')", first)
    second = create(database)
    claim(database, second)
    assert database.one("select * from retry_background_task(%s)", first)["status"] == "pending"
    assert claim(database, first)["changed"] is False
    database.all("delete from engine.pgqueuer")
    database.one("select * from fail_background_task(%s, 'No such address.')", second)
    assert jobs_of(database, first) == 1


def test_no_update_by_hand_makes_two_of_a_key_wait_or_run(database: Database) -> None:
    claim(database, create(database))
    create(database)
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.all(
            "update background_tasks set status = 'processing', attempt = 1, lease_expires_at = now() + interval '1 hour'"
            " where status = 'pending'"
        )
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.all("update background_tasks set status = 'pending', lease_expires_at = null where status = 'processing'")


def test_a_caller_in_repeatable_read_gets_an_error_and_not_an_endless_loop(database: Database) -> None:
    task = create(database)
    claim(database, task)
    with psycopg.connect(database.dsn) as frozen:
        frozen.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        frozen.execute("set local statement_timeout = '10s'")
        frozen.execute("select count(*) from background_tasks")  # from here on it sees what was there now
        create(database)
        with pytest.raises(psycopg.Error) as refused:
            frozen.execute("select * from fail_background_task(%s, 'Slow.', transient => true)", (task,))
    assert (refused.value.sqlstate, refused.value.diag.message_hint) == ("BT409", "Do it again, in READ COMMITTED.")
    assert status(database, task) == ["processing"]


# ── Many at once ──

_RECORD_SAVE = "select task_ids from private.record_save(null, 'update_client', 'client', %s, '{}', null, null, %s)"
_TYPES_IN_ORDER = "select array_agg(task_type order by array_position(%s, id)) from background_tasks where id = any(%s)"


def test_saves_that_join_the_same_tasks_in_other_orders_never_block_each_other_crosswise(live_database: Database) -> None:
    """Two saves of a client, one listing Quo first, the other Maps: without an order of keys this is the classic deadlock."""
    wanted = [
        {"task_type": kind, "entity_type": "client", "entity_id": str(CLIENT), "once_key": f"{kind}:jane"}
        for kind in ("a", "b", "c", "d")
    ]
    together = Barrier(4)

    def save(seed: int) -> list[list[str]]:
        order = random.Random(seed)  # noqa: S311  (an order to try, not a secret)
        kinds = []
        with psycopg.connect(live_database.dsn) as connection:
            together.wait()
            for _ in range(40):
                tasks = order.sample(wanted, len(wanted))
                row = connection.execute(_RECORD_SAVE, (CLIENT, Jsonb(tasks))).fetchone()
                assert row is not None
                types = connection.execute(_TYPES_IN_ORDER, (row[0], row[0])).fetchone()
                assert types is not None
                kinds.append([types[0], [task["task_type"] for task in tasks]])
                connection.commit()
        return kinds

    with ThreadPoolExecutor(4) as threads:
        for kinds in threads.map(save, range(4)):
            assert all(got == asked for got, asked in kinds), "the ids come back in the order in which the tasks were asked for"
    assert live_database.value("select count(*) from background_tasks") == 4


def test_many_creators_and_workers_of_few_keys_lose_no_request_and_never_run_two(live_database: Database) -> None:
    keys = [f"key {n}" for n in range(3)]
    together = Barrier(8)
    stop_after = 60
    hands = Hands()

    def save(number: int) -> None:
        chance = random.Random(number)  # noqa: S311
        with psycopg.connect(live_database.dsn) as connection:
            together.wait()
            for n in range(stop_after):
                connection.execute(
                    _CREATE,
                    (CLIENT, "sync_quo", chance.choice(keys), Jsonb({"n": n, "by": number}), None, 1000),
                )
                connection.commit() if chance.random() < 0.8 else connection.rollback()

    def work(number: int) -> None:
        chance = random.Random(100 + number)  # noqa: S311
        with psycopg.connect(live_database.dsn, autocommit=True) as connection:
            together.wait()
            for _ in range(stop_after * 3):
                _work_on_one(connection, chance, f"worker {number}", hands)

    with ThreadPoolExecutor(8) as threads:
        everybody = [threads.submit(save, n) for n in range(4)] + [threads.submit(work, n) for n in range(4)]
        for one in everybody:
            one.result(timeout=60)
    _drain(live_database)
    assert _unsettled(live_database) == []
    assert live_database.all("select once_key from background_tasks where status = 'completed' group by 1 order by 1") == [
        {"once_key": key} for key in keys
    ]
    assert hands.most == 1


class Hands:
    """Who has which key in hand, by the workers' own account.

    The ledger's times would not tell: who waited their turn is noted as of when they came, perhaps before the one ahead ended.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: Counter[str] = Counter()
        self.most = 0

    def take(self, key: str) -> None:
        with self._lock:
            self._held[key] += 1
            self.most = max(self.most, self._held[key])

    def give_back(self, key: str) -> None:
        with self._lock:
            self._held[key] -= 1


def _work_on_one(connection: psycopg.Connection[Any], chance: random.Random, worker: str, hands: Hands) -> bool:
    """Takes one job as the engine does, and ends its task at once in one way or another. False when there was none."""
    job = connection.execute(
        "delete from engine.pgqueuer where id ="
        " (select id from engine.pgqueuer where status = 'queued' and execute_after <= now()"
        " order by id for update skip locked limit 1) returning convert_from(payload, 'UTF8')"
    ).fetchone()
    if job is None:
        return False
    won = connection.execute(
        "select won.changed, won.attempt, t.once_key from private.claim_task(%s, %s, '60 s') won"
        " join background_tasks t using (id)",
        (job[0], worker),
    ).fetchone()
    if won and won[0]:
        hands.take(won[2])
        end = chance.choice(
            [
                "select changed from complete_background_task(%(task)s, attempt => %(attempt)s)",
                "select changed from fail_background_task(%(task)s, 'Slow.', transient => true, retry_after => '0')",
                "select changed from snooze_background_task(%(task)s, attempt => %(attempt)s)",
            ]
        )
        connection.execute("select pg_sleep(0.002)")  # long enough in hand for another to be seen with it
        hands.give_back(won[2])
        moved = connection.execute(end.encode(), {"task": job[0], "attempt": won[1]}).fetchone()
        assert moved == (True,)
    return True


def _drain(database: Database) -> None:
    """Works until nothing is due, with what the engine brings alone; the sweep may add what fell between two commits."""
    chance, alone = random.Random(0), Hands()  # noqa: S311
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        for _ in range(1000):
            if not _work_on_one(connection, chance, "drain", alone):
                connection.execute(
                    "update background_tasks set run_after = run_after - interval '2 seconds'"
                    " where status = 'pending' and not exists (select from engine.pgqueuer)"
                )
                if not _work_on_one(connection, chance, "drain", alone):
                    return
    pytest.fail("there is always more to do")


def _unsettled(database: Database) -> Sequence[Row]:
    return database.all("select id, status from background_tasks where status in ('pending', 'processing')")


def test_the_end_of_one_and_the_arrival_of_the_next_at_the_same_moment_leave_a_job_for_the_next(live_database: Database) -> None:
    """The follower commits while the one ahead ends: whichever is first, a job is there, at the latest after the sweep."""
    for n in range(30):
        first = create(live_database, key=f"k{n}")
        claim(live_database, first, lease="1 hour")
        together = Barrier(2)

        def end(first: UUID = first, together: Barrier = together) -> None:
            with psycopg.connect(live_database.dsn, autocommit=True) as connection:
                together.wait()
                connection.execute("select * from complete_background_task(%s)", (first,))

        def follow(n: int = n, together: Barrier = together) -> UUID:
            with psycopg.connect(live_database.dsn, autocommit=True) as connection:
                together.wait()
                row = connection.execute(_CREATE, (CLIENT, "sync_quo", f"k{n}", Jsonb({}), None, 5)).fetchone()
            assert row is not None
            return UUID(str(row[0]))

        with ThreadPoolExecutor(2) as threads:
            ended, followed = threads.submit(end), threads.submit(follow)
            ended.result(timeout=30)
            second = followed.result(timeout=30)
        assert second != first
        assert jobs_of(live_database, second) >= 1


def test_a_wait_of_one_minute_for_a_busy_key_is_not_a_late_task(database: Database, clock: Clock) -> None:
    first = create(database)
    claim(database, first)
    create(database)
    clock.advance(minutes=1)
    assert database.value("select oldest_due_s from private.vital_signs()") is None


def test_the_sweep_does_not_press_a_follower_while_the_one_ahead_runs(database: Database, clock: Clock) -> None:
    first = create(database)
    database.one("select * from start_background_task(%s, 'n8n', %s)", first, timedelta(hours=1))
    create(database)
    database.all("delete from engine.pgqueuer")
    clock.advance(minutes=1)
    assert database.one("select * from private.sweep()")["forgotten"] == 0
