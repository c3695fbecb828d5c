"""One trip whole, a week of them, and what a trip would be before it is saved: for the office's staff alone."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from backhaul.core.testing import Clock, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.appointment_desk import done, forget, give_calendar, saved
from tests.trips import Trips

ONE, WEEK, PREVIEW = "/webhook/get-appointment", "/webhook/get-week", "/webhook/preview-appointment"


async def read(api: Api, own: Trips, path: str, *, by: str = "supervisor", **asked: Any) -> dict[str, Any]:
    answer = await api.get(path, by=own.people[by], **asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def measure(own: Trips, place: str, minutes: int) -> None:
    """Jane's drive to QEII from one of her addresses is known."""
    own.database.all(
        "insert into client_clinic_times (client_id, destination_id, place, duration_minutes, source)"
        " values (%s, %s, %s, %s, 'a test')",
        own.jane, own.clinics["QEII"], place, minutes,
    )  # fmt: skip


async def test_a_trip_comes_with_its_texts_calendars_tasks_and_changes(
    api: Api, own_trips: Trips, office: TestOffice[Office]
) -> None:
    give_calendar(own_trips, "Ana")
    own_trips.database.all("update office_settings set value = 'true' where key = 'notices_on'")
    trip = await saved(api, own_trips, driver_assigned=str(own_trips.drivers["Ana"]), customRate=80)
    await done(office)
    body = await read(api, own_trips, ONE, id=trip)
    shown = body["appointment"]
    assert (shown["clientName"], shown["driverName"], shown["customRate"]) == ("Jane Roe", "Ana Driver", "80.00")
    assert shown["created_by_name"] == own_trips.database.value(
        "select full_name from users where id = %s", own_trips.people["supervisor"].id
    )
    assert [(one["audience"], one["kind"], one["state"], one["recipient_name"]) for one in body["messages"]] == [
        ("client", "booked", "sent", "Jane Roe"), ("driver", "assigned", "sent", "Ana Driver"),
    ]  # fmt: skip
    ((calendar),) = body["calendars"]
    assert (calendar["driver_name"], calendar["there"], calendar["error"]) == ("Ana Driver", True, None)
    assert {task["task_type"] for task in body["tasks"]} >= {"put_calendar_event", "send_appointment_notification"}
    assert [change["action"] for change in body["changes"]] == ["create_appointment"]
    text = str(body)
    assert "@cal.test" not in text, "the calendar's address is nobody's business here"


async def test_an_agent_gets_no_price_and_of_the_changes_their_own(api: Api, own_trips: Trips) -> None:
    trip = await saved(api, own_trips, customRate=80)
    body = await read(api, own_trips, ONE, by="booking_agent", id=trip)
    assert not {"customRate", "custom_rate"} & body["appointment"].keys()
    assert body["changes"] == []


async def test_who_changed_a_trip_last_is_told_to_all_staff_unless_it_was_the_house(
    api: Api, own_trips: Trips, clock: Clock
) -> None:
    trip = await saved(api, own_trips)
    agent = await read(api, own_trips, ONE, by="booking_agent", id=trip)
    name = own_trips.database.value("select full_name from users where id = %s", own_trips.people["supervisor"].id)
    assert (agent["last_change"]["mine"], agent["last_change"]["user_name"]) == (False, name)
    assert (await read(api, own_trips, ONE, id=trip))["last_change"]["mine"] is True
    clock.advance(minutes=1)
    own_trips.set(trip, notes="By the house")
    assert (await read(api, own_trips, ONE, id=trip))["last_change"] is None


async def test_a_look_at_a_trip_is_written_down_once_in_ten_minutes(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip()
    for _ in range(3):
        await read(api, own_trips, ONE, by="booking_agent", id=trip)
    looks = own_trips.database.all("select entity_id, user_id from audit_logs where action = 'view_appointment'")
    assert looks == [{"entity_id": trip, "user_id": own_trips.people["booking_agent"].id}]


async def test_a_trip_deleted_for_good_is_not_there_for_anybody(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip()
    own_trips.database.all("select private.delete_appointment(%s)", trip)
    for role in ("admin", "booking_agent"):
        refused(await api.get(ONE, by=own_trips.people[role], id=trip), 404, "appointment.unknown")
    refused(await api.get(ONE, by=own_trips.people["admin"], id=uuid4()), 404)
    assert own_trips.database.value("select count(*) from audit_logs where action = 'view_appointment'") == 0


async def test_nobody_but_staff_reads_a_trip_even_their_own(api: Api, own_trips: Trips) -> None:
    trip = own_trips.trip(driver="Ana")
    for role in ("driver", "client"):
        refused(await api.get(ONE, by=own_trips.people[role], id=trip), 403)


async def test_a_week_goes_from_monday_to_sunday_and_may_be_one_drivers(api: Api, own_trips: Trips) -> None:
    monday = own_trips.trip("2026-11-30 00:30", "Ana")
    sunday = own_trips.trip("2026-12-06 23:30", "Ben")
    own_trips.trip("2026-12-08 09:00")
    body = await read(api, own_trips, WEEK, day="2026-12-02")
    assert (body["monday"], body["sunday"]) == ("2026-11-30", "2026-12-06")
    assert [row["id"] for row in body["appointments"]] == [str(monday), str(sunday)]
    body = await read(api, own_trips, WEEK, day="2026-12-02", driver=str(own_trips.drivers["Ben"]))
    assert [row["id"] for row in body["appointments"]] == [str(sunday)]
    for day in ("2026-02-31", "9999-12-31", "tomorrow"):
        refused(await api.get(WEEK, by=own_trips.people["admin"], day=day), 400)


async def test_a_preview_is_what_would_be_stored(api: Api, own_trips: Trips) -> None:
    for given in (
        {"appointment_type": "round_trip"},
        {"appointment_type": "one_way", "trip_direction": "to_clinic"},
        {"appointment_type": "one_way", "trip_direction": "to_home"},
        {"appointment_type": "support", "event_name": "Foot clinic"},
    ):
        trip = await saved(api, own_trips, **given)
        row = own_trips.row(trip)
        asked = {name: value for name, value in given.items() if name != "event_name"}
        body = await read(
            api, own_trips, PREVIEW, at="2026-12-01T13:00:00Z", transit=45, length=60, client=str(own_trips.jane), **asked
        )
        (shown,) = body["times"]
        stored = tuple(f"{row[name]:%Y-%m-%dT%H:%M:%SZ}" for name in ("pickuptime", "drop_off_time"))
        assert (shown["pickuptime"], shown["drop_off_time"]) == stored, given


async def test_a_preview_says_where_its_drive_is_known_from(api: Api, own_trips: Trips) -> None:
    asked = {"at": "2026-12-01T09:00", "client": str(own_trips.jane), "clinic": str(own_trips.clinics["QEII"])}
    body = await read(api, own_trips, PREVIEW, by="booking_agent", **asked)
    assert (body["transit"]["minutes"], body["transit"]["place"], body["length"]) == (30, None, 60)
    own_trips.database.all(
        "insert into clinic_times_wanted (client_id, destination_id) values (%s, %s)", own_trips.jane, own_trips.clinics["QEII"]
    )
    assert (await read(api, own_trips, PREVIEW, **asked))["transit"]["pending"] is True
    own_trips.database.all(
        "update clients set secondary_civic_address = '2 Low St', secondary_city = 'Truro', secondary_province = 'NS',"
        " secondary_postal_code = 'B2N 5A1' where id = %s",
        own_trips.jane,
    )
    measure(own_trips, "secondary", 70)
    assert (await read(api, own_trips, PREVIEW, **asked))["transit"]["place"] == "secondary"
    measure(own_trips, "primary", 55)
    transit = (await read(api, own_trips, PREVIEW, **asked))["transit"]
    assert (transit["minutes"], transit["place"], transit["calculated_at"] is not None) == (55, "primary", True)
    assert (await read(api, own_trips, PREVIEW, transit=40, **asked))["transit"]["minutes"] == 40


async def test_a_preview_says_who_is_not_free_to_those_who_may_assign(api: Api, own_trips: Trips) -> None:
    standing = own_trips.trip("2026-12-01 09:00", "Ben")
    own_trips.database.all("update clients set driver_gender_requirement = 'female' where id = %s", own_trips.jane)
    times = ["2026-12-01T09:30", "2026-12-02T09:30"]
    asked = {"at": times, "client": str(own_trips.jane)}
    body = await read(api, own_trips, PREVIEW, **asked)
    hard = [(row["place"], row["driver_id"], row["label"]) for row in body["objections"] if row["hard"]]
    assert hard == [(0, str(own_trips.drivers["Ben"]), "K1234567")]
    wishes = {(row["place"], row["driver_id"]) for row in body["objections"] if row["kind"] == "gender"}
    assert wishes == {(None, str(own_trips.drivers[name])) for name in ("Ben", "Cem")}
    moved = await read(api, own_trips, PREVIEW, **asked, but=str(standing))
    assert not [row for row in moved["objections"] if row["hard"]], "a trip does not stand in its own way"
    assert (await read(api, own_trips, PREVIEW, by="booking_agent", **asked))["objections"] == []


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-03-08T02:30", "there is no 2:30 on 8 March 2026"),
        ("2026-11-01T01:30", "comes twice"),
        ("half past nine", "must be a date and time"),
    ],
)
async def test_a_preview_refuses_a_wall_time_that_means_nothing_or_two_moments(
    api: Api, own_trips: Trips, at: str, said: str
) -> None:
    body = refused(await api.get(PREVIEW, by=own_trips.people["booking_agent"], at=at), 400)
    assert said in body["message"]


async def test_a_driver_who_is_not_free_is_told_at_their_field_when_a_trip_is_changed(api: Api, own_trips: Trips) -> None:
    own_trips.trip("2026-12-01 09:00", "Ben")
    trip = await saved(api, own_trips)
    forget(own_trips.database)
    change = {"id": str(trip), "driver_assigned": str(own_trips.drivers["Ben"])}
    body = refused(await api.post("/webhook/update-appointment", change, by=own_trips.people["supervisor"]), 409)
    assert body["fields"] == {"driver_assigned": "The driver is not free from 8:15 to 10:45"}
    assert own_trips.row(trip)["operation_status"] == "pending"
