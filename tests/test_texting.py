"""Sending a text once: what a client whose telephone rings, and the person who is asked when it cannot be known, rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backhaul.core.errors import Misconfigured, OutcomeUnknown, OutsideProblem, RateLimited, Transient, Unplaceable
from backhaul.core.limits import OnHold
from backhaul.core.outbound import NO_LIMITS
from backhaul.core.store import Row, Store
from backhaul.core.task import Retry, Run
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.core.workflow import Workflows
from backhaul.dispatch.messages.texting import see_it_arrive, send_once
from backhaul.dispatch.office import Office, Texts
from backhaul.outside.quo_messages import QuoTexts, Sent
from backhaul.sandbox.app import StandIns, create_app
from tests.fakes import PORTAL, FakeMail, FakeMaps, FakeQuo, FakeTexts

TEXT, TO = "Your ride comes at 9:30", "+19025550100"

Story = Callable[[Run[Office]], Awaitable[dict[str, Any]]]


def away() -> Transient:
    return Transient("Quo", "Quo could not be reached", "No connection could be made", "Nothing to do", code="quo.unreachable")


def refused() -> Misconfigured:
    return Misconfigured("Quo", "Quo does not accept our key", "It was deleted", "A Quo owner makes a new one", code="quo.401")


async def one_text(run: Run[Office]) -> dict[str, Any]:
    sent = await send_once(run, TEXT, TO, "the confirmation to the client")
    return {"message_id": sent.message_id}


class MortalTexts(FakeTexts):
    """Its caller may be killed while it sends: `before` the text has gone, or `after`."""

    dies = ""

    def __init__(self) -> None:
        super().__init__()
        self.dying = asyncio.Event()

    async def send(self, text: str, to: str) -> Sent:
        await self._die("before")
        sent = await super().send(text, to)
        await self._die("after")
        return sent

    async def _die(self, when: str) -> None:
        if self.dies == when:
            self.dies = ""
            self.dying.set()
            await asyncio.Event().wait()


@dataclass
class Desk:
    """One task that sends a text, and the worker that does it."""

    office: TestOffice[Office]
    texts: MortalTexts
    story: Story = one_text

    @property
    def task(self) -> Row:
        return self.office.task("send_text")

    @property
    def task_id(self) -> UUID:
        return UUID(str(self.task["id"]))

    def retry(self) -> None:
        """A person's click on the failed task."""
        assert self.office.database.one("select changed from retry_background_task(%s)", self.task_id)["changed"]

    async def kill_while_sending(self, when: str) -> None:
        """The worker is gone without a word, and its lease has ended."""
        self.texts.dies = when
        work = asyncio.create_task(self.office.worker.work_on(self.task_id))
        await self.texts.dying.wait()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        self.office.clock.advance(seconds=5)
        assert self.office.database.value("select private.sweep_leases()") == 1
        self.office.worker = self.office.new_worker()


def desk_on(
    database: Database, store: Store, clock: Clock, texts: Texts | None
) -> tuple[TestOffice[Office], Callable[[Story], None]]:
    """An office with the one task type, and how to say what it does."""
    made: Workflows[Office] = Workflows()
    told: list[Story] = [one_text]

    @made.task(retry=Retry(attempts=3, on=Transient), lane="quo")
    async def send_text(run: Run[Office]) -> dict[str, Any]:
        return await told[-1](run)

    database.all("select create_background_task('client', %s, 'Jane Roe', 'send_text', max_attempts => 3)", uuid4())
    outside = Office(maps=FakeMaps(), quo=FakeQuo(), mail=FakeMail(), portal_url=PORTAL, texts=texts)
    return TestOffice(database, store, made, outside, clock), told.append


@pytest.fixture
def desk(database: Database, store: Store, clock: Clock) -> Desk:
    texts = MortalTexts()
    office, _ = desk_on(database, store, clock, texts)
    return Desk(office, texts)


ONCE = [(TO, TEXT)]


# ── Once ──


async def test_a_text_is_sent_and_told(desk: Desk) -> None:
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE
    assert desk.task["result"] == {"message_id": "AC1"}


async def test_what_fails_after_a_text_does_not_send_it_again(database: Database, store: Store, clock: Clock) -> None:
    texts = FakeTexts()
    office, tell = desk_on(database, store, clock, texts)
    failures = [away(), away()]

    async def story(run: Run[Office]) -> dict[str, Any]:
        result = await one_text(run)
        if failures:
            raise failures.pop()
        return result

    tell(story)
    assert await office.work() == ["again"]
    assert await office.work(after_s=60) == ["again"]
    assert await office.work(after_s=60) == ["completed"]
    assert texts.texts == ONCE
    assert texts.looks == 1  # and Quo is not asked about it again


async def test_a_worker_killed_between_the_text_and_its_record_leaves_one_text(desk: Desk) -> None:
    await desk.kill_while_sending("after")
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE
    assert desk.task["result"] == {"message_id": "AC1"}


async def test_a_worker_killed_before_the_text_went_is_made_good_after_two_looks(desk: Desk) -> None:
    await desk.kill_while_sending("before")
    assert await desk.office.work() == ["snoozed"]
    assert desk.texts.texts == []
    assert (desk.task["status"], desk.task["error_code"], desk.task["failures"]) == ("pending", "quo.in_doubt", 0)
    assert await desk.office.work(after_s=119) == []
    assert await desk.office.work(after_s=1) == ["completed"]
    assert desk.texts.texts == ONCE


async def test_a_lost_answer_is_found_in_quos_list_at_once(desk: Desk) -> None:
    desk.texts.loses_answers = 1
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE


async def test_a_list_that_is_late_is_looked_at_again_before_anything_is_sent(desk: Desk) -> None:
    desk.texts.loses_answers, desk.texts.late = 1, 1
    assert await desk.office.work() == ["snoozed"]
    assert "not known whether the confirmation to the client has gone" in desk.task["error_message"]
    assert await desk.office.work(after_s=120) == ["completed"]
    assert desk.texts.texts == ONCE


async def test_a_second_look_is_not_taken_early_though_somebody_wakes_the_task(desk: Desk) -> None:
    desk.texts.loses_answers, desk.texts.late = 1, 1
    await desk.office.work()
    looks = desk.texts.looks
    desk.office.database.all("update background_tasks set run_after = task_now()")
    assert await desk.office.worker.work_on(desk.task_id) == "snoozed"
    assert desk.texts.looks == looks


async def test_our_own_database_away_when_the_answer_comes_leaves_one_text(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    send = desk.texts.send

    async def then_cut(text: str, to: str) -> Sent:
        await send(text, to)
        monkeypatch.undo()
        raise psycopg.OperationalError("the connection ended")

    monkeypatch.setattr(desk.texts, "send", then_cut)
    assert await desk.office.work() == ["again"]
    assert await desk.office.work(after_s=60) == ["completed"]
    assert desk.texts.texts == ONCE


async def test_the_same_words_from_before_are_not_taken_for_ours(desk: Desk) -> None:
    desk.texts.texts.append((TO, TEXT))
    desk.texts.swallows = 1
    assert await desk.office.work() == ["snoozed"]
    assert await desk.office.work(after_s=120) == ["completed"]
    assert desk.texts.texts == ONCE * 2
    assert desk.task["result"] == {"message_id": "AC2"}


# ── Certain: nothing went ──


@pytest.mark.parametrize(
    ("error", "ended", "wait_s"),
    [
        (away(), "again", 3),
        (RateLimited("Quo", retry_after=30), "again", 30),
        (OnHold(datetime(2026, 11, 23, 14, 0, 30, tzinfo=UTC), "Quo is on hold"), "snoozed", 30),
    ],
    ids=["no connection", "slow down", "on hold"],
)
async def test_what_certainly_did_not_go_is_sent_without_another_look(
    desk: Desk, error: OutsideProblem, ended: str, wait_s: float
) -> None:
    desk.texts.fails(at=2, error=error)  # 1: the look before; 2: the sending
    assert await desk.office.work() == [ended]
    assert desk.texts.looks == 1
    assert await desk.office.work(after_s=wait_s) == ["completed"]
    assert desk.texts.looks == 2  # the look before the new sending
    assert desk.texts.texts == ONCE


async def test_a_refusal_is_told_as_it_is_and_a_retry_sends(desk: Desk) -> None:
    desk.texts.fails(at=2, error=refused())
    assert await desk.office.work() == ["failed"]
    assert (desk.task["error_code"], desk.task["error_hint"]) == ("quo.401", "A Quo owner makes a new one")
    desk.retry()
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE


async def test_nothing_is_sent_while_the_list_cannot_be_looked_at(desk: Desk) -> None:
    """What could not be looked up afterwards is not begun."""
    desk.texts.fails(at=1, error=away())
    assert await desk.office.work() == ["again"]
    assert desk.task["error_code"] == "quo.unreachable"
    assert "may have been sent" not in desk.task["error_message"]
    assert desk.texts.texts == []


# ── It cannot be said ──


async def test_a_person_is_told_when_it_cannot_be_said_and_it_is_not_sent_a_third_time(desk: Desk) -> None:
    desk.texts.swallows = 9
    assert await desk.office.work() == ["snoozed"]
    assert await desk.office.work(after_s=120) == ["snoozed"]
    assert await desk.office.work(after_s=120) == ["failed"]
    assert desk.texts.swallows == 7
    assert desk.task["error_code"] == "quo.may_be_sent"
    assert desk.task["error_message"].startswith("The confirmation to the client may have been sent. ")
    assert desk.task["error_hint"].startswith("Look in Quo.")


async def test_the_second_sending_too_is_looked_for_twice_before_a_person_is_told(desk: Desk) -> None:
    desk.texts.swallows = 1
    await desk.office.work()
    desk.texts.loses_answers, desk.texts.late = 1, 1
    assert await desk.office.work(after_s=120) == ["snoozed"]
    assert await desk.office.work(after_s=120) == ["completed"]
    assert desk.texts.texts == ONCE


async def test_a_persons_retry_finds_what_has_come_to_light_since(desk: Desk) -> None:
    desk.texts.swallows = 1
    await desk.office.work()
    desk.texts.loses_answers, desk.texts.late = 1, 2
    assert await desk.office.work(after_s=120) == ["snoozed"]
    assert await desk.office.work(after_s=120) == ["failed"]
    desk.retry()
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE


async def test_a_persons_retry_sends_what_is_still_not_there(desk: Desk) -> None:
    desk.texts.swallows = 2
    for _ in range(3):
        await desk.office.work(after_s=120)
    assert desk.task["status"] == "failed"
    desk.retry()
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE


async def test_only_a_person_brings_a_third_sending_not_a_task_that_retries_by_itself(
    database: Database, store: Store, clock: Clock
) -> None:
    texts = FakeTexts()
    made: Workflows[Office] = Workflows()

    @made.task(retry=Retry(attempts=3, on=(Transient, OutcomeUnknown)))
    async def send_text(run: Run[Office]) -> dict[str, Any]:
        return await one_text(run)

    database.all("select create_background_task('client', %s, 'Jane Roe', 'send_text', max_attempts => 3)", uuid4())
    outside = Office(maps=FakeMaps(), quo=FakeQuo(), mail=FakeMail(), portal_url=PORTAL, texts=texts)
    office = TestOffice(database, store, made, outside, clock)
    texts.swallows = 9
    ended = [await office.work(after_s=120) for _ in range(5)]
    assert ended == [["snoozed"], ["snoozed"], ["again"], ["again"], ["failed"]]
    assert texts.swallows == 7


@pytest.mark.parametrize(("error", "attempts"), [(away, 3), (refused, 1)])
async def test_a_look_that_fails_tells_that_it_may_have_been_sent(
    desk: Desk, error: Callable[[], OutsideProblem], attempts: int
) -> None:
    await desk.kill_while_sending("after")
    for _ in range(attempts):
        desk.texts.fails(at=1, error=error())
        await desk.office.work(after_s=600)
    assert (desk.task["status"], desk.task["error_code"]) == ("failed", error().code)
    assert desk.task["error_message"] == (
        f"The confirmation to the client may have been sent. Quo gave no answer to it, and cannot be asked now: {error().message}"
    )
    assert "a retry looks first" in desk.task["error_hint"]
    desk.retry()
    assert await desk.office.work() == ["completed"]
    assert desk.texts.texts == ONCE


# ── The number, and texts at all ──


@pytest.mark.parametrize(("to", "code"), [(None, "quo.no_number"), ("", "quo.no_number"), ("902-555-0100", "quo.bad_number")])
async def test_a_missing_or_impossible_number_is_said(
    database: Database, store: Store, clock: Clock, to: str | None, code: str
) -> None:
    texts = FakeTexts()
    office, tell = desk_on(database, store, clock, texts)

    async def story(run: Run[Office]) -> dict[str, Any]:
        return (await send_once(run, TEXT, to, "the confirmation")).model_dump()

    tell(story)
    assert await office.work() == ["failed"]
    assert office.task("send_text")["error_code"] == code
    assert office.task("send_text")["error_hint"]
    assert texts.texts == []


async def test_a_corrected_number_is_another_text(database: Database, store: Store, clock: Clock) -> None:
    texts = FakeTexts()
    office, tell = desk_on(database, store, clock, texts)
    card = {"phone": "+19025550111"}

    async def story(run: Run[Office]) -> dict[str, Any]:
        return (await send_once(run, TEXT, card["phone"], "the confirmation")).model_dump()

    tell(story)
    texts.fails(at=2, error=Unplaceable("Quo", "Quo does not take the number", code="quo.number_refused"))
    assert await office.work() == ["failed"]
    card["phone"] = TO
    office.database.all("select retry_background_task(id) from background_tasks")
    assert await office.work() == ["completed"]
    assert texts.texts == ONCE


async def test_texts_that_are_off_are_said_with_the_setting(database: Database, store: Store, clock: Clock) -> None:
    office, _ = desk_on(database, store, clock, None)
    assert await office.work() == ["failed"]
    task = office.task("send_text")
    assert task["error_code"] == "quo.no_sender"
    assert task["error_message"].startswith("The confirmation to the client was not sent: texts are off.")
    assert "BACKHAUL_QUO_FROM" in task["error_hint"]


# ── Whether it arrived ──


@pytest.mark.parametrize(
    ("status", "ended", "code"),
    [
        ("delivered", "completed", None),
        ("sent", "completed", None),
        ("undelivered", "failed", "quo.undelivered"),
        ("failed", "failed", "quo.undelivered"),
    ],
)
async def test_a_number_that_the_carrier_refuses_is_said(
    database: Database, store: Store, clock: Clock, status: str, ended: str, code: str | None
) -> None:
    texts = FakeTexts()
    texts.statuses["AC1"] = status
    office, tell = desk_on(database, store, clock, texts)

    async def story(run: Run[Office]) -> dict[str, Any]:
        sent = await send_once(run, TEXT, TO, "the confirmation")
        return {"status": await see_it_arrive(run, sent, "the confirmation")}

    tell(story)
    assert await office.work() == ["snoozed"]
    assert await office.work(after_s=119) == []
    assert await office.work(after_s=1) == [ended]
    task = office.task("send_text")
    assert task["error_code"] == code
    assert task["result"] == ({"status": status} if ended == "completed" else None)
    assert texts.texts == ONCE


# ── With the stand-in at the far end ──


@pytest.fixture
async def stand_ins(clock: Clock) -> AsyncIterator[StandIns]:
    app = create_app(":memory:", clock=lambda: clock.now, quo_per_second=None)
    yield app
    app.close()


@pytest.mark.parametrize("fault", ["lost", "timeout", "500", "503", "html"])
async def test_one_text_reaches_the_stand_in_whatever_happens_to_the_first_answer(
    database: Database, store: Store, clock: Clock, stand_ins: StandIns, fault: str
) -> None:
    transport = httpx.ASGITransport(app=stand_ins)
    texts = QuoTexts("k", "+19025550199", limits=NO_LIMITS, base_url="http://stand-ins.test", transport=transport)
    office, _ = desk_on(database, store, clock, texts)
    stand_ins.desk.order({"service": "quo", "fault": fault, "times": 1, "method": "POST"})
    ended = await office.work() + await office.work(after_s=120)
    assert ended == (["completed"] if fault == "lost" else ["snoozed", "completed"])
    (message,) = stand_ins.store.find("message")
    assert (message["text"], message["to"]) == (TEXT, [TO])
    assert office.task("send_text")["result"] == {"message_id": message["id"]}


async def test_the_stand_ins_landline_is_said(database: Database, store: Store, clock: Clock, stand_ins: StandIns) -> None:
    transport = httpx.ASGITransport(app=stand_ins)
    texts = QuoTexts("k", "PNstandin01", limits=NO_LIMITS, base_url="http://stand-ins.test", transport=transport)
    office, tell = desk_on(database, store, clock, texts)

    async def story(run: Run[Office]) -> dict[str, Any]:
        sent = await send_once(run, TEXT, TO, "the confirmation")
        return {"status": await see_it_arrive(run, sent, "the confirmation")}

    tell(story)
    stand_ins.desk.order({"service": "quo", "fault": "undelivered"})
    assert await office.work() + await office.work(after_s=120) == ["snoozed", "failed"]
    assert office.task("send_text")["error_code"] == "quo.undelivered"


# ── A law, under any order of failures ──


class Killed(BaseException):
    """The worker is gone, in the middle of whatever it did."""


@dataclass
class World:
    """A ledger in memory, a clock, and a far end, all of which fail as they are told. fate: what happens next, in order."""

    fate: list[str]
    texts: FakeTexts = field(default_factory=FakeTexts)
    now: datetime = datetime(2026, 11, 23, 14, tzinfo=UTC)
    steps: dict[tuple[str, str], Any] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    attempt: int = 0

    def next(self, *possible: str) -> str:
        return self.fate.pop() if self.fate and self.fate[-1] in possible else ""

    # as a ledger
    async def recall_step(self, run: Run[Any], label: str, args_hash: str) -> Row:
        if self.next("killed at a recall"):
            raise Killed
        return {"known": (label, args_hash) in self.steps, "answer": self.steps.get((label, args_hash))}

    async def keep_step(self, run: Run[Any], label: str, args_hash: str, answer: Any) -> None:
        if self.next("killed before a record"):
            raise Killed
        self.steps[label, args_hash] = answer
        if self.next("killed after a record"):
            raise Killed

    # as a database
    async def one(self, query: bytes, params: Any = None, *, into: Any = None) -> Any:
        if b"task_now" in query:
            return {"now": self.now}
        return {"retried": any(attempt >= params["since"] for attempt in self.failed)}

    async def all(self, query: bytes, params: Any = None, *, into: Any = None) -> Any:
        raise NotImplementedError

    async def run(self, query: bytes, params: Any = None) -> int:
        raise NotImplementedError

    # as Quo
    async def send(self, text: str, to: str) -> Sent:
        if self.next("no connection"):
            raise away()
        if self.next("killed before it went"):
            raise Killed
        self.texts.swallows = 1 if self.next("swallowed") else 0
        if self.next("answer lost"):
            self.texts.loses_answers = 1
        elif self.next("answer lost, and the list is late"):
            self.texts.loses_answers = self.texts.late = 1
        sent = await self.texts.send(text, to)
        if self.next("killed when it went"):
            raise Killed
        return sent

    async def sent(self, text: str, to: str, *, since: datetime) -> list[Sent]:
        if self.next("the look fails"):
            raise Transient("Quo", "Quo did not answer", code="quo.timeout")
        return await self.texts.sent(text, to, since=since)

    async def status(self, message_id: str) -> str:
        return await self.texts.status(message_id)

    async def sender_id(self) -> str:
        return "PN1"

    async def aclose(self) -> None:
        pass

    async def try_once(self) -> Sent | None:
        """One attempt by a worker; what it returned, or None. A person retries whatever failed, and time goes by."""
        self.attempt += 1
        office = Office(maps=FakeMaps(), quo=FakeQuo(), mail=FakeMail(), portal_url=PORTAL, texts=self)
        run = Run(UUID(int=1), "send_text", self.attempt, "client", UUID(int=2), None, {}, None, office, self, self)
        try:
            return await send_once(run, TEXT, TO, "the text")
        except (Killed, OnHold, Transient):
            return None
        except OutcomeUnknown as problem:
            self.failed.append(self.attempt)
            self.told.append(problem.what)
            return None
        finally:
            self.now += timedelta(minutes=2)


FATES = [
    "killed at a recall", "killed before a record", "killed after a record", "no connection", "killed before it went",
    "swallowed", "answer lost", "answer lost, and the list is late", "killed when it went", "the look fails",
]  # fmt: skip


@settings(max_examples=400)
@given(fate=st.lists(st.sampled_from(FATES), max_size=25))
async def test_no_order_of_failures_sends_a_text_twice_or_loses_it(fate: list[str]) -> None:
    world = World(fate)
    for _ in range(200):
        sent = await world.try_once()
        assert len(world.texts.texts) <= 1
        if sent:
            break
    assert sent is not None
    assert sent.message_id == "AC1"
    assert world.texts.texts == ONCE
    assert set(world.told) <= {"The text may have been sent"}
