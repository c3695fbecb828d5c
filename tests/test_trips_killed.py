"""Workers that are killed just after they changed something outside, workflow by workflow, as real processes.

Whatever each had done is found there by the next one: one event, one text to each, one note, one contact.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from backhaul.core.store import Store
from backhaul.core.testing import Database
from backhaul.dispatch.office import workflows
from tests.conftest import as_login
from tests.processes import StandIn, Workers, eventually, workers_on
from tests.trips import Trips

KNOWS = "tests.texting_task"  # so that nobody waits half a minute for a second look at Quo's list
DONE_WITHIN_S = 20.0
CALENDAR_PUT = "backhaul.outside.google_calendar.GoogleCalendar.put_calendar"
CALENDAR_SHARED = "backhaul.outside.google_calendar.GoogleCalendar.share_calendar"
EVENT_PUT = "backhaul.outside.google_calendar.GoogleCalendar.put_event"
EVENT_GONE = "backhaul.outside.google_calendar.GoogleCalendar.delete_event"
TEXT_SENT = "backhaul.outside.quo_messages.QuoTexts.send"
NOTE_PUT = "backhaul.outside.quo.Quo.put_note"
CONTACT_PUT = "backhaul.outside.quo.Quo.put_contact"


class Desk:
    """A supervisor's hands, workers that die, and what there is to see outside."""

    def __init__(self, own: Trips, store: Store, workers: Workers, far: StandIn) -> None:
        self.own, self._store, self._workers, self._far = own, store, workers, far
        self._successor = workers.start_other(knows=KNOWS)
        self._clients = itertools.count(1)

    async def book(self, *, days_ahead: int = 7) -> UUID:
        """A trip of Ana's for a client whom nobody knew before, each at an hour of its own."""
        number = next(self._clients)
        self.own.client(f"K900000{number}", "Jo")
        at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=days_ahead, hours=4 * number)
        saved = await self.asks(
            "save-appointment",
            knumber=f"K900000{number}",
            appointmentDateTime=at.isoformat(),
            clinic_id=str(self.own.clinics["QEII"]),
            driver_assigned=str(self.own.drivers["Ana"]),
        )
        return UUID(str(saved["appointmentId"]))

    async def asks(self, verb: str, role: str = "supervisor", **form: Any) -> dict[str, Any]:
        workflow = workflows.by_name[verb]
        return (await workflow.submit(self._store, workflow.form.model_validate(form), self.own.people[role])).body

    @asynccontextmanager
    async def though_a_worker_dies(self, place: str) -> AsyncIterator[None]:
        """What is asked in here is begun by a worker that dies at its place, with all else it had begun; another one finishes."""
        self._successor.tell(signal.SIGSTOP)
        victim = self._workers.start_other(knows=KNOWS, dies_at=f"after {place}", lease_s=1)
        yield
        assert await asyncio.to_thread(victim.ended, within_s=DONE_WITHIN_S) == -signal.SIGKILL
        self._successor.tell(signal.SIGCONT)
        await asyncio.to_thread(eventually, self._nothing_waits, within_s=DONE_WITHIN_S)
        assert self.own.database.all("select task_type, error_message from background_tasks where status <> 'completed'") == []

    def _nothing_waits(self) -> bool:
        waiting = "select count(*) from background_tasks where status in ('pending', 'processing')"
        return bool(self.own.database.value(waiting) == 0)

    def calendars(self) -> int:
        return len(self._far.documents("calendar"))

    def events(self) -> list[tuple[str, bool]]:
        """Whose calendar each event is in that is not deleted, and whether it is marked as cancelled."""
        names = {str(ident): name for name, ident in self.own.drivers.items()}
        kept = [event for event in self._far.documents("event") if event["status"] != "cancelled"]
        return sorted(
            (names[event["extendedProperties"]["private"]["driver"]], event["summary"].startswith("CANCELLED")) for event in kept
        )

    def texts(self) -> Counter[str]:
        """How many texts each number has had. All clients have the same."""
        names = {"+19025550123": "clients", "+19025550100": "Ana", "+19025550101": "Ben"}
        return Counter(names[to] for message in self._far.texts() for to in message["to"])

    def notes(self) -> int:
        return len(self._far.documents("note"))

    def contacts(self) -> list[int]:
        """How many contacts each client has."""
        return list(self._far.contacts().values())


@pytest.fixture
async def desk(live_database: Database, stand_in: StandIn, tmp_path: Path) -> AsyncIterator[Desk]:
    own = Trips(live_database)
    dsn = as_login(live_database.dsn)
    store = Store(dsn, at_least=1, at_most=2)
    await store.open()
    with workers_on(dsn, stand_in.address, tmp_path, BACKHAUL_QUO_API="2026-03-30") as workers:
        yield Desk(own, store, workers, stand_in)
    await store.close()


async def test_trips_are_booked_moved_cancelled_and_deleted_once_each_whatever_a_worker_has_just_done_when_it_dies(
    desk: Desk,
) -> None:
    for name, place in (("Ana", CALENDAR_PUT), ("Ben", CALENDAR_SHARED)):
        async with desk.though_a_worker_dies(place):
            await desk.asks("make-driver-calendar", id=str(desk.own.drivers[name]))
    assert desk.calendars() == 2
    trips: list[UUID] = []
    for place in (EVENT_PUT, TEXT_SENT, CONTACT_PUT, NOTE_PUT):
        async with desk.though_a_worker_dies(place):
            trips.append(await desk.book())
    assert desk.events() == [("Ana", False)] * 4
    assert desk.texts() == {"clients": 4, "Ana": 4}
    assert (desk.notes(), desk.contacts()) == (4, [1, 1, 1, 1])

    ben = str(desk.own.drivers["Ben"])
    for trip, place in zip(trips, (EVENT_GONE, EVENT_PUT, TEXT_SENT), strict=False):
        async with desk.though_a_worker_dies(place):
            await desk.asks("update-driver-assignment", id=str(trip), driver_assigned=ben)
    assert desk.events() == [("Ana", False), *[("Ben", False)] * 3]
    assert desk.texts() == {"clients": 4, "Ana": 7, "Ben": 3}

    for trip, place in zip(trips, (EVENT_PUT, TEXT_SENT, NOTE_PUT), strict=False):
        async with desk.though_a_worker_dies(place):
            await desk.asks("cancel-appointment", id=str(trip), cancellation_reason="Snow")
    assert desk.events() == [("Ana", False), *[("Ben", True)] * 3]
    assert desk.texts() == {"clients": 7, "Ana": 7, "Ben": 6}
    assert desk.notes() == 4

    for trip, place in zip(trips, (EVENT_GONE, NOTE_PUT), strict=False):
        async with desk.though_a_worker_dies(place):
            await desk.asks("delete-appointment", role="admin", id=str(trip))
    assert desk.events() == [("Ana", False), ("Ben", True)]
    assert (desk.notes(), desk.contacts()) == (2, [1, 1, 1, 1])


async def test_a_reminder_is_sent_once_to_each_though_a_worker_dies_when_it_has_sent_one(desk: Desk) -> None:
    put = "update office_settings set value = %s::jsonb where key = %s"
    for key, value in {"notices_on": "false", "reminder_window_start": '"00:00"', "reminder_window_end": '"23:59"'}.items():
        desk.own.database.all(put, value, key)
    async with desk.though_a_worker_dies(TEXT_SENT):
        trip = await desk.book(days_ahead=0)
        look = "select create_background_task('appointment', %s, 'whoever is to be reminded', 'send_due_reminders')"
        desk.own.database.value(look, trip)
    assert desk.texts() == {"clients": 1, "Ana": 1}
