"""Steps and leases: a finished step is not done again, a late attempt writes nothing. Whoever writes a workflow relies on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import BaseModel

from backhaul.core.errors import LeaseLost, Transient
from backhaul.core.leased import Checkpoints, LeasedDb
from backhaul.core.store import Store
from backhaul.core.task import Run
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.core.workflow import Workflows
from tests.test_delivery import until

AWAY = Transient("Quo", "Quo did not answer", code="quo.timeout")


class Point(BaseModel):
    latitude: float
    longitude: float


class Leg(BaseModel):
    minutes: int | None = None
    via: list[Point] = []
    at: datetime | None = None


class Oracle:
    """Answers what the test says, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.fails_at: set[int] = set()

    def _ask(self, question: object) -> None:
        self.asked.append(question)
        if len(self.asked) in self.fails_at:
            raise AWAY

    async def legs(self, places: list[UUID]) -> dict[UUID, Leg]:
        self._ask(places)
        via = [Point(latitude=44.65, longitude=-63.57)]
        return {place: Leg(minutes=7, via=via, at=datetime(2026, 11, 23, 14, tzinfo=UTC)) for place in places}

    async def nothing(self, place: str) -> None:
        self._ask(place)

    async def file(self, content: bytes) -> None:
        self._ask(content)

    def at_once(self, place: str) -> tuple[str, int]:
        self._ask(place)
        return place, len(self.asked)


Story = Callable[[Run[Oracle]], Awaitable[Any]]


class Office:
    """One task type, which does what the test's story says."""

    def __init__(self, database: Database, store: Store, clock: Clock) -> None:
        self.oracle = Oracle()
        self.story: Story | None = None
        made: Workflows[Oracle] = Workflows()

        @made.task()
        async def tell(run: Run[Oracle]) -> dict[str, Any] | None:
            assert self.story is not None
            await self.story(run)
            return None

        self.tested = TestOffice(database, store, made, self.oracle, clock)
        self.task_id: UUID = database.value("select create_background_task('client', %s, 'Jane Roe', 'tell')", uuid4())


@pytest.fixture
def told(database: Database, store: Store, clock: Clock) -> Office:
    return Office(database, store, clock)


def begin(database: Database, task_id: UUID) -> None:
    """A worker starts it."""
    database.all("select private.keep_leases('us', '1 hour')")
    assert database.one("select changed from start_background_task(%s, 'us', '1 hour')", task_id)["changed"]


def take_over(database: Database, task_id: UUID) -> None:
    """Somebody else starts it, as after a lease has ended."""
    database.all("update background_tasks set lease_expires_at = task_now() where id = %s", task_id)
    assert database.one("select changed, attempt from start_background_task(%s, 'another', '1 hour')", task_id)["changed"]


async def test_a_question_that_holds_a_file_is_known_by_it(told: Office) -> None:
    files = [b"%PDF\xff\x00", b"%PDF\xff\x01"]

    async def story(run: Run[Oracle]) -> None:
        for file in (files[0], files[0], files[1]):
            await run.step("send", run.office.file, file)

    told.story = story
    assert await told.tested.work() == ["completed"]
    assert told.oracle.asked == files


async def test_a_retry_begins_at_the_step_that_failed(told: Office) -> None:
    async def story(run: Run[Oracle]) -> None:
        for place in ("a", "b", "c"):
            await run.step("look", run.office.nothing, place)

    told.story, told.oracle.fails_at = story, {2}
    assert await told.tested.work() == ["again"]
    assert await told.tested.work(after_s=60) == ["completed"]
    assert told.oracle.asked == ["a", "b", "b", "c"]


async def test_a_changed_question_is_asked_afresh(told: Office) -> None:
    address = "1 Hihg St"

    async def story(run: Run[Oracle]) -> None:
        await run.step("look", run.office.nothing, address)
        await run.step("end", run.office.nothing, "end")

    told.story, told.oracle.fails_at = story, {2}
    await told.tested.work()
    address = "1 High St"
    assert await told.tested.work(after_s=60) == ["completed"]
    assert told.oracle.asked == ["1 Hihg St", "end", "1 High St", "end"]


async def test_the_same_question_under_another_label_is_another_step(told: Office) -> None:
    async def story(run: Run[Oracle]) -> None:
        await run.step("there", run.office.nothing, "a")
        await run.step("back", run.office.nothing, "a")
        await run.step("there", run.office.nothing, "a")

    told.story = story
    assert await told.tested.work() == ["completed"]
    assert told.oracle.asked == ["a", "a"]


async def test_answers_come_back_from_the_ledger_as_they_went_in(told: Office) -> None:
    seen: list[object] = []

    async def story(run: Run[Oracle]) -> None:
        seen.append(await run.step("legs", run.office.legs, [UUID(int=1), UUID(int=2)]))
        seen.append(await run.step("nothing", run.office.nothing, "a"))
        seen.append(await run.step("at once", run.office.at_once, "b"))
        await run.step("fails", run.office.nothing, "c")

    told.story, told.oracle.fails_at = story, {4}
    await told.tested.work()
    assert await told.tested.work(after_s=60) == ["completed"]
    assert seen[:3] == seen[3:]
    assert isinstance(seen[3], dict)
    assert [(type(key), type(value)) for key, value in seen[3].items()] == [(UUID, Leg), (UUID, Leg)]
    assert len(told.oracle.asked) == 5


async def test_an_attempt_that_lost_its_lease_asks_nothing_more(told: Office, database: Database) -> None:
    async def story(run: Run[Oracle]) -> None:
        await run.step("first", run.office.nothing, "a")
        take_over(database, run.task_id)
        await run.step("second", run.office.nothing, "b")

    told.story = story
    assert await told.tested.worker.work_on(told.task_id) == "lost"
    assert told.oracle.asked == ["a"]


async def test_an_answer_that_comes_after_the_takeover_is_not_kept(told: Office, database: Database) -> None:
    async def story(run: Run[Oracle]) -> None:
        async def slow() -> str:
            take_over(database, run.task_id)
            return "late"

        await run.step("slow", slow)

    told.story = story
    assert await told.tested.worker.work_on(told.task_id) == "lost"
    assert database.value("select count(*) from background_task_steps") == 0
    assert told.tested.task("tell")["attempt"] == 2


@pytest.mark.parametrize("ask", ["all", "one", "run"])
async def test_nothing_is_written_after_a_takeover(store: Store, told: Office, database: Database, ask: str) -> None:
    begin(database, told.task_id)
    db = LeasedDb(store, told.task_id, attempt=1)
    write = b"update background_tasks set entity_label = 'late' returning id"
    await getattr(db, ask)(write)
    database.all("update background_tasks set entity_label = 'Jane Roe'")
    take_over(database, told.task_id)
    with pytest.raises(LeaseLost, match="no longer holds"):
        await getattr(db, ask)(write)
    assert told.tested.task("tell")["entity_label"] == "Jane Roe"


async def test_a_write_that_began_before_a_takeover_holds_it_off_until_its_commit(
    store: Store, told: Office, database: Database
) -> None:
    begin(database, told.task_id)
    db = LeasedDb(store, told.task_id, attempt=1)
    with psycopg.connect(database.dsn) as gate:
        gate.execute("select pg_advisory_lock(1)")
        writing = asyncio.create_task(db.run(b"select pg_advisory_xact_lock(1)"))
        await until(lambda: waiting(database, "%pg_advisory_xact_lock(1)"))
        database.all("update background_tasks set lease_expires_at = task_now()")  # what the heartbeat does is let through
        assert database.value("select private.sweep_leases()") == 0  # what would take it away is not
        taking = asyncio.create_task(asyncio.to_thread(database.all, "select start_background_task(%s, 'another')", told.task_id))
        await until(lambda: waiting(database, "%another%"))
        gate.execute("select pg_advisory_unlock(1)")
        gate.commit()
        await writing
        await taking
    assert told.tested.task("tell")["attempt"] == 2


def waiting(database: Database, statement: str) -> bool:
    found = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like %s"
    )
    return bool(database.value(found, statement))


async def test_a_lost_lease_is_told_from_other_errors(store: Store, told: Office, database: Database) -> None:
    begin(database, told.task_id)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await LeasedDb(store, told.task_id, attempt=1).run(b"select 1/0")
    run = Run(
        told.task_id,
        "tell",
        2,
        "client",
        uuid4(),
        None,
        {},
        None,
        told.oracle,
        LeasedDb(store, told.task_id, 2),
        Checkpoints(store),
    )
    with pytest.raises(LeaseLost):
        await run.step("early", told.oracle.nothing, "a")
    assert told.oracle.asked == []
