"""Limits of the outside services and the clock's own tasks: what Google, Quo and the office's mornings rely on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from backhaul.core.store import Row
from backhaul.core.testing import Clock, Database

HALIFAX = ZoneInfo("America/Halifax")


def take(database: Database, units: float = 1, patience_s: float = 60, service: str = "quo") -> Row:
    return database.one("select * from private.take(%s, %s, %s)", service, units, patience_s)


def set_limit(database: Database, per_second: float, burst: float, service: str = "quo") -> None:
    database.one("select private.set_limit(%s, %s, %s)", service, per_second, burst)


def hold(database: Database, seconds: float = 60, because: str = "Quo refused our key.", code: str = "quo.401") -> bool:
    first: bool = database.value("select private.hold_service('quo', %s, %s, %s)", seconds, because, code)
    return first


# ── The token bucket ──


def test_two_workers_together_keep_within_the_limit_in_every_second(live_database: Database) -> None:
    per_second, burst, calls = 40.0, 5.0, 60
    set_limit(live_database, per_second, burst)
    together = Barrier(2)

    def worker(_: int) -> list[float]:
        sent = []
        with psycopg.connect(live_database.dsn, autocommit=True) as connection:
            together.wait()
            for _ in range(calls // 2):
                row = connection.execute("select wait_s, refused_until from private.take('quo', 1, 60)").fetchone()
                asked = time.monotonic()
                assert row is not None
                assert row[1] is None
                time.sleep(row[0])  # as a worker does before it sends
                sent.append(asked + row[0])
        return sent

    with ThreadPoolExecutor(2) as threads:
        moments = sorted(moment for sent in threads.map(worker, range(2)) for moment in sent)
    assert len(moments) == calls
    slack = 2  # an answer takes a moment to arrive: one of each worker may be counted late
    for first in moments:
        assert sum(first <= moment < first + 1 for moment in moments) <= burst + per_second + slack
    least_s = (calls - burst) / per_second
    assert least_s * 0.95 <= moments[-1] - moments[0] <= least_s + 2


def test_calls_made_at_the_same_moment_are_counted_one_by_one(live_database: Database) -> None:
    set_limit(live_database, 0.1, 1)
    together = Barrier(8)

    def worker(_: int) -> list[float]:
        with psycopg.connect(live_database.dsn, autocommit=True) as connection:
            together.wait()
            rows = [connection.execute("select wait_s from private.take('quo', 1, 9999)").fetchone() for _ in range(20)]
        return [row[0] for row in rows if row]

    with ThreadPoolExecutor(8) as threads:
        waits = sorted(wait for some in threads.map(worker, range(8)) for wait in some)
    assert waits == pytest.approx([10 * n for n in range(160)], abs=9)


def test_a_full_bucket_waits_for_nobody_and_an_empty_one_says_how_long(live_database: Database) -> None:
    set_limit(live_database, 0.1, 3)
    assert [take(live_database)["wait_s"] for _ in range(3)] == pytest.approx([0, 0, 0], abs=0.01)
    waits = [take(live_database)["wait_s"] for _ in range(3)]
    assert waits == pytest.approx([10, 20, 30], abs=3)


def test_a_call_larger_than_the_burst_goes_when_the_bucket_is_full_and_leaves_a_debt(live_database: Database) -> None:
    set_limit(live_database, 0.1, 10)
    assert take(live_database, units=25)["wait_s"] == pytest.approx(0, abs=0.01)
    assert take(live_database, units=1, patience_s=999)["wait_s"] == pytest.approx(160, abs=5)
    assert take(live_database, units=25, patience_s=999)["wait_s"] == pytest.approx(260, abs=5)


def test_a_longer_wait_than_ones_patience_takes_nothing_and_says_when_to_come_back(live_database: Database) -> None:
    set_limit(live_database, 0.1, 1)
    take(live_database)
    for _ in range(3):
        turn = take(live_database, patience_s=3)
        assert turn["because"] == "quo is used to its limit just now"
        assert turn["code"] == "limit"
        assert (turn["refused_until"] - datetime.now(UTC)).total_seconds() == pytest.approx(10, abs=3)
    assert take(live_database)["wait_s"] == pytest.approx(10, abs=3)


def test_a_service_without_a_limit_is_not_limited(database: Database) -> None:
    turn = take(database, units=10_000, service="nobody knows")
    assert (turn["wait_s"], turn["refused_until"], turn["probe"]) == (0, None, False)


def test_a_limit_set_anew_keeps_the_tokens_that_were_spent(live_database: Database) -> None:
    set_limit(live_database, 0.1, 2)
    take(live_database, units=2)
    set_limit(live_database, 0.1, 2)
    assert take(live_database, patience_s=0)["refused_until"] is not None
    set_limit(live_database, 10, 1)
    assert take(live_database)["wait_s"] == pytest.approx(0.1, abs=0.1)


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_limit_that_would_never_let_anything_through_is_refused(database: Database, per_second: float, burst: float) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        set_limit(database, per_second, burst)


# ── A service on hold ──


@pytest.fixture
def held(database: Database) -> Database:
    set_limit(database, 10, 10)
    assert hold(database)
    return database


def test_while_a_service_is_on_hold_nobody_asks_it_and_one_caller_tells_people(held: Database, clock: Clock) -> None:
    assert hold(held) is False
    turn = take(held)
    assert (turn["refused_until"], turn["because"], turn["code"]) == (
        clock.now + timedelta(seconds=60),
        "Quo refused our key.",
        "quo.401",
    )
    told = held.value("select held from private.vital_signs()")
    assert [(hold["service"], hold["why"], hold["code"]) for hold in told] == [("quo", "Quo refused our key.", "quo.401")]


def test_a_longer_hold_extends_a_shorter_one_and_never_the_other_way_round(held: Database, clock: Clock) -> None:
    hold(held, 5)
    assert take(held)["refused_until"] == clock.now + timedelta(seconds=60)
    hold(held, 300)
    assert take(held)["refused_until"] == clock.now + timedelta(seconds=300)


def test_after_a_hold_one_caller_goes_to_look_and_the_others_wait(held: Database, clock: Clock) -> None:
    clock.advance(seconds=60)
    assert take(held)["probe"] is True
    for _ in range(3):
        turn = take(held)
        assert turn["probe"] is False
        assert turn["refused_until"] == clock.now + timedelta(seconds=30)


def test_of_many_callers_at_once_one_goes_to_look(live_database: Database) -> None:
    set_limit(live_database, 1000, 1000)
    hold(live_database, -1)
    with ThreadPoolExecutor(6) as threads:
        turns = list(threads.map(lambda _: take(live_database), range(12)))
    assert sum(turn["probe"] for turn in turns) == 1
    assert sum(turn["refused_until"] is not None for turn in turns) == 11


def test_if_the_one_who_looks_never_reports_back_another_goes_after_a_while(held: Database, clock: Clock) -> None:
    clock.advance(seconds=60)
    assert take(held)["probe"]
    clock.advance(seconds=30)
    assert take(held)["probe"]


def test_a_release_ends_the_hold_and_makes_due_what_waited_for_it(held: Database, clock: Clock) -> None:
    def waiting(lane: str, code: str | None) -> UUID:
        task: UUID = held.value("select create_background_task('client', gen_random_uuid(), 'Jane', 'sync', lane => %s)", lane)
        held.one("select * from start_background_task(%s)", task)
        held.one(
            "select * from snooze_background_task(%s, task_now() + interval '1 hour', 'Quo is on hold', code => %s)", task, code
        )
        return task

    due, other_lane, of_its_own = waiting("quo", "held"), waiting("maps", "held"), waiting("quo", "snoozed")
    held.all("delete from engine.pgqueuer")
    assert held.value("select private.release_service('quo')") == 1
    now = {row["id"]: row["run_after"] <= clock.now for row in held.all("select id, run_after from background_tasks")}
    assert now == {due: True, other_lane: False, of_its_own: False}
    assert held.value("select convert_from(payload, 'UTF8') from engine.pgqueuer") == str(due)
    assert take(held)["refused_until"] is None
    assert held.value("select private.release_service('quo')") == 0


def test_a_release_does_not_wait_for_somebody_who_is_busy_with_one_of_the_tasks(held: Database) -> None:
    task = held.value("select create_background_task('client', gen_random_uuid(), 'Jane', 'sync', lane => 'quo')")
    held.one("select * from start_background_task(%s)", task)
    held.one("select * from snooze_background_task(%s, task_now() + interval '1 hour', 'Quo is on hold', code => 'held')", task)
    with psycopg.connect(held.dsn) as somebody:
        somebody.execute("select * from background_tasks for update")
        assert held.value("select private.release_service('quo')") == 0
    assert take(held)["refused_until"] is None


def test_a_persons_retry_lets_the_service_be_asked_at_once(held: Database) -> None:
    """They have mended something: the key, say."""
    task = held.value("select create_background_task('client', gen_random_uuid(), 'Jane', 'sync_quo', lane => 'quo')")
    held.one("select * from start_background_task(%s)", task)
    held.one("select * from fail_background_task(%s, 'Quo refused our key.')", task)
    assert take(held)["refused_until"] is not None
    held.one("select * from retry_background_task(%s)", task)
    turn = take(held)
    assert (turn["refused_until"], turn["probe"]) == (None, True)


def test_a_retry_in_another_lane_leaves_the_hold(held: Database) -> None:
    task = held.value("select create_background_task('client', gen_random_uuid(), 'Jane', 'drive', lane => 'maps')")
    held.one("select * from start_background_task(%s)", task)
    held.one("select * from fail_background_task(%s, 'No such address.')", task)
    held.one("select * from retry_background_task(%s)", task)
    assert take(held)["refused_until"] is not None


# ── Schedules ──


def halifax(moment: str, *, fold: int = 0) -> datetime:
    """That wall-clock time in Halifax, as UTC. fold=1: the second time it comes."""
    return datetime.fromisoformat(moment).replace(tzinfo=HALIFAX, fold=fold).astimezone(UTC)


def schedule(database: Database, at: str, name: str = "daily archive") -> None:
    database.one("select private.set_schedule(%s, 'archive_old_tasks', 'Daily archive', %s::time, 'America/Halifax')", name, at)


def runs(database: Database, start: datetime, end: datetime) -> list[str]:
    """Sweeps every half an hour from start to end, works at once on what comes; when it came, in UTC."""
    came = []
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        moment = start
        while moment <= end:
            connection.execute("update testing.clock set now = %s", (moment,))
            connection.execute("select private.run_schedules()")
            for (task,) in connection.execute("select id from background_tasks where status = 'pending'").fetchall():
                came.append(moment.strftime("%d %H:%M"))
                connection.execute("select * from start_background_task(%s)", (task,))
                connection.execute("select * from complete_background_task(%s)", (task,))
            moment += timedelta(minutes=30)
    return came


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("03:00", ["07 07:00", "08 06:00", "09 06:00"]),
        ("02:30", ["07 06:30", "08 06:00", "09 05:30"]),  # on the 8th there is no 02:30: the next time that exists is 03:00
        ("01:30", ["07 05:30", "08 05:30", "09 04:30"]),
    ],
)
def test_the_night_the_clocks_go_forward_each_schedule_runs_once(
    database: Database, clock: Clock, at: str, expected: list[str]
) -> None:
    clock.set(halifax("2026-03-06 23:00"))
    schedule(database, at)
    assert runs(database, clock.now, halifax("2026-03-09 12:00")) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("03:00", ["31 06:00", "01 07:00", "02 07:00"]),
        ("02:30", ["31 05:30", "01 06:30", "02 06:30"]),
        ("01:30", ["31 04:30", "01 04:30", "02 05:30"]),  # on the 1st 01:30 comes twice: the first counts
    ],
)
def test_the_night_the_clocks_go_back_each_schedule_runs_once(
    database: Database, clock: Clock, at: str, expected: list[str]
) -> None:
    clock.set(halifax("2026-10-30 23:00"))
    schedule(database, at)
    assert runs(database, clock.now, halifax("2026-11-02 12:00")) == expected


def test_the_nights_are_the_nights_they_are_taken_for() -> None:
    assert halifax("2026-03-08 01:59") + timedelta(minutes=1) == halifax("2026-03-08 03:00")
    assert halifax("2026-11-01 01:30", fold=1) - halifax("2026-11-01 01:30") == timedelta(hours=1)


def test_a_schedule_set_after_its_time_begins_tomorrow(database: Database, clock: Clock) -> None:
    clock.set(halifax("2026-11-23 10:00"))
    schedule(database, "03:00")
    assert runs(database, clock.now, halifax("2026-11-24 12:00")) == ["24 07:00"]


def test_setting_a_schedule_again_as_each_start_of_a_worker_does_runs_nothing_twice(database: Database, clock: Clock) -> None:
    clock.set(halifax("2026-11-23 02:00"))
    schedule(database, "03:00")
    assert runs(database, clock.now, halifax("2026-11-23 04:00")) == ["23 07:00"]
    schedule(database, "03:00")
    assert runs(database, halifax("2026-11-23 04:05"), halifax("2026-11-24 02:00")) == []


def test_a_day_whose_time_passed_without_a_worker_is_made_up_for_once(database: Database, clock: Clock) -> None:
    clock.set(halifax("2026-11-23 02:00"))
    schedule(database, "03:00")
    assert runs(database, halifax("2026-11-23 09:15"), halifax("2026-11-23 12:00")) == ["23 13:15"]
    assert runs(database, halifax("2026-11-26 09:15"), halifax("2026-11-26 12:00")) == ["26 13:15"]


def test_a_schedule_still_running_from_yesterday_is_followed_not_doubled(database: Database, clock: Clock) -> None:
    clock.set(halifax("2026-11-23 02:00"))
    schedule(database, "03:00")
    clock.set(halifax("2026-11-23 03:00"))
    database.one("select * from private.sweep()")
    yesterdays = database.value("select id from background_tasks")
    assert database.value("select changed from start_background_task(%s, lease => '2 days')", yesterdays)
    clock.set(halifax("2026-11-24 03:00"))
    assert database.one("select scheduled from private.sweep()") == {"scheduled": 1}
    waiting = database.value("select id from background_tasks where status = 'pending'")
    assert database.value("select changed from start_background_task(%s)", waiting) is False


def test_two_sweepers_at_once_start_a_schedule_once_and_one_of_them_does_nothing(database: Database, clock: Clock) -> None:
    clock.set(halifax("2026-11-23 02:00"))
    schedule(database, "03:00")
    clock.set(halifax("2026-11-23 03:00"))
    nothing = {"did_it": False, "leases": None, "forgotten": None, "scheduled": None, "sealed": None}
    with psycopg.connect(database.dsn, row_factory=dict_row) as first:
        swept = first.execute("select * from private.sweep()").fetchone()
        assert swept is not None
        assert (swept["did_it"], swept["scheduled"]) == (True, 1)
        assert database.one("select * from private.sweep()") == nothing
    assert database.one("select * from private.sweep()")["scheduled"] == 0
    assert database.value("select count(*) from background_tasks") == 1


def test_many_sweepers_at_once_start_a_schedule_once(database: Database, clock: Clock) -> None:
    clock.set(halifax("2026-11-23 02:00"))
    for n in range(5):
        schedule(database, "03:00", name=f"schedule {n}")
    clock.set(halifax("2026-11-23 03:00"))
    together = Barrier(6)

    def sweep(_: int) -> int:
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            together.wait()
            started = 0
            for _ in range(10):
                row: Any = connection.execute("select private.run_schedules()").fetchone()
                started += row[0]
            return started

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(sweep, range(6))) == 5
    assert database.value("select count(*) from background_tasks") == 5


def test_an_unknown_time_zone_is_refused_when_it_is_set(database: Database) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        database.one("select private.set_schedule('x', 'x', 'X', '03:00', 'America/Halifaks')")


# ── Tidying up ──


def test_the_engines_logs_are_thrown_away_after_an_hour_however_many(database: Database) -> None:
    database.all(
        "insert into engine.pgqueuer_log (created, job_id, status, priority, entrypoint)"
        " select now() - interval '2 hours', n, 'successful', 0, 'quo' from generate_series(1, 25000) n"
    )
    database.all("insert into engine.pgqueuer_log (job_id, status, priority, entrypoint) values (1, 'successful', 0, 'quo')")
    assert database.value("select private.prune_engine()") == 25_000
    assert database.value("select count(*) from engine.pgqueuer_log") == 1


def test_clicks_and_sessions_long_over_are_thrown_away(database: Database, clock: Clock) -> None:
    person = database.person("driver")
    database.one("select * from private.claim_click(%s, 'add-client', 'click-1', 'hash')", person.id)
    database.value("select private.end_session(%s, 'signed out')", person.session_id)
    clock.advance(days=7)
    assert (database.value("select private.prune_clicks()"), database.value("select private.prune_sessions()")) == (0, 0)
    clock.advance(days=24)
    assert (database.value("select private.prune_clicks()"), database.value("select private.prune_sessions()")) == (1, 1)
