"""Cancelling, archiving, restoring and deleting a trip: who may, when it is refused and in which words, and who hears of it."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from backhaul.core.testing import TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.appointment_desk import CALENDAR, NOTICE, QUO, done, events, forget, give_calendar, saved, waiting
from tests.fakes import FakeCalendars, FakeQuo, FakeTexts
from tests.trips import Trips


async def ask(api: Api, own: Trips, verb: str, trip: UUID, *, by: str = "supervisor", **given: str) -> httpx.Response:
    return await api.post(f"/webhook/{verb}", {"id": str(trip), **given}, by=own.people[by])


async def cancel(api: Api, own: Trips, trip: UUID, *, by: str = "booking_agent") -> httpx.Response:
    return await ask(api, own, "cancel-appointment", trip, by=by, cancellation_reason="Snow", cancelled_by=str(UUID(int=1)))


@pytest.fixture
async def assigned(api: Api, own_trips: Trips, office: TestOffice[Office], texts: FakeTexts) -> UUID:
    """Driven by Ana, in her calendar, and everybody has been told."""
    give_calendar(own_trips, "Ana")
    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    await done(office)
    texts.texts.clear()
    forget(own_trips.database)
    return trip


# ── Cancel ──


async def test_a_cancelled_trip_stays_in_the_calendar_marked_and_driver_and_client_are_told(
    api: Api,
    own_trips: Trips,
    assigned: UUID,
    office: TestOffice[Office],
    calendars: FakeCalendars,
    texts: FakeTexts,
    quo: FakeQuo,
) -> None:
    answer = await cancel(api, own_trips, assigned)
    body = answer.json()
    assert (answer.status_code, body["message"]) == (200, "Appointment cancelled and driver notified")
    assert (body["appointmentId"], body["status"]) == (str(assigned), "cancelled")
    assert waiting(own_trips.database) == [CALENDAR, f"{NOTICE} client", f"{NOTICE} driver", QUO]
    await done(office)
    (event,) = calendars.events.values()
    assert event is not None
    assert (event.title, event.status) == ("CANCELLED - Transport: Jane Roe to QEII", "tentative")
    assert sorted(texts.texts) == [
        ("+19025550100", "Cancelled: the trip on Tuesday 1 December, pickup 8:15 am, Stewiacke. Dispatch office"),
        ("+19025550123", "Hello Jane, your ride on Tuesday 1 December at 8:15 am is cancelled. Dispatch office"),
    ]
    assert list(quo.notes.values()) == ["Ride on Tuesday 1 December 2026, pickup 08:15: cancelled"]


async def test_whoever_cancels_is_taken_from_the_token_whatever_the_body_says(api: Api, own_trips: Trips, assigned: UUID) -> None:
    await cancel(api, own_trips, assigned)
    row = own_trips.row(assigned)
    assert (row["cancelled_by"], row["cancellation_reason"]) == (own_trips.people["booking_agent"].id, "Snow")
    entry = own_trips.database.one("select * from audit_logs where action = 'cancel_appointment'")
    assert (entry["entity_id"], entry["user_id"]) == (assigned, own_trips.people["booking_agent"].id)
    assert "Snow" not in str(entry["details"])


async def test_a_trip_cancelled_before_it_was_in_the_calendar_is_not_put_there(
    api: Api, own_trips: Trips, office: TestOffice[Office], calendars: FakeCalendars
) -> None:
    give_calendar(own_trips, "Ana")
    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]))
    await cancel(api, own_trips, trip)
    await done(office)
    assert calendars.events == {}


async def test_what_cannot_be_cancelled_is_refused_in_the_pages_words(api: Api, own_trips: Trips, assigned: UUID) -> None:
    pending = own_trips.trip("2026-12-02 09:00")
    body = refused(await cancel(api, own_trips, pending), 409)
    assert "annot cancel: no driver assigned. Use Archive instead." in body["message"]
    assert "ppointment not found" in refused(await cancel(api, own_trips, UUID(int=7)), 404)["message"]
    assert "Cancellation reason is required" in refused(await ask(api, own_trips, "cancel-appointment", assigned), 400)["message"]
    await cancel(api, own_trips, assigned)
    assert "already cancelled" in refused(await cancel(api, own_trips, assigned), 409)["message"]


async def test_nobody_is_said_to_be_notified_who_is_not(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update office_settings set value = 'false' where key = 'notices_on'")
    assert (await cancel(api, own_trips, own_trips.trip(driver="Ana"))).json()["message"] == "Appointment cancelled"


# ── Archive and restore ──


async def test_a_trip_without_a_driver_is_archived_and_restored_and_nobody_is_texted(
    api: Api, own_trips: Trips, office: TestOffice[Office], quo: FakeQuo, texts: FakeTexts
) -> None:
    trip = await saved(api, own_trips)
    await done(office)
    texts.texts.clear()
    body = (await ask(api, own_trips, "soft-delete-appointment", trip, by="booking_agent")).json()
    assert (body["success"], body["message"]) == (True, "Appointment archived successfully")
    assert waiting(own_trips.database) == [QUO]
    await done(office)
    assert quo.notes == {}
    assert own_trips.row(trip)["deleted_by"] == own_trips.people["booking_agent"].id
    body = (await ask(api, own_trips, "unarchive-appointment", trip)).json()
    assert (body["success"], body["message"]) == (True, "Appointment unarchived successfully")
    await done(office)
    assert len(quo.notes) == 1
    assert texts.texts == []
    assert [row["action"] for row in own_trips.database.all("select action from audit_logs order by created_at, id")].count(
        "unarchive_appointment"
    ) == 1


async def test_a_trip_with_a_driver_cannot_be_archived(api: Api, own_trips: Trips, assigned: UUID) -> None:
    for trip in (assigned, UUID(int=7)):
        body = refused(await ask(api, own_trips, "soft-delete-appointment", trip), 409)
        assert "annot archive: appointment has assigned driver or not found" in body["message"]


async def test_only_supervisors_restore_and_only_what_is_archived(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip()
    await ask(api, own_trips, "soft-delete-appointment", trip)
    refused(await ask(api, own_trips, "unarchive-appointment", trip, by="booking_agent"), 403)
    assert (await ask(api, own_trips, "unarchive-appointment", trip)).status_code == 200
    assert "ppointment not found" in refused(await ask(api, own_trips, "unarchive-appointment", trip), 404)["message"]


# ── Delete ──


async def test_a_deleted_trip_is_gone_from_lists_calendar_and_quo_and_people_are_told(
    api: Api,
    own_trips: Trips,
    assigned: UUID,
    office: TestOffice[Office],
    calendars: FakeCalendars,
    texts: FakeTexts,
    quo: FakeQuo,
) -> None:
    body = (await ask(api, own_trips, "delete-appointment-with-calendar", assigned, by="admin")).json()
    assert (body["success"], body["message"]) == (True, "Appointment deleted permanently")
    assert body["calendarOperations"] == {"deleted": True, "synced": False}
    assert waiting(own_trips.database) == [CALENDAR, f"{NOTICE} client", f"{NOTICE} driver", QUO]
    await done(office)
    assert events(calendars) == {}
    assert quo.notes == {}
    assert [text.partition(" on ")[0] for _, text in sorted(texts.texts)] == ["Cancelled: the trip", "Hello Jane, your ride"]
    refused(await ask(api, own_trips, "update-appointment", assigned, by="admin"), 404)


async def test_an_event_is_deleted_although_the_answer_was_lost(
    api: Api, own_trips: Trips, assigned: UUID, office: TestOffice[Office], calendars: FakeCalendars
) -> None:
    calendars.loses_answers = 1
    await ask(api, own_trips, "delete-appointment", assigned, by="admin")
    await office.work()
    await office.work(after_s=60)
    assert office.task(CALENDAR)["status"] == "completed"
    assert events(calendars) == {}


@pytest.mark.parametrize("role", ["supervisor", "booking_agent"])
async def test_only_an_administrator_deletes_for_good(api: Api, own_trips: Trips, assigned: UUID, role: str) -> None:
    body = refused(await ask(api, own_trips, "delete-appointment-with-calendar", assigned, by=role), 403)
    assert "Administrator access required to permanently delete appointments" in body["message"]
    assert own_trips.row(assigned)["purged_at"] is None


async def test_a_second_click_is_answered_as_the_first_was(api: Api, own_trips: Trips, assigned: UUID) -> None:
    path, body, by = "/webhook/delete-appointment", {"id": str(assigned)}, own_trips.people["admin"]
    first, again = [await api.post(path, body, by=by, key="click-1") for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())


@pytest.mark.parametrize(
    "verb",
    ["cancel-appointment", "soft-delete-appointment", "unarchive-appointment", "delete-appointment", "update-driver-assignment"],
)
async def test_drivers_and_clients_remove_nothing_not_even_their_own(
    api: Api, own_trips: Trips, assigned: UUID, verb: str
) -> None:
    before = own_trips.row(assigned)
    for role in ("driver", "client"):
        refused(await ask(api, own_trips, verb, assigned, by=role, cancellation_reason="x", driver_assigned=""), 403)
    assert own_trips.row(assigned) == before
