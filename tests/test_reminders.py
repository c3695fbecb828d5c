"""Reminders: what clients, drivers and the office may rely on, on ordinary days and on the two nights when the clocks change."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from backhaul.core.errors import Misconfigured, OutcomeUnknown, Transient, Unplaceable
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.dispatch.office import Office
from backhaul.dispatch.wall_time import read_moment
from backhaul.dispatch.workflows.reminders import LOOK_EVERY
from tests.conftest import as_login
from tests.fakes import FakeTexts
from tests.processes import StandIn, eventually, stand_in_process, workers_on
from tests.test_texting import MortalTexts
from tests.trips import Trips

JANE, ANA = "+19025550123", "+19025550100"
TO_JANE = "Reminder: your ride is Tuesday 1 December, pickup 8:30 am. Dispatch office"
TO_ANA = "Reminder: trip on Tuesday 1 December, pickup 8:30 am, Stewiacke. Dispatch office"
OPTED_OUT = Unplaceable("Quo", "The number cannot be texted", "They have opted out", "Tell them another way", code="quo.0203400")


@pytest.fixture
def scheduled(database: Database) -> Database:
    """The schedule as every worker sets it when it starts."""
    database.one(
        "select private.repeat_task('reminders', 'send_due_reminders', 'Reminders', %s, 'reminders_wait', 'America/Halifax')",
        LOOK_EVERY,
    )
    return database


async def at(office: TestOffice[Office], moment: str | datetime) -> list[str]:
    """The clock shows that wall time at the office, a worker sweeps, and does what is then due; how each attempt ended."""
    office.clock.set(read_moment(moment) if isinstance(moment, str) else moment)
    office.database.one("select private.run_schedules()")
    return await office.work()


def told(database: Database) -> list[tuple[str, str]]:
    """The reminders that are written down: to whom, and how they stand."""
    rows = database.all("select audience, state from messages where kind = 'reminder' order by audience")
    return [(row["audience"], row["state"]) for row in rows]


# ── When ──


async def test_client_and_driver_are_reminded_once_so_many_hours_before(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana")
    assert await at(office, "2026-11-30 08:29") == []
    assert await at(office, "2026-11-30 08:34") == ["completed"] * 3
    assert sorted(texts.texts) == sorted([(JANE, TO_JANE), (ANA, TO_ANA)])
    for moment in ("2026-11-30 08:39", "2026-11-30 19:59", "2026-12-01 08:00", "2026-12-01 08:29"):
        assert await at(office, moment) == []
    assert told(scheduled) == [("client", "sent"), ("driver", "sent")]


async def test_a_look_that_finds_nobody_leaves_nothing_in_the_ledger(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database
) -> None:
    own_trips.trip("2026-12-08 09:00", "Ana")
    for minute in range(0, 60, 5):
        await at(office, f"2026-11-30 10:{minute:02}")
    assert scheduled.all("select * from background_tasks") == []
    assert scheduled.value("select looked_at from private.schedules where name = 'reminders'") == office.clock.now


async def test_of_an_event_that_is_supported_the_driver_alone_is_reminded(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana", appointment_type="support", event_name="Foot clinic")
    assert await at(office, "2026-11-30 09:00") == ["completed"] * 2
    assert [to for to, _ in texts.texts] == [ANA]


async def test_a_trip_that_is_booked_late_is_still_reminded_of(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    office.clock.set(read_moment("2026-12-01 07:50"))
    own_trips.trip("2026-12-01 09:00", "Ana")
    assert await at(office, "2026-12-01 07:55") == []
    await at(office, "2026-12-01 08:00")
    assert len(texts.texts) == 2


@pytest.mark.parametrize(
    ("trip", "never", "sent"),
    [
        ("2026-12-01 22:30", ["2026-11-30 19:29"], "2026-11-30 19:30"),  # twenty-four hours before would be too late in the day
        ("2026-12-01 07:00", ["2026-11-30 06:30", "2026-11-30 07:59"], "2026-11-30 08:00"),
        ("2026-12-01 20:19", ["2026-11-30 19:48"], "2026-11-30 19:49"),
        ("2026-12-01 20:28", ["2026-11-30 19:29"], "2026-11-30 19:30"),  # so late that a look could come after the hours' end
        # the night the clocks go back, and the one they go forward: hours are hours, and the window is the office's
        ("2026-11-01 09:30", ["2026-10-31 09:59"], "2026-10-31 10:00"),
        ("2026-11-01 08:35", ["2026-10-31 08:59"], "2026-10-31 09:05"),
        ("2027-03-14 12:30", ["2027-03-13 10:59"], "2027-03-13 11:00"),
        ("2027-03-14 08:40", ["2027-03-13 07:10", "2027-03-13 07:59"], "2027-03-13 08:00"),
    ],
)
async def test_it_goes_out_within_the_hours_in_which_the_office_reminds(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts, trip: str, never: list[str], sent: str
) -> None:
    office.clock.set(read_moment(never[0]) - timedelta(hours=3))
    own_trips.trip(trip, "Ana")
    for moment in never:
        assert await at(office, moment) == []
    scheduled.all("update private.schedules set looked_at = null")
    await at(office, sent)
    assert len(texts.texts) == 2


async def test_what_quo_could_not_take_by_the_evening_waits_for_the_morning(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    own_trips.trip("2026-12-01 11:00", "Ana")
    scheduled.all("update office_settings set value = '15' where key = 'reminder_hours_before'")
    texts.fails(error=Transient("Quo", "Quo could not be reached", "No connection could be made", code="quo.unreachable"))
    assert await at(office, "2026-11-30 19:57") == ["completed", "again", "again"]
    texts.works()
    assert await at(office, "2026-11-30 20:30") == ["snoozed"] * 2
    assert await at(office, "2026-12-01 07:59") == []
    assert await at(office, "2026-12-01 08:00") == ["completed"] * 2
    assert len(texts.texts) == 2


async def test_what_could_not_be_sent_in_time_is_not_sent_later(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana")
    texts.fails(error=Transient("Quo", "Quo could not be reached", "No connection could be made", code="quo.unreachable"))
    await at(office, "2026-11-30 19:59")
    texts.works()
    assert await at(office, "2026-12-01 08:31") == ["completed"] * 2
    assert texts.texts == []
    assert told(scheduled) == [("client", "unknown"), ("driver", "unknown")]


# ── Never twice ──


async def test_a_worker_killed_between_the_text_and_its_record_leaves_one_text(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database
) -> None:
    texts = MortalTexts()
    office.outside = replace(office.outside, texts=texts)
    office.worker = office.new_worker()
    own_trips.trip("2026-12-01 09:00", "Ana")
    scheduled.all("update drivers set phone = null")
    office.clock.set(read_moment("2026-11-30 09:00"))
    scheduled.one("select private.run_schedules()")
    await office.worker.work_on(office.task("send_due_reminders")["id"])
    client = scheduled.value("select id from background_tasks where args ->> 'audience' = 'client'")
    texts.dies = "after"
    work = asyncio.create_task(office.worker.work_on(client))
    await texts.dying.wait()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    office.clock.advance(seconds=5)
    scheduled.one("select private.sweep_leases()")
    office.worker = office.new_worker()
    await office.work()
    assert texts.texts == [(JANE, TO_JANE)]
    assert told(scheduled) == [("client", "sent"), ("driver", "refused")]


async def test_many_schedules_at_once_make_one_task_and_many_fan_outs_one_text_each(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana")
    office.clock.set(read_moment("2026-11-30 09:00"))

    def sweep(_: int) -> None:
        with psycopg.connect(scheduled.dsn, autocommit=True) as connection:
            connection.execute("select private.run_schedules()")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(sweep, range(6)))
    assert office.tasks("pending") == ["send_due_reminders"]
    for _ in range(3):
        scheduled.one("select create_background_task('schedule', gen_random_uuid(), 'By hand', 'send_due_reminders')")
    hands = scheduled.all("select id from background_tasks where task_type = 'send_due_reminders'")
    ended = await asyncio.gather(*(office.new_worker().work_on(task["id"]) for task in hands))
    assert ended == ["completed"] * 4
    assert office.tasks("pending") == ["send_reminder"] * 2
    await office.work()
    assert len(texts.texts) == 2


async def test_a_lost_answer_is_looked_for_and_a_person_asked_at_last(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana")
    scheduled.all("update drivers set phone = null")
    texts.swallows = 2
    await at(office, "2026-11-30 09:00")
    for _ in range(3):
        await office.work(after_s=120)
    task = scheduled.one("select * from background_tasks where args ->> 'audience' = 'client'")
    assert (task["status"], task["error_code"]) == ("failed", "quo.may_be_sent")
    assert told(scheduled)[0] == ("client", "unknown")
    assert await at(office, "2026-11-30 10:00") == []  # nobody else sends it meanwhile


# ── Only what is still so ──


MOVES: dict[str, LiteralString] = {
    "cancelled": "update appointments set operation_status = 'cancelled', cancellation_reason = 'Ill'",
    "nobody's": "update appointments set operation_status = 'pending', driver_assigned = null",
    "deleted": "update appointments set deleted_at = now(), purged_at = now()",
    "another driver": "update appointments set driver_assigned = (select id from drivers where first_name = 'Ben')",
    "off": "update office_settings set value = 'false' where key = 'reminders_on'",
}


@pytest.mark.parametrize(("change", "sent"), [(name, 1 if name == "another driver" else 0) for name in MOVES])
async def test_what_changed_since_the_task_was_made_is_seen_by_it(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts, change: str, sent: int
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana")
    office.clock.set(read_moment("2026-11-30 09:00"))
    scheduled.one("select private.run_schedules()")
    await office.worker.work_on(office.task("send_due_reminders")["id"])
    scheduled.all(MOVES[change])
    assert await office.work() == ["completed"] * 2
    assert [to for to, _ in texts.texts] == [JANE] * sent
    assert told(scheduled) == [("client", "sent")] * sent


async def test_a_trip_that_moves_is_reminded_of_at_its_new_time(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    trip = own_trips.trip("2026-12-01 09:00", "Ana")
    await at(office, "2026-11-30 09:00")
    own_trips.set(trip, appointmenttime=read_moment("2026-12-02 14:00"))
    assert await at(office, "2026-11-30 09:05") == []
    await at(office, "2026-12-01 13:30")
    assert [text for to, text in texts.texts if to == JANE] == [
        TO_JANE,
        "Reminder: your ride is Wednesday 2 December, pickup 1:30 pm. Dispatch office",
    ]


@pytest.mark.parametrize("back", ["the driver", "the time", "the setting"])
async def test_what_changed_and_changed_back_while_quo_was_away_is_reminded_of(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts, back: str
) -> None:
    trip = own_trips.trip("2026-12-01 09:00", "Ana")
    to_and_fro: dict[str, list[Any]] = {
        "the driver": [{"driver_assigned": own_trips.drivers["Ben"]}, {"driver_assigned": own_trips.drivers["Ana"]}],
        "the time": [{"appointmenttime": read_moment(f"2026-12-01 {hour}:00")} for hour in ("10", "09")],
    }
    texts.fails(error=Transient("Quo", "Quo could not be reached", "No connection could be made", code="quo.unreachable"))
    await at(office, "2026-11-30 09:00")
    texts.works()
    for turn in (0, 1):
        if back == "the setting":
            scheduled.all("update office_settings set value = %s::jsonb where key = 'reminders_on'", ("false", "true")[turn])
        else:
            own_trips.set(trip, **to_and_fro[back][turn])
        await at(office, f"2026-11-30 09:{30 * turn + 20}")
    await at(office, "2026-11-30 10:30")
    assert sorted(text for text in texts.texts if text in [(JANE, TO_JANE), (ANA, TO_ANA)]) == [(ANA, TO_ANA), (JANE, TO_JANE)]


# ── Who cannot be reached ──


async def test_a_missing_number_is_told_once_to_whose_booking_it_is_and_made_good_by_a_number(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts
) -> None:
    agent = own_trips.people["booking_agent"]
    own_trips.trip("2026-12-01 09:00", "Ana", managed_by=agent.id)
    scheduled.all("update drivers set phone = null")
    for moment in ("2026-11-30 09:00", "2026-11-30 09:05", "2026-11-30 12:00"):
        await at(office, moment)
    (failed,) = scheduled.all("select * from background_tasks where status = 'failed'")
    assert (failed["created_by"], failed["entity_label"]) == (agent.id, "Jane Roe (K1234567), 1 Dec 9:00")
    assert failed["error_message"] == "The driver was not reminded of this trip. No telephone number is known for them."
    assert failed["error_hint"].startswith("Add a mobile number on the driver's card: the reminder then goes out by itself.")
    assert told(scheduled) == [("client", "sent"), ("driver", "refused")]
    scheduled.all("update drivers set work_phone = '+19025550177' where first_name = 'Ana'")
    await at(office, "2026-11-30 12:05")
    assert texts.texts[-1] == ("+19025550177", TO_ANA)
    assert scheduled.value("select superseded_by is not null from background_tasks where id = %s", failed["id"])


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (OPTED_OUT, "refused"),
        (Misconfigured("Quo", "Quo does not accept our key", "It was deleted", "Make a new one", code="quo.401"), "refused"),
        (OutcomeUnknown("Quo", "Quo may or may not have done it", "No answer", "Look in Quo", code="quo.500"), "unknown"),
    ],
)
async def test_a_refusal_is_told_to_a_person_and_is_not_tried_again_by_itself(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database, texts: FakeTexts, error: Unplaceable, state: str
) -> None:
    own_trips.trip("2026-12-01 09:00", "Ana")
    scheduled.all("update drivers set phone = null")
    texts.fails(error=error)
    await at(office, "2026-11-30 09:00")
    failed = scheduled.one("select * from background_tasks where args ->> 'audience' = 'client'")
    assert failed["status"] == "failed"
    assert failed["error_message"].startswith(error.what)
    assert told(scheduled)[0] == ("client", state)
    texts.works()
    assert await at(office, "2026-11-30 10:00") == []
    assert scheduled.one("select changed from retry_background_task(%s)", failed["id"])["changed"]
    assert await office.work() == ["completed"]
    assert [to for to, _ in texts.texts] == [JANE]
    assert told(scheduled)[0] == ("client", "sent")


async def test_without_a_number_to_send_from_nobody_is_bothered_and_it_is_written_down(
    office: TestOffice[Office], own_trips: Trips, scheduled: Database
) -> None:
    office.outside = replace(office.outside, texts=None)
    office.worker = office.new_worker()
    own_trips.trip("2026-12-01 09:00", "Ana")
    assert await at(office, "2026-11-30 09:00") == ["completed"] * 3
    assert await at(office, "2026-11-30 09:05") == []
    assert told(scheduled) == [("client", "refused"), ("driver", "refused")]


async def test_a_question_that_fails_stops_no_sweep_and_shows_as_a_task(database: Database, clock: Clock) -> None:
    database.one("select private.repeat_task('odd', 'archive_old_tasks', 'Odd', '5 minutes', 'nobody_knows', 'America/Halifax')")
    assert database.one("select did_it, scheduled from private.sweep()") == {"did_it": True, "scheduled": 1}


# ── Real workers, killed ──


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in_process(tmp_path_factory.mktemp("stand-ins")) as stand_in:
        yield stand_in


def test_a_worker_that_dies_over_its_record_of_the_text_leaves_one_reminder_each(
    live_database: Database, stand_in: StandIn, tmp_path: Path
) -> None:
    own = Trips(live_database)
    live_database.all("update office_settings set value = '\"00:00\"' where key = 'reminder_window_start'")
    live_database.all("update office_settings set value = '\"23:59\"' where key = 'reminder_window_end'")
    own.trip(datetime.now(UTC) + timedelta(hours=20), "Ana")
    with workers_on(as_login(live_database.dsn), stand_in.address, tmp_path) as workers:
        victim = workers.start_other(dies_at="backhaul.dispatch.messages.messages.settle", lease_s=1, knows="tests.texting_task")
        assert victim.ended(within_s=20) == -signal.SIGKILL
        workers.start_other(knows="tests.texting_task")
        done: LiteralString = "select count(*) from background_tasks where task_type = 'send_reminder' and status = 'completed'"
        eventually(lambda: live_database.value(done) == 2, within_s=20)
    assert sorted(text["to"][0] for text in stand_in.texts()) == [ANA, JANE]
    states: list[UUID] = live_database.value("select array_agg(distinct state) from messages where kind = 'reminder'")
    assert states == ["sent"]
