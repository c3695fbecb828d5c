"""What tests of the appointments' workflows share: a form, a driver's calendar, and which tasks a save left behind."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.testing import Database, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api
from tests.fakes import FakeCalendars
from tests.trips import Trips

CALENDAR, NOTICE, QUO = "put_calendar_event", "send_appointment_notification", "sync_appointment_quo"


def form(own: Trips, **changed: Any) -> dict[str, Any]:
    """Jane's round trip to QEII as the pages send it: 9:00 at the office, a drive of 45 minutes, an hour there."""
    return {
        "knumber": "K1234567", "appointmentDateTime": "2026-12-01T13:00:00Z", "clinic_id": str(own.clinics["QEII"]),
        "appointmentLength": 60, "transitTime": 45, "status": "pending", "notes": "", "driver_instructions": "Ring twice",
    } | changed  # fmt: skip


def give_calendar(own: Trips, *names: str) -> dict[str, str]:
    for name in names:
        own.database.all("update drivers set google_calendar_id = %s where id = %s", f"{name}@cal.test", own.drivers[name])
    return {name: f"{name}@cal.test" for name in names}


def waiting(database: Database) -> list[str]:
    """The types of the waiting tasks, each with whom it is about if it is a notice."""
    rows = database.all("select task_type, args ->> 'audience' as whom from background_tasks where status = 'pending'")
    return sorted(" ".join(filter(None, (row["task_type"], row["whom"]))) for row in rows)


def forget(database: Database) -> None:
    database.all("delete from background_tasks")


async def saved(api: Api, own: Trips, **changed: Any) -> UUID:
    """A trip that a supervisor has just booked over HTTP."""
    answer = await api.post("/webhook/save-appointment", form(own, **changed), by=own.people["supervisor"])
    assert answer.status_code == 200, answer.text
    return UUID(answer.json()["appointmentIds"][0])


def events(calendars: FakeCalendars) -> dict[str, list[str]]:
    """The titles that are in each calendar."""
    seen: dict[str, list[str]] = {}
    for (calendar, _), event in calendars.events.items():
        if event is not None:
            seen.setdefault(calendar, []).append(event.title)
    return seen


async def done(office: TestOffice[Office]) -> None:
    """Everything that waits is done, and well."""
    assert set(await office.work()) <= {"completed"}, office.database.all("select task_type, error_message from background_tasks")
