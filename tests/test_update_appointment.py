"""update-appointment: what is left out stays, only what changed is worked on, and nobody's change is lost."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from backhaul.core.errors import Unplaceable
from backhaul.core.testing import TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.appointment_desk import CALENDAR, NOTICE, QUO, done, events, forget, give_calendar, saved, waiting
from tests.fakes import FakeCalendars, FakeQuo, FakeTexts
from tests.trips import Trips

UPDATE = "/webhook/update-appointment-complete"


async def change(api: Api, own: Trips, trip: UUID, *, by: str = "supervisor", **given: Any) -> httpx.Response:
    return await api.post(UPDATE, {"id": str(trip), **given}, by=own.people[by])


async def changed(api: Api, own: Trips, trip: UUID, **given: Any) -> dict[str, Any]:
    answer = await change(api, own, trip, **given)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def trip(api: Api, own_trips: Trips) -> UUID:
    """Jane's, on 1 December, driven by Ana, who has a calendar as Ben has; nothing of it is done yet."""
    give_calendar(own_trips, "Ana", "Ben")
    return await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))


async def test_a_field_left_out_stays_and_null_takes_it_away(api: Api, own_trips: Trips, trip: UUID) -> None:
    await changed(api, own_trips, trip, notes="Two stairs", custom_rate=80)
    body = await changed(api, own_trips, trip, driver_instructions=None)
    row = own_trips.row(trip)
    assert (row["driver_instructions"], row["notes"], row["driver_assigned"]) == (None, "Two stairs", own_trips.drivers["Ana"])
    assert own_trips.database.value("select custom_rate from appointment_costs") == 80
    assert body["message"] == "Appointment updated successfully"
    assert body["data"]["version"] == row["version"]


async def test_an_agents_edit_without_the_drivers_key_keeps_driver_status_and_rate(
    api: Api, own_trips: Trips, trip: UUID
) -> None:
    await changed(api, own_trips, trip, custom_rate=80)
    await changed(api, own_trips, trip, by="booking_agent", notes="Two stairs")
    row = own_trips.row(trip)
    assert (row["driver_assigned"], row["operation_status"]) == (own_trips.drivers["Ana"], "assigned")
    assert own_trips.database.value("select custom_rate from appointment_costs") == 80


@pytest.mark.parametrize(
    "given", [{"driver_assigned": None}, {"transitTime": 90}, {"status": "completed"}, {"managed_by": None}, {"customRate": 5}]
)
async def test_what_is_the_supervisors_an_agent_may_not_change(
    api: Api, own_trips: Trips, trip: UUID, given: dict[str, Any]
) -> None:
    own_trips.set(trip, managed_by=own_trips.people["supervisor"].id)
    before = own_trips.row(trip)
    refused(await change(api, own_trips, trip, by="booking_agent", **given), 403)
    assert own_trips.row(trip) == before


async def test_a_supervisor_assigns_but_only_an_administrator_says_that_a_trip_was_driven(
    api: Api, own_trips: Trips, trip: UUID
) -> None:
    said = refused(await change(api, own_trips, trip, status="completed"), 403)
    assert said["todo"].startswith("Ask an administrator")
    assert (await changed(api, own_trips, trip, by="admin", status="completed"))["status"] == "completed"
    refused(await change(api, own_trips, trip, status="assigned"), 403)
    assert (await changed(api, own_trips, trip, by="admin", status="assigned"))["status"] == "assigned"


async def test_a_change_of_what_somebody_else_has_changed_is_refused(api: Api, own_trips: Trips, trip: UUID) -> None:
    seen = own_trips.row(trip)["version"]
    await changed(api, own_trips, trip, version=seen, notes="First")
    body = refused(await change(api, own_trips, trip, version=seen, notes="Second"), 409, "stale")
    assert body["what"] == "Jane Roe (K1234567), 1 Dec 9:00 has been changed since you opened this form"
    assert body["why"].startswith("You saved it yourself on 23 November at 10:00")
    assert own_trips.row(trip)["notes"] == "First"


async def test_the_same_again_changes_nothing_and_is_not_audited(api: Api, own_trips: Trips, trip: UUID) -> None:
    forget(own_trips.database)
    body = await changed(api, own_trips, trip, appointmentDateTime="2026-12-01T09:00:00-04:00", driver_instructions="Ring twice")
    assert body["message"] == "Nothing was different, so nothing was changed"
    assert own_trips.database.value("select count(*) from audit_logs where action = 'update_appointment'") == 0
    assert waiting(own_trips.database) == []


async def test_the_audit_entry_names_the_fields_and_never_what_they_say(api: Api, own_trips: Trips, trip: UUID) -> None:
    await changed(api, own_trips, trip, notes="Dialysis")
    entry = own_trips.database.one("select * from audit_logs where action = 'update_appointment'")
    assert entry["details"] == {"knumber": "K1234567", "fields_updated": ["notes"]}


async def test_only_what_a_change_makes_necessary_follows(api: Api, own_trips: Trips, trip: UUID) -> None:
    forget(own_trips.database)
    body = await changed(api, own_trips, trip, customRate=75, managed_by=str(own_trips.people["admin"].id))
    assert waiting(own_trips.database) == []
    assert body["calendarOperations"] == {"deleted": False, "synced": False}
    body = await changed(api, own_trips, trip, driver_instructions="Ring three times")
    assert waiting(own_trips.database) == [CALENDAR]
    assert body["calendarOperations"] == {"deleted": False, "synced": True}
    forget(own_trips.database)
    await changed(api, own_trips, trip, appointmentDateTime="2026-12-01T14:00:00Z")
    assert waiting(own_trips.database) == [CALENDAR, f"{NOTICE} client", f"{NOTICE} driver", QUO]


async def test_another_driver_gets_the_trip_and_the_first_ones_calendar_loses_it(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], calendars: FakeCalendars, texts: FakeTexts
) -> None:
    await done(office)
    texts.texts.clear()
    body = await changed(api, own_trips, trip, driver_assigned=str(own_trips.drivers["Ben"]))
    assert body["calendarOperations"] == {"deleted": True, "synced": True}
    assert waiting(own_trips.database) == [CALENDAR, f"{NOTICE} driver", f"{NOTICE} driver"]
    await done(office)
    assert events(calendars) == {"Ben@cal.test": ["Transport: Jane Roe to QEII"]}
    assert {to: text.split(",")[0].split(":")[0] for to, text in texts.texts} == {
        "+19025550100": "The trip on Tuesday 1 December", "+19025550101": "New trip",
    }  # fmt: skip


async def test_a_trip_that_comes_back_to_a_driver_has_an_event_of_its_next_generation(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], calendars: FakeCalendars
) -> None:
    for name in ("Ana", "Ben", "Ana"):
        await changed(api, own_trips, trip, driver_assigned=str(own_trips.drivers[name]))
        await done(office)
    assert events(calendars) == {"Ana@cal.test": ["Transport: Jane Roe to QEII"]}
    assert len(calendars.events) == 3


async def test_of_changes_before_the_calendar_was_asked_it_gets_the_last_once(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], calendars: FakeCalendars, texts: FakeTexts, quo: FakeQuo
) -> None:
    for hour in (14, 15, 16):
        await changed(api, own_trips, trip, appointmentDateTime=f"2026-12-01T{hour}:00:00Z")
    await done(office)
    assert calendars.calls == 1
    (event,) = calendars.events.values()
    assert event is not None
    assert event.starts.isoformat() == "2026-12-01T15:15:00+00:00"
    assert [text for to, text in texts.texts if to == "+19025550123"] == [
        "Hello Jane, your ride is booked: Tuesday 1 December, pickup 11:15 am. Dispatch office"
    ]
    assert list(quo.notes.values()) == ["Ride on Tuesday 1 December 2026, pickup 11:15: assigned"]


async def test_a_change_that_was_taken_back_is_told_to_nobody(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], texts: FakeTexts
) -> None:
    await done(office)
    for hour in (15, 13):
        await changed(api, own_trips, trip, appointmentDateTime=f"2026-12-01T{hour}:00:00Z")
    await done(office)
    assert len(texts.texts) == 2  # of the booking


async def test_the_old_drivers_lost_calendar_does_not_keep_the_trip_from_the_new_one(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], calendars: FakeCalendars, monkeypatch: pytest.MonkeyPatch
) -> None:
    await done(office)

    async def refuses(calendar_id: str, event_id: str) -> bool:
        raise Unplaceable("Google Calendar", "We may not change this calendar", "It is not shared any more", code="calendar.403")

    monkeypatch.setattr(calendars, "delete_event", refuses)
    await changed(api, own_trips, trip, driver_assigned=str(own_trips.drivers["Ben"]))
    await office.work()
    assert "Ben@cal.test" in events(calendars)
    failed = own_trips.database.one("select * from background_tasks where status = 'failed'")
    assert (failed["task_type"], failed["error_code"]) == (CALENDAR, "calendar.403")
    told = own_trips.database.value("select error from appointment_events where calendar_id = 'Ana@cal.test'")
    assert told == "We may not change this calendar. It is not shared any more."


async def test_a_driver_who_is_not_free_at_the_new_time_is_refused_with_the_trip_that_is_in_the_way(
    api: Api, own_trips: Trips, trip: UUID
) -> None:
    own_trips.trip("2026-12-02 09:00", "Ana")
    body = refused(await change(api, own_trips, trip, appointmentDateTime="2026-12-02T13:30:00Z"), 409)
    assert "not free" in body["message"]
    assert "K1234567" in body["message"]


async def test_a_trip_that_is_not_there_or_named_is_refused_in_the_pages_words(api: Api, own_trips: Trips) -> None:
    assert refused(await change(api, own_trips, UUID(int=7)), 404)["message"] == "Appointment not found"
    answer = await api.post(UPDATE, {}, by=own_trips.people["supervisor"])
    assert "Appointment ID is required" in refused(answer, 400)["message"]


async def test_a_cancelled_trip_is_reactivated_without_its_driver(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], calendars: FakeCalendars
) -> None:
    cancel = {"id": str(trip), "cancellation_reason": "Snow"}
    await api.post("/webhook/cancel-appointment", cancel, by=own_trips.people["supervisor"])
    await done(office)
    await changed(api, own_trips, trip, status="pending", driver_assigned=None, managed_by=None)
    await done(office)
    row = own_trips.row(trip)
    assert (row["operation_status"], row["cancelled_at"], row["cancellation_reason"]) == ("pending", None, None)
    assert events(calendars) == {}


async def test_a_trip_that_was_given_to_another_client_leaves_the_first_ones_notes(
    api: Api, own_trips: Trips, trip: UUID, office: TestOffice[Office], quo: FakeQuo
) -> None:
    await done(office)
    john = own_trips.client("K7654321", "John")
    await changed(api, own_trips, trip, knumber="K7654321")
    await done(office)
    assert [contact for contact, _ in quo.notes] == [f"QC-client:{john}"]
