"""Trips on the event stream: boards hear of each change at once, drivers and clients of their own alone."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.api_fixtures import Api
from tests.open_pages import Page, opened
from tests.trips import Trips

Told = dict[str, Any]


async def hear_trip(page: Page) -> Told:
    """The next event, which is to be a trip's: not even a keep-alive shows that something else happened."""
    name, data = await page.hear()
    assert name == "trip", (name, data)
    told: Told = data
    return told


async def test_staff_hear_of_each_change_with_the_days_before_and_after(api: Api, address: str, own_trips: Trips) -> None:
    own = own_trips
    async with opened(address, api.token(own.people["booking_agent"])) as page:
        trip = own.trip("2026-12-01 09:00")
        assert await hear_trip(page) == {"id": str(trip), "gone": False, "days": ["2026-12-01"]}
        own.set(trip, appointmenttime="2026-12-03T14:00:00Z")
        assert (await hear_trip(page))["days"] == ["2026-12-01", "2026-12-03"]
        own.set(trip, appointmenttime="2026-12-04T03:50:00Z")  # ten to midnight at the office, and home the day after
        assert (await hear_trip(page))["days"] == ["2026-12-03", "2026-12-04"]
        own.set(trip, driver_assigned=own.drivers["Ben"])
        assert await hear_trip(page) == {"id": str(trip), "gone": False, "days": ["2026-12-03", "2026-12-04"]}


async def test_a_trip_deleted_for_good_is_gone_to_administrators_too(api: Api, address: str, own_trips: Trips) -> None:
    own = own_trips
    trip = own.trip()
    people = own.people
    async with opened(address, api.token(people["supervisor"])) as one, opened(address, api.token(people["admin"])) as other:
        api.database.all("select private.delete_appointment(%s)", trip)
        assert (await hear_trip(one))["gone"] is True
        assert (await hear_trip(other))["gone"] is True


async def test_a_driver_hears_of_a_trip_from_when_it_is_theirs_until_it_is_gone_and_of_no_other(
    api: Api,
    address: str,
    own_trips: Trips,
) -> None:
    own = own_trips
    trip = own.trip("2026-12-01 09:00", driver="Ben")
    async with opened(address, api.token(own.people["driver"])) as page:
        own.set(trip, notes="Ben's, and none of Ana's business")
        other = own.trip("2026-12-02 09:00", driver="Ana")
        assert await hear_trip(page) == {"id": str(other), "gone": False, "days": None}
        own.set(trip, driver_assigned=own.drivers["Ana"])
        assert await hear_trip(page) == {"id": str(trip), "gone": False, "days": None}
        own.set(trip, driver_assigned=own.drivers["Cem"])
        assert await hear_trip(page) == {"id": str(trip), "gone": True, "days": None}
        own.set(trip, notes="Cem's")
        own.set(other, driver_assigned=None)
        assert await hear_trip(page) == {"id": str(other), "gone": True, "days": None}


async def test_a_client_hears_of_their_own_trips_until_they_are_archived_and_of_no_other(
    api: Api,
    address: str,
    own_trips: Trips,
) -> None:
    own = own_trips
    june = own.client("K7654321", "June")
    theirs = own.trip(client_id=june)
    async with opened(address, api.token(own.people["client"])) as page:
        own.set(theirs, notes="June's")
        mine = own.trip()
        assert await hear_trip(page) == {"id": str(mine), "gone": False, "days": None}
        api.database.all("select private.archive_appointment(%s)", mine)
        assert await hear_trip(page) == {"id": str(mine), "gone": True, "days": None}
        own.set(theirs, client_id=own.jane)
        assert (await hear_trip(page))["gone"] is False
        own.set(theirs, client_id=june)
        assert await hear_trip(page) == {"id": str(theirs), "gone": True, "days": None}


@pytest.mark.parametrize("role", ["driver", "client"])
async def test_an_account_that_is_linked_to_nobody_hears_of_no_trip(
    api: Api,
    address: str,
    own_trips: Trips,
    role: str,
) -> None:
    own, me = own_trips, own_trips.people[role]
    api.database.all("update users set driver_id = null, client_id = null")
    async with opened(address, api.token(me)) as page:
        own.set(own.trip(driver="Ana"), driver_assigned=None)
        assert (await page.hear_of(api.failed(me), "failed"))["mine"] is True


async def test_fifty_trips_saved_at_once_are_heard_of_one_by_one_and_a_change_of_nothing_not(
    api: Api,
    address: str,
    own_trips: Trips,
) -> None:
    own = own_trips
    trip = own.trip()
    async with opened(address, api.token(own.people["supervisor"])) as page:
        api.database.all("update appointments set notes = notes where id = %s", trip)
        made = api.database.all(
            "insert into appointments (client_id, clinic_id, appointmenttime)"
            " select %s, %s, %s::timestamptz + n * interval '7 days' from generate_series(1, 50) n returning id::text",
            own.jane,
            own.clinics["QEII"],
            "2026-12-01T13:00:00Z",
        )
        assert {(await hear_trip(page))["id"] for _ in made} == {row["id"] for row in made}


def test_what_is_announced_has_ids_and_days_and_nothing_else(own_trips: Trips) -> None:
    own = own_trips
    with psycopg.connect(own.database.dsn, autocommit=True) as ear:
        ear.execute("listen trips")
        trip = own.trip(driver="Ana", notes="A walker", event_name="Dialysis")
        own.set(trip, driver_assigned=own.drivers["Ben"])
        own.database.all("update appointments set driver_assigned = null where id = %s", trip)
        own.database.all("delete from appointments where id = %s", trip)
        told = [json.loads(note.payload) for note in ear.notifies(timeout=5, stop_after=4)]
    jane, ana, ben = (str(one) for one in (own.jane, own.drivers["Ana"], own.drivers["Ben"]))
    assert [(one["drivers"], set(one["clients"])) for one in told] == [
        ([ana], {jane}),
        ([ana, ben], {jane}),
        ([ben], {jane}),
        ([], {jane}),
    ]
    assert {tuple(one) for one in told} == {("id", "days", "drivers", "clients")}
    assert {one["id"] for one in told} == {str(trip)}


async def test_an_announcement_that_is_not_ours_is_passed_over(api: Api, address: str, own_trips: Trips) -> None:
    own = own_trips
    async with opened(address, api.token(own.people["supervisor"])) as page:
        forged = [
            json.dumps({"id": str(own.jane), "days": days, "drivers": [], "clients": []}) for days in (7, ["\0"], ["\ud800"], [1])
        ]
        for payload in ("", "[]", "{}", '{"id": "x", "days": [], "drivers": [], "clients": []}', *forged):
            api.database.all("select pg_notify('trips', %s)", payload)
        trip = own.trip()
        assert (await hear_trip(page))["id"] == str(trip)
