"""update-driver-assignment: one trip, one driver, and nobody in two places at once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import httpx

from backhaul.core.testing import TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.appointment_desk import CALENDAR, NOTICE, QUO, done, events, forget, give_calendar, saved, waiting
from tests.fakes import FakeCalendars, FakeTexts
from tests.trips import Trips


async def assign(api: Api, own: Trips, trip: UUID, driver: str | None, *, by: str = "supervisor", **rest: Any) -> httpx.Response:
    body = {"id": str(trip), "status": "assigned", "driver_assigned": str(own.drivers[driver]) if driver else None, **rest}
    return await api.post("/webhook/update-driver-assignment", body, by=own.people[by])


async def test_a_trip_is_given_moved_and_taken_off_and_the_status_follows(
    api: Api, own_trips: Trips, office: TestOffice[Office], calendars: FakeCalendars, texts: FakeTexts
) -> None:
    give_calendar(own_trips, "Ana", "Ben")
    trip = await saved(api, own_trips)
    await done(office)
    texts.texts.clear()
    for driver, message, status, seen in (
        ("Ana", "Assigned to Ana Driver", "assigned", {"Ana@cal.test"}),
        ("Ben", "Assigned to Ben Driver", "assigned", {"Ben@cal.test"}),
        (None, "The trip has no driver any more", "pending", set()),
    ):
        body = (await assign(api, own_trips, trip, driver)).json()
        assert (body["success"], body["message"], body["status"]) == (True, message, status)
        await done(office)
        assert set(events(calendars)) == seen
    told = [(to[-1], text.split(" ")[0]) for to, text in texts.texts]
    assert sorted(told) == [("0", "New"), ("0", "The"), ("1", "New"), ("1", "The")]  # Ana and Ben; the client hears nothing of it


async def test_only_calendar_and_the_drivers_notices_follow(api: Api, own_trips: Trips) -> None:
    give_calendar(own_trips, "Ana")
    trip = await saved(api, own_trips)
    forget(own_trips.database)
    await assign(api, own_trips, trip, "Ana")
    assert waiting(own_trips.database) == [CALENDAR, f"{NOTICE} driver", QUO]
    forget(own_trips.database)
    await assign(api, own_trips, trip, "Ana")
    assert waiting(own_trips.database) == []
    assert own_trips.database.value("select count(*) from audit_logs where action = 'assign_driver'") == 1


async def test_a_driver_without_a_calendar_or_a_number_leaves_no_task_and_is_said(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update drivers set phone = null")
    trip = await saved(api, own_trips)
    forget(own_trips.database)
    body = (await assign(api, own_trips, trip, "Ana")).json()
    assert "No text goes to Ana Driver: no telephone number is known" in body["message"]
    assert waiting(own_trips.database) == [QUO]


async def test_a_driver_who_is_taken_is_refused_with_what_is_in_the_way(api: Api, own_trips: Trips) -> None:
    own_trips.trip(driver="Ana")
    trip = own_trips.trip("2026-12-01 09:30")
    body = refused(await assign(api, own_trips, trip, "Ana"), 409)
    assert "the driver is not free" in body["message"].lower()
    assert "K1234567" in body["message"]
    assert own_trips.row(trip)["driver_assigned"] is None


async def test_time_off_is_refused_and_a_clients_wish_is_only_said(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update clients set driver_gender_requirement = 'female'")
    own_trips.database.all(
        "insert into driver_time_off (driver_id, start_date, end_date) values (%s, '2026-12-01', '2026-12-01')",
        own_trips.drivers["Cem"],
    )
    trip = own_trips.trip()
    assert "Time off" in refused(await assign(api, own_trips, trip, "Cem"), 409)["message"]
    body = (await assign(api, own_trips, trip, "Ben")).json()
    assert body["success"]
    assert "The client asks for a female driver" in body["warnings"]


async def test_of_two_who_give_one_driver_two_trips_at_the_same_moment_one_is_refused(api: Api, own_trips: Trips) -> None:
    first, second = own_trips.trip(), own_trips.trip("2026-12-01 09:30")
    answers = await asyncio.gather(assign(api, own_trips, first, "Ana"), assign(api, own_trips, second, "Ana", by="admin"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_an_older_version_of_the_trip_is_refused(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip()
    seen = own_trips.row(trip)["version"]
    assert (await assign(api, own_trips, trip, "Ana", version=seen)).status_code == 200
    refused(await assign(api, own_trips, trip, "Ben", version=seen), 409, "stale")


async def test_a_forgotten_driver_takes_nobody_off(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip(driver="Ana")
    path, by = "/webhook/update-driver-assignment", own_trips.people["supervisor"]
    refused(await api.post(path, {"id": str(trip)}, by=by), 400)
    unknown = refused(await api.post(path, {"id": str(trip), "driver_assigned": str(UUID(int=7))}, by=by), 400)
    assert unknown["fields"] == {"driver_assigned": "Driver must be chosen from the list"}
    assert own_trips.row(trip)["driver_assigned"] == own_trips.drivers["Ana"]


async def test_an_agent_assigns_nobody(api: Api, own_trips: Trips) -> None:
    refused(await assign(api, own_trips, own_trips.trip(), "Ana", by="booking_agent"), 403)
