"""What a task's end means, and who holds what: whoever writes a workflow, or reads of a failure, relies on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from backhaul.core.errors import Misconfigured, Problem, RateLimited, Transient
from backhaul.core.limits import OnHold
from backhaul.core.store import Row, Store
from backhaul.core.task import Retry, Run, Snooze
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.core.worker import Worker
from backhaul.core.workflow import Workflows
from tests.conftest import as_login

LATER = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)  # the held clock says 14:00


class Outside:
    """Does what the test says when a task comes by."""

    def __init__(self) -> None:
        self.does: Any = None
        self.came = 0

    async def visit(self) -> Any:
        self.came += 1
        return await self.does() if self.does is not None else None


def workflows() -> Workflows[Outside]:
    made: Workflows[Outside] = Workflows()

    @made.task(retry=Retry(attempts=3, on=Transient))
    async def errand(run: Run[Outside]) -> Any:
        return await run.office.visit()

    @made.task()
    async def visit_client(run: Run[Outside], client_id: UUID, times: int = 1) -> dict[str, Any]:
        return {"client": client_id, "times": times}

    return made


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def errands(database: Database, store: Store, clock: Clock, outside: Outside) -> TestOffice[Outside]:
    return TestOffice(database, store, workflows(), outside, clock)


def due(database: Database, task_type: str = "errand", args: str = "{}") -> UUID:
    """As a person at psql makes one."""
    made: UUID = database.value(
        "select create_background_task('client', %s, 'Jane Roe', %s, args => %s::jsonb)", uuid4(), task_type, args
    )
    return made


def raising(error: BaseException) -> Any:
    async def visit() -> Any:
        raise error

    return visit


def returning(value: Any) -> Any:
    async def visit() -> Any:
        return value

    return visit


# ── Ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_task_returns_is_its_result(errands: TestOffice[Outside], outside: Outside, database: Database) -> None:
    outside.does = returning({"at": LATER, "id": UUID(int=7)})
    due(database)
    assert await errands.work() == ["completed"]
    assert errands.task("errand")["result"] == {"at": "2026-11-23T15:30:00Z", "id": str(UUID(int=7))}


async def test_a_snoozed_task_runs_at_its_time_and_no_try_is_used_up(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = returning(Snooze(until=LATER, because="Quo is in maintenance"))
    due(database)
    assert await errands.work() == ["snoozed"]
    snoozed = errands.task("errand")
    assert (snoozed["status"], snoozed["run_after"], snoozed["failures"]) == ("pending", LATER, 0)
    assert snoozed["error_message"] == "Quo is in maintenance"
    outside.does = None
    assert await errands.work(after_s=5399) == []
    assert await errands.work(after_s=1) == ["completed"]


async def test_a_task_that_meets_a_hold_waits_for_its_end_at_no_cost(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = raising(OnHold(LATER, "Quo does not accept our key"))
    due(database)
    assert await errands.work() == ["snoozed"]
    held = errands.task("errand")
    assert (held["status"], held["run_after"], held["error_code"], held["failures"]) == ("pending", LATER, "held", 0)


async def test_an_error_that_passes_is_tried_again_until_the_tries_are_used_up(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = raising(Transient("Quo", "Quo did not answer", code="quo.timeout"))
    due(database)
    database.all("update background_tasks set max_attempts = 3")
    assert [await errands.work(after_s=60) for _ in range(4)] == [["again"], ["again"], ["failed"], []]
    failed = errands.task("errand")
    assert (failed["status"], failed["failures"], failed["error_code"]) == ("failed", 3, "quo.timeout")


async def test_a_service_that_names_a_time_is_not_asked_before(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = raising(RateLimited("Quo", retry_after=90))
    due(database)
    await errands.work()
    assert await errands.work(after_s=89) == []
    assert await errands.work(after_s=1) == ["again"]


async def test_an_error_that_does_not_pass_is_told_at_once(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = raising(Misconfigured("Quo", "Quo refused us", "The key is wrong", "Make a new one", code="quo.401"))
    due(database)
    assert await errands.work() == ["failed"]
    failed = errands.task("errand")
    assert (failed["error_message"], failed["error_hint"]) == ("Quo refused us. The key is wrong.", "Make a new one")


async def test_an_unforeseen_error_tells_its_kind_and_place_and_nothing_about_people(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    async def visit() -> None:
        patient = "Jane Roe, 902-555-0123"
        try:
            int(patient)
        except ValueError as error:
            raise RuntimeError(f"cannot call {patient}") from error

    outside.does = visit
    task_id = due(database)
    with capture_logs() as logs:
        assert await errands.work() == ["failed"]
    failed = errands.task("errand")
    assert failed["error_message"] == "Something went wrong inside Backhaul. RuntimeError in errand."
    assert failed["error_code"] == "bug.RuntimeError"
    assert str(task_id) in failed["error_hint"]
    (said,) = [entry for entry in logs if entry["event"] == "task raised"]
    assert said["error"] == "RuntimeError from ValueError"
    assert any("test_worker.py" in place and place.endswith(" visit") for place in said["at"])
    assert "Jane" not in str(logs)
    assert "902" not in str(logs)


@pytest.mark.parametrize(
    "result",
    [{"x": object()}, {"x": "a\x00b"}, {"x": float("nan")}, Snooze(until=LATER, because="a\x00b"), {"x": b"\xff\xfe"}],
    ids=["no JSON at all", "a character Postgres cannot keep", "no number", "a reason Postgres cannot keep", "no text"],
)
async def test_an_end_that_cannot_be_kept_fails_the_task_and_does_not_hold_it_for_ever(
    errands: TestOffice[Outside], outside: Outside, database: Database, result: Any
) -> None:
    outside.does = returning(result)
    due(database)
    ended = await errands.work()
    assert ended in (["failed"], ["completed"])
    assert errands.task("errand")["status"] == ended[0]


@pytest.mark.parametrize("words", ["", "  ", "a\x00b"], ids=["none", "blank", "a character Postgres cannot keep"])
async def test_a_problem_with_unusable_words_still_fails_with_some(
    errands: TestOffice[Outside], outside: Outside, database: Database, words: str
) -> None:
    outside.does = raising(Problem(words, code="odd"))
    due(database)
    assert await errands.work() == ["failed"]
    assert errands.task("errand")["error_message"]


async def test_a_function_that_cancels_itself_has_failed(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = raising(asyncio.CancelledError())
    due(database)
    assert await errands.work() == ["failed"]
    assert errands.task("errand")["error_code"] == "bug.CancelledError"


async def test_a_task_type_nobody_knows_waits_for_newer_workers_and_fails_when_none_comes(
    errands: TestOffice[Outside], database: Database
) -> None:
    due(database, "send_invoice")
    assert await errands.work() == ["again"]
    waiting = errands.task("send_invoice")
    assert (waiting["status"], waiting["error_code"]) == ("pending", "task.unknown")
    assert "send_invoice" in waiting["error_message"]
    assert await errands.work(after_s=29) == []
    for _ in range(3):
        assert await errands.work(after_s=30) == ["again"]
    assert await errands.work(after_s=30) == ["failed"]


@pytest.mark.parametrize(
    "args",
    ['{"client_id": "not an id"}', '{"client_id": "00000000-0000-0000-0000-000000000001", "colour": "red"}', '{"times": 2}'],
    ids=["of the wrong kind", "too many", "too few"],
)
async def test_arguments_that_do_not_fit_fail_the_task_at_once(
    errands: TestOffice[Outside], database: Database, args: str
) -> None:
    due(database, "visit_client", args)
    assert await errands.work() == ["failed"]
    failed = errands.task("visit_client")
    assert failed["error_code"] == "task.arguments"
    assert failed["error_message"].endswith("It takes: client_id, times.")


async def test_a_task_made_by_hand_without_arguments_means_its_entity(errands: TestOffice[Outside], database: Database) -> None:
    due(database, "visit_client", '{"client_id": "00000000-0000-0000-0000-000000000001"}')
    assert await errands.work() == ["completed"]
    assert errands.task("visit_client")["result"] == {"client": str(UUID(int=1)), "times": 1}


async def test_a_task_that_is_gone_or_done_is_not_started(errands: TestOffice[Outside], database: Database) -> None:
    done = due(database)
    assert await errands.work() == ["completed"]
    assert await errands.worker.work_on(done) == "not ours"
    assert await errands.worker.work_on(uuid4()) == "gone"


async def test_a_task_deleted_while_it_runs_ends_without_noise(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    task_id = due(database)

    async def visit() -> None:
        database.all("delete from background_tasks where id = %s", task_id)

    outside.does = visit
    assert await errands.worker.work_on(task_id) == "lost"


async def test_our_own_database_being_away_is_no_failure_of_the_task(
    errands: TestOffice[Outside], outside: Outside, database: Database
) -> None:
    outside.does = raising(psycopg.errors.AdminShutdown("terminating connection due to administrator command"))
    due(database)
    assert await errands.work() == ["again"]
    assert errands.task("errand")["error_code"] == "database.away"
    outside.does = None
    assert await errands.work(after_s=3) == ["completed"]


# ── Leases ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def house(live_database: Database) -> AsyncIterator[Store]:
    store = Store(as_login(live_database.dsn), at_least=1, at_most=2, house=True)
    await store.open()
    yield store
    await store.close()


async def test_a_handler_that_blocks_everything_keeps_its_lease(house: Store, live_database: Database, outside: Outside) -> None:
    swept: list[int] = []

    async def visit() -> None:
        until = time.monotonic() + 2.5
        with psycopg.connect(live_database.dsn, autocommit=True) as database:
            while time.monotonic() < until:  # the loop stands still all the while
                swept.extend(row[0] for row in database.execute("select private.sweep_leases()"))

    outside.does = visit
    worker = Worker(house, workflows(), outside, lease=timedelta(seconds=1))
    task_id = due(live_database)
    with worker.heartbeat():
        assert await worker.work_on(task_id) == "completed"
    assert sum(swept) == 0
    assert live_database.value("select attempt from background_tasks") == 1


async def test_a_long_write_keeps_its_lease(house: Store, live_database: Database) -> None:
    made: Workflows[Outside] = Workflows()

    @made.task()
    async def write_long(run: Run[Outside]) -> None:
        await run.db.one(b"select pg_sleep(2.5)")

    worker = Worker(house, made, Outside(), lease=timedelta(seconds=1))
    task_id = due(live_database, "write_long")
    with worker.heartbeat():
        assert await worker.work_on(task_id) == "completed"


async def test_a_worker_is_known_as_one_from_its_first_start_on(errands: TestOffice[Outside], database: Database) -> None:
    """Otherwise, killed before its first heartbeat, it would be taken for a person who never reported back."""
    due(database)
    await errands.work()
    assert database.value("select id from private.workers") == errands.worker.name


async def test_handlers_are_stopped_when_their_lease_is_lost(house: Store, live_database: Database, outside: Outside) -> None:
    stopped = asyncio.Event()
    begun = asyncio.Event()

    async def visit() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    outside.does = visit
    worker = Worker(house, workflows(), outside, lease=timedelta(seconds=1))
    task_id = due(live_database)
    with worker.heartbeat():
        working = asyncio.create_task(worker.work_on(task_id))
        await begun.wait()
        live_database.all("update background_tasks set lease_expires_at = now() - interval '1 s'")
        live_database.all("select private.sweep_leases()")
        assert await asyncio.wait_for(working, 5) == "stopped"
    assert stopped.is_set()
    assert live_database.value("select status from background_tasks") == "pending"
    assert live_database.value("select outcome from background_task_attempts") == "lost"


async def test_a_task_started_whose_answer_was_cut_off_is_handed_back(
    house: Store, live_database: Database, outside: Outside
) -> None:
    worker = Worker(house, workflows(), outside, lease=timedelta(seconds=1))
    task_id = due(live_database)
    live_database.all("select start_background_task(%s, %s, interval '1 s')", task_id, worker.name)  # but the worker never heard
    with worker.heartbeat():
        await until(lambda: live_database.value("select status from background_tasks") == "pending")
    assert live_database.value("select outcome from background_task_attempts") == "snoozed"
    assert await worker.work_on(task_id) == "completed"


async def test_an_end_is_written_though_the_pool_is_full_for_longer_than_a_lease(
    live_database: Database, outside: Outside
) -> None:
    store = Store(as_login(live_database.dsn), at_least=1, at_most=1, house=True)
    store.pool.timeout = 0.3
    await store.open()
    worker = Worker(store, workflows(), outside, lease=timedelta(seconds=1))
    task_id = due(live_database)
    full = asyncio.Event()

    async def fill() -> None:
        async with store.pool.connection():
            full.set()
            ends = asyncio.get_running_loop().time() + 1.5
            await until(lambda: asyncio.get_running_loop().time() > ends)

    async def visit() -> None:
        outside.filling = asyncio.create_task(fill())  # type: ignore[attr-defined]  # kept, so that it is not collected
        await full.wait()

    outside.does = visit
    with worker.heartbeat():
        assert await worker.work_on(task_id) == "completed"
    assert outside.came == 1
    await store.close()


async def test_an_end_whose_answer_was_cut_off_counts_as_told(
    errands: TestOffice[Outside], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = errands.store.call
    cut = []

    async def call(query: bytes, params: Any = None) -> Row:
        row = await real(query, params)
        if b"complete_background_task" in query and not cut:
            cut.append(True)
            raise psycopg.OperationalError("the connection is lost")
        return row

    monkeypatch.setattr(errands.store, "call", call)
    due(database)
    assert await errands.work() == ["completed"]
    assert cut


async def test_a_worker_that_leaves_hands_back_even_what_will_not_stop(
    house: Store, live_database: Database, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backhaul.core.worker.LAST_WORDS_S", 0.2)
    begun, end = asyncio.Event(), asyncio.Event()

    async def visit() -> None:
        begun.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue  # as careless code does

    outside.does = visit
    worker = Worker(house, workflows(), outside)
    task_id = due(live_database)
    working = asyncio.create_task(worker.work_on(task_id))
    await begun.wait()
    assert await worker.leave() == 1
    assert live_database.value("select status from background_tasks") == "pending"
    end.set()
    assert await working == "lost"
    assert live_database.value("select status from background_tasks") == "pending"


async def test_a_worker_that_is_leaving_starts_nothing(errands: TestOffice[Outside], database: Database) -> None:
    await errands.worker.leave()
    assert await errands.worker.work_on(due(database)) == "not ours"
    assert errands.tasks("pending") == ["errand"]


async def until(condition: Any, *, within_s: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
