"""Laws of the ledger under any order of starts, crashes, late results, retries, dismissals and lost engine jobs.

A model in Python says what each move must do; the database must agree after every step. What everybody relies on is the last law:
whatever happened, once the workers are left in peace each side effect is done, or a person has been told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg import sql
from psycopg.rows import dict_row

from backhaul.core.store import Row
from backhaul.core.testing import Database

ENTITIES = (UUID(int=1), UUID(int=2))
KEYS = (None, "sync_quo:1", "sync_quo:1", "sync_quo:2")
TRIES = 2
DEATHS = 5
LEASE = timedelta(seconds=5)
HOUR = timedelta(hours=1)
HAIR = timedelta(microseconds=1)


@dataclass
class Model:
    """What the ledger should say of one task."""

    id: UUID
    entity: UUID
    key: str | None
    created: datetime
    due: datetime
    request: int
    status: str = "pending"
    attempt: int = 0
    failures: int = 0
    deaths: int = 0  # in a row
    ours: bool = False
    lease_ends: datetime | None = None
    dismissed: bool = False
    superseded_by: UUID | None = None
    ended: datetime | None = None
    archived: bool = False

    @property
    def on_screen(self) -> bool:
        return self.status == "failed" and not self.dismissed and self.superseded_by is None


def test_no_order_of_crash_retry_and_dismiss_loses_a_side_effect(database: Database) -> None:
    person = database.person("booking_agent").id
    database.all(  # without its chance, so that a failing example fails again; the bounds of the pauses have a test of their own
        "create or replace function private.back_off(p_failures integer) returns interval"
        " language sql as $$ select interval '2 seconds' $$"
    )

    class Machine(LedgerMachine):
        dsn = database.dsn
        me = person

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=50,
            derandomize=True,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


class LedgerMachine(RuleBasedStateMachine):
    dsn: str
    me: UUID
    tasks: Bundle[UUID] = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.db: psycopg.Connection[Row] = psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row)
        for table in ("background_tasks", "background_tasks_archive", "engine.pgqueuer", "private.workers"):
            self.db.execute(sql.SQL("delete from {}").format(sql.Identifier(*table.split("."))))
        self.model: dict[UUID, Model] = {}
        self.requests = 0
        self.forgotten: set[UUID] = set()  # their jobs are gone, and no sweep has come by since

    @property
    def now(self) -> datetime:
        moment: datetime = self.ask("select now from testing.clock")["now"]
        return moment

    def ask(self, statement: str, *params: Any) -> Row:
        rows = self.db.execute(statement.encode(), params or None).fetchall()
        assert len(rows) == 1
        return rows[0]

    # ── What people and workflows do ──

    @rule(target=tasks, entity=st.sampled_from(ENTITIES), key=st.sampled_from(KEYS), delay_s=st.sampled_from([0, 0, 0, 30]))
    def create(self, entity: UUID, key: str | None, delay_s: int) -> UUID:
        now, self.requests = self.now, self.requests + 1
        due = now + timedelta(seconds=delay_s)
        made: UUID = self.ask(
            "select create_background_task('client', %s, 'Jane', 'sync_quo', %s, args => jsonb_build_object('request', %s::int),"
            " once_key => %s, max_attempts => %s, run_after => %s) as id",
            entity, self.me, self.requests, key, TRIES, due,
        )["id"]  # fmt: skip
        joined = self._of_key(key, "pending")
        if joined:
            assert made == joined.id
            joined.failures, joined.request, joined.due = 0, self.requests, min(joined.due, due)
        else:
            assert made not in self.model
            self.model[made] = Model(made, entity, key, now, due, self.requests)
        return made

    @rule(task=tasks)
    def retry(self, task: UUID) -> None:
        model = self.model[task]
        move = self._move("select * from retry_background_task(%s)", model)
        if move is None:
            return
        assert move["changed"] is (model.status == "failed" and model.superseded_by is None)
        if move["changed"]:
            model.failures, model.dismissed, model.deaths = 0, False, 0
            self._wait_again(model, self.now)

    @rule(task=tasks)
    def dismiss(self, task: UUID) -> None:
        model = self.model[task]
        move = self._move("select * from dismiss_background_task(%s, %s)", model, self.me)
        if move is not None:
            assert move["changed"] is (model.status == "failed" and not model.dismissed)
            model.dismissed = model.dismissed or move["changed"]

    @rule(task=tasks)
    def undismiss(self, task: UUID) -> None:
        model = self.model[task]
        move = self._move("select * from undismiss_background_task(%s, %s)", model, self.me)
        if move is not None:
            assert move["changed"] is model.dismissed
            model.dismissed = False

    @rule()
    def dismiss_all(self) -> None:
        shown = [model for model in self._living() if model.on_screen]
        assert self.ask("select dismiss_all_failed_tasks(%s) as n", self.me)["n"] == len(shown)
        for model in shown:
            model.dismissed = True

    # ── What workers do ──

    @rule(task=tasks, ours=st.booleans())
    def start(self, task: UUID, ours: bool) -> None:
        """By whoever asks, job or no job: our worker, or n8n."""
        model = self.model[task]
        if ours:
            if model.archived:
                return
            move = self.ask("select changed, attempt from private.claim_task(%s, 'worker', %s)", task, LEASE)
        else:
            told = self._move("select * from start_background_task(%s, 'n8n')", model)
            if told is None:
                return
            move = told
        now = self.now
        if self._lease_over(model):
            self._lose(model)
        may = model.status == "pending" and model.due <= now and not self._of_key(model.key, "processing")
        assert move["changed"] is may
        if may:
            model.status, model.attempt, model.ours = "processing", model.attempt + 1, ours
            model.lease_ends = now + (LEASE if ours else HOUR)
        assert move["attempt"] == model.attempt

    @precondition(lambda self: self._jobs_now())
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """As the engine does: it hands a job that is due to a worker, once, and forgets it."""
        job = data.draw(st.sampled_from(self._jobs_now()))
        self.ask("delete from engine.pgqueuer where id = %s returning id", job["id"])
        self.start(job["task"], ours=True)

    @rule(task=tasks, by_number=st.booleans())
    def complete(self, task: UUID, by_number: bool) -> None:
        model = self.model[task]
        move = self._move("select * from complete_background_task(%s, null, %s)", model, model.attempt if by_number else None)
        if move is None or not self._expect(move, model):
            return
        self._end(model, "completed")
        for older in self._living():
            same_work = older.key is None or model.key is None or older.key == model.key
            if older.status == "failed" and older.entity == model.entity and same_work and older.created < model.created:
                older.superseded_by = older.superseded_by or model.id
        self._wake_behind(model)

    @rule(task=tasks, transient=st.booleans(), retry_after_s=st.sampled_from([None, 0, 90]))
    def fail(self, task: UUID, transient: bool, retry_after_s: int | None) -> None:
        model = self.model[task]
        pause = None if retry_after_s is None else timedelta(seconds=retry_after_s)
        move = self._move(
            "select * from fail_background_task(%s, 'Quo.', transient => %s, retry_after => %s)", model, transient, pause
        )
        if move is None or not self._expect(move, model):
            return
        model.deaths = 0
        if transient and model.failures + 1 < TRIES:
            now = self.now
            due = self.ask("select run_after from background_tasks where id = %s", task)["run_after"]
            given_way = self._of_key(model.key, "pending")
            if given_way is None:
                model.failures += 1
                assert due - now == (timedelta(seconds=2) if pause is None else pause)
            self._wait_again(model, due)
        else:
            model.failures += 1
            self._end(model, "failed")
            self._wake_behind(model)

    @rule(task=tasks, for_s=st.sampled_from([0, 20]))
    def snooze(self, task: UUID, for_s: int) -> None:
        model = self.model[task]
        until = self.now + timedelta(seconds=for_s)
        move = self._move("select * from snooze_background_task(%s, %s, 'Later')", model, until)
        if move is not None and self._expect(move, model):
            model.deaths = 0
            self._wait_again(model, until)

    @rule(task=tasks, late_by=st.integers(1, 3), report=st.sampled_from(["complete", "fail", "snooze"]))
    def late_worker_reports(self, task: UUID, late_by: int, report: str) -> None:
        """Whatever it reports, and in whatever state the task is now, it changes nothing."""
        model = self.model[task]
        late = model.attempt - late_by
        call = {
            "complete": "select * from complete_background_task(%s, '{\"late\": true}', %s)",
            "fail": "select * from fail_background_task(%s, 'late', attempt => %s)",
            "snooze": "select * from snooze_background_task(%s, attempt => %s)",
        }[report]
        move = self._move(call, model, late)
        if move is not None:
            assert (move["changed"], bool(move["reason"])) == (False, True)

    @rule()
    def heartbeat(self) -> None:
        now = self.now
        held = {
            (row["task_id"], row["attempt"])
            for row in self.db.execute("select * from private.keep_leases('worker', %s)", (LEASE,))
        }
        alive = [model for model in self._living() if model.ours and model.lease_ends is not None and model.lease_ends > now]
        assert held == {(model.id, model.attempt) for model in alive}
        for model in alive:
            model.lease_ends = now + LEASE

    @rule()
    def worker_leaves(self) -> None:
        running = [model for model in self._living() if model.status == "processing" and model.ours]
        assert self.ask("select private.leave('worker') as n")["n"] == len(running)
        for model in running:
            model.deaths = 0
            self._wait_again(model, self.now)

    # ── What time, crashes and the house do ──

    @rule(seconds=st.sampled_from([1, 2, 6, 60, 3601, 8 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        """Long enough, and a lease that nobody renewed has ended: that is a crash, as the ledger sees it."""
        self.ask("update testing.clock set now = now + %s returning now", timedelta(seconds=seconds))

    @rule()
    def sweep(self) -> None:
        over = [model for model in self._living() if self._lease_over(model)]
        swept = self.ask("select * from private.sweep()")
        assert (swept["did_it"], swept["leases"]) == (True, len(over))
        for model in over:
            self._lose(model)
        for task in (model.id for model in self._living() if model.status == "pending"):
            self.model[task].due = self.ask("select run_after from background_tasks where id = %s", task)["run_after"]
        late = [model for model in self._due() if model.due <= self.now - timedelta(seconds=1)]
        assert {model.id for model in late} <= self._tasks_with_jobs()

    @rule()
    def engine_forgets_everything(self) -> None:
        self.db.execute("delete from engine.pgqueuer")
        self.forgotten = {model.id for model in self._living()}

    @rule(at_most=st.sampled_from([None, 1]))
    def archive(self, at_most: int | None) -> None:
        now = self.now
        old = {
            model.id
            for model in self._living()
            if model.ended
            and model.ended < now - timedelta(days=7)
            and (model.status == "completed" or model.dismissed or model.superseded_by)
        }
        moved = self.ask("select archive_old_tasks(at_most => %s) as n", at_most)["n"]
        assert moved == (len(old) if at_most is None else min(at_most, len(old)))
        gone = {row["id"] for row in self.db.execute("select id from background_tasks_archive")}
        assert gone - {model.id for model in self.model.values() if model.archived} <= old
        for task in gone:
            self.model[task].archived = True

    # ── Laws ──

    @invariant()
    def the_ledger_is_as_the_model_says(self) -> None:
        rows = self.db.execute("select * from background_tasks").fetchall()
        assert {row["id"] for row in rows} == {model.id for model in self._living()}
        for row in rows:
            model = self.model[row["id"]]
            said = (
                row["status"], row["attempt"], row["dismissed_at"] is not None, row["superseded_by"], row["lease_expires_at"],
                row["completed_at"], row["args"]["request"],
            )  # fmt: skip
            assert said == (
                model.status, model.attempt, model.dismissed, model.superseded_by, model.lease_ends, model.ended, model.request,
            )  # fmt: skip
            if model.status == "pending":
                assert row["failures"] == model.failures
                assert abs(row["run_after"] - model.due) < timedelta(milliseconds=1)

    @invariant()
    def one_of_a_key_waits_and_one_runs(self) -> None:
        for status in ("pending", "processing"):
            keys = [model.key for model in self._living() if model.key and model.status == status]
            assert len(keys) == len(set(keys))

    @invariant()
    def only_failures_are_dismissed_and_none_on_screen_is_archived(self) -> None:
        for model in self.model.values():
            assert not model.dismissed or model.status == "failed"
            assert not (model.archived and model.on_screen)

    @invariant()
    def each_start_left_a_record_of_its_own(self) -> None:
        numbers = self.db.execute(
            "select task_id, array_agg(attempt order by attempt) as n from background_task_attempts group by 1"
        ).fetchall()
        assert {row["task_id"]: row["n"] for row in numbers} == {
            model.id: list(range(1, model.attempt + 1)) for model in self._living() if model.attempt
        }
        open_ones = self.db.execute("select task_id from background_task_attempts where outcome is null").fetchall()
        assert {row["task_id"] for row in open_ones} == {model.id for model in self._living() if model.status == "processing"}

    @invariant()
    def every_waiting_task_has_a_job_unless_the_engine_lost_it(self) -> None:
        waiting = {
            model.id for model in self._living() if model.status == "pending" and not self._of_key(model.key, "processing")
        }
        with_jobs = self._tasks_with_jobs()
        self.forgotten -= with_jobs
        assert waiting - self.forgotten <= with_jobs

    def teardown(self) -> None:
        """Left in peace, with an engine that forgot everything, the workers bring all of it to an end."""
        try:
            self.engine_forgets_everything()
            for _ in range(2 * DEATHS + 2 * len(self.model)):
                self.time_passes(3601)
                self.sweep()
                for job in self._jobs_now():
                    self.ask("delete from engine.pgqueuer where id = %s returning id", job["id"])
                    if not self.model[job["task"]].archived:
                        self.start(job["task"], ours=True)
                        self.complete(job["task"], by_number=True)
                self.the_ledger_is_as_the_model_says()
            left = self.ask("select count(*) as n from background_tasks where status in ('pending', 'processing')")["n"]
            assert left == 0
        finally:
            self.db.close()

    # ── The model's own moves ──

    def _living(self) -> list[Model]:
        return [model for model in self.model.values() if not model.archived]

    def _of_key(self, key: str | None, status: str) -> Model | None:
        return next((model for model in self._living() if key and model.key == key and model.status == status), None)

    def _due(self) -> list[Model]:
        now = self.now
        return [
            model
            for model in self._living()
            if model.status == "pending" and model.due <= now and not self._of_key(model.key, "processing")
        ]

    def _jobs_now(self) -> list[Row]:
        return self.db.execute(
            "select id, split_part(dedupe_key, ':', 1)::uuid as task from engine.pgqueuer"
            " where status = 'queued' and split_part(dedupe_key, ':', 3)::numeric <= extract(epoch from task_now()) order by id"
        ).fetchall()

    def _tasks_with_jobs(self) -> set[UUID]:
        """Those with a job made for the very moment at which they are due."""
        rows = self.db.execute("select t.id from background_tasks t join engine.pgqueuer j on j.dedupe_key = private.job_key(t)")
        return {row["id"] for row in rows}

    def _move(self, call: str, model: Model, *params: Any) -> Row | None:
        """The call's answer; None for an archived task, which is refused as unknown."""
        try:
            return self.ask(call, model.id, *params)
        except psycopg.Error as error:
            if error.sqlstate != "BT404" or not model.archived:
                raise
            return None

    def _expect(self, move: Row, model: Model) -> bool:
        """A result counts while the task runs and its lease lasts. True when it did."""
        counts = model.status == "processing" and not self._lease_over(model)
        assert (move["changed"], counts or bool(move["reason"])) == (counts, True)
        return counts

    def _lease_over(self, model: Model) -> bool:
        return model.lease_ends is not None and model.lease_ends <= self.now

    def _end(self, model: Model, status: str) -> None:
        model.status, model.lease_ends, model.ended = status, None, self.now

    def _lose(self, model: Model) -> None:
        if model.ours and model.deaths + 1 < DEATHS:
            model.deaths += 1
            self._wait_again(model, self.now)
        else:
            model.deaths = 0
            self._end(model, "failed")
            self._wake_behind(model)

    def _wait_again(self, model: Model, due: datetime) -> None:
        newer = self._of_key(model.key, "pending")
        if newer is None:
            model.status, model.due, model.lease_ends, model.ended, model.superseded_by = "pending", due, None, None, None
            return
        self._end(model, "failed")
        model.superseded_by = newer.id
        newer.due = min(newer.due, self.now) - HAIR

    def _wake_behind(self, model: Model) -> None:
        behind = self._of_key(model.key, "pending")
        if behind and behind.due <= self.now:
            behind.due -= HAIR


def test_the_machine_would_notice_a_ledger_that_lets_late_workers_write(database: Database) -> None:
    """The laws can fail: without the fence, a plain sequence of moves breaks one."""
    database.all(
        "create or replace function private.no_longer_holds(task public.background_tasks, p_attempt integer) returns text"
        " language sql as 'select null::text'"
    )

    class Machine(LedgerMachine):
        dsn = database.dsn
        me = uuid4()

    Machine.me = database.person("booking_agent").id
    machine = Machine()
    task = machine.create(ENTITIES[0], None, 0)
    machine.start(task, ours=True)
    machine.time_passes(6)
    machine.start(task, ours=True)
    try:
        machine.late_worker_reports(task, 1, "complete")
    except AssertionError:
        return
    finally:
        machine.db.close()
    raise AssertionError("a late result was taken, and no law was broken")
