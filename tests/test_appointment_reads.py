"""What the pages read of trips: the shapes they need, costs for those who may see them, and one's own trips alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.api_fixtures import Api, refused
from tests.trips import Trips

PAGE = "/webhook/get-appointments-page-data"


@pytest.fixture
def booked(own_trips: Trips) -> dict[str, UUID]:
    """Jane's trips: one without a driver, one with Ana, one of John's with Ben, one archived, one long ago and priced."""
    john = own_trips.client("K7654321", "John")
    made = {
        "pending": own_trips.trip("2026-12-01 09:00"),
        "with Ana": own_trips.trip("2026-12-02 09:00", "Ana"),
        "John's": own_trips.trip("2026-12-03 09:00", "Ben", client_id=john),
        "archived": own_trips.trip("2026-12-04 09:00"),
        "long ago": own_trips.completed("2026-09-01 09:00", "Ana", rate=80),
    }
    own_trips.database.all("insert into appointment_costs (appointment_id, custom_rate) values (%s, 75)", made["pending"])
    own_trips.set(made["archived"], deleted_at="2026-11-24T12:00:00Z")
    return made


async def read(api: Api, own: Trips, path: str, *, by: str = "booking_agent", **asked: Any) -> dict[str, Any]:
    answer = await api.get(path, by=own.people[by], **asked)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def named(rows: list[dict[str, Any]], booked: dict[str, UUID]) -> list[str]:
    names = {str(ident): name for name, ident in booked.items()}
    return [names[row["id"]] for row in rows]


async def test_the_appointments_page_gets_its_trips_clients_and_drivers_in_its_own_words(
    api: Api, own_trips: Trips, booked: dict[str, UUID]
) -> None:
    body = await read(api, own_trips, PAGE)
    data = body["data"]
    assert named(data["appointments"], booked) == ["pending", "with Ana", "John's"]
    assert body["counts"] == {"appointments": 3, "clients": 2, "drivers": 3}
    assert [client["firstname"] for client in data["clients"]] == ["Jane", "John"]
    trip = data["appointments"][1]
    assert (trip["appointmentDateTime"], trip["pickupTime"], trip["dropOffTime"]) == (
        "2026-12-02T13:00:00Z", "2026-12-02T12:30:00Z", "2026-12-02T15:30:00Z",
    )  # fmt: skip
    assert (trip["clientName"], trip["driverFirstName"], trip["driverAssigned"]) == (
        "Jane Roe",
        "Ana",
        str(own_trips.drivers["Ana"]),
    )


async def test_costs_are_there_for_those_who_may_see_them_and_their_keys_for_nobody_else(
    api: Api, own_trips: Trips, booked: dict[str, UUID]
) -> None:
    for path in (PAGE, "/webhook/get-all-appointments", "/webhook/get-active-present-future-appointments"):
        for by, sees in (("supervisor", True), ("booking_agent", False)):
            body = await read(api, own_trips, path, by=by)
            rows = body.get("appointments") or body["data"]["appointments"]
            (trip,) = [row for row in rows if row["id"] == str(booked["pending"])]
            assert [trip.get("customRate"), trip.get("custom_rate")] == (["75.00", "75.00"] if sees else [None, None])
            assert ("customRate" in trip, "custom_rate" in trip) == (sees, sees)


async def test_the_page_is_filtered_searched_and_paged_by_key(api: Api, own_trips: Trips, booked: dict[str, UUID]) -> None:
    for asked, wanted in (
        ({"q": "john"}, ["John's"]),
        ({"status": "assigned"}, ["with Ana", "John's"]),
        ({"driver": str(own_trips.drivers["Ana"])}, ["with Ana"]),
        ({"first": "2026-12-02", "last": "2026-12-02"}, ["with Ana"]),
        ({"archived": "true"}, ["archived"]),
        ({"first": "2026-08-01", "last": "2026-10-01"}, ["long ago"]),
    ):
        body = await read(api, own_trips, PAGE, **asked)
        assert named(body["data"]["appointments"], booked) == wanted, asked
    first = await read(api, own_trips, PAGE, limit=2, choices="false")
    rest = await read(api, own_trips, PAGE, limit=2, after=first["next"])
    assert named(first["data"]["appointments"] + rest["data"]["appointments"], booked) == ["pending", "with Ana", "John's"]
    assert (first["data"]["clients"], rest["next"]) == ([], None)
    refused(await api.get(PAGE, first="2026-02-31", by=own_trips.people["admin"]), 400)


async def test_the_whole_history_is_there_latest_first(api: Api, own_trips: Trips, booked: dict[str, UUID]) -> None:
    body = await read(api, own_trips, "/webhook/get-all-appointments")
    assert named(body["appointments"], booked) == ["John's", "with Ana", "pending", "long ago"]


async def test_a_form_is_offered_active_drivers_clinics_and_agents(api: Api, own_trips: Trips) -> None:
    own_trips.database.all("update drivers set active = false where id = %s", own_trips.drivers["Cem"])
    body = await read(api, own_trips, "/webhook/get-appointment-modal-data")
    assert [driver["first_name"] for driver in body["drivers"]] == ["Ana", "Ben"]
    assert [(clinic["name"], clinic["postalCode"]) for clinic in body["clinics"]] == [
        ("Colchester", "B2N 5A1"), ("QEII", "B2N 5A1"),
    ]  # fmt: skip
    assert {agent["role"] for agent in body["booking_agents"]} == {"admin", "supervisor", "booking_agent"}


async def test_drivers_and_clients_get_their_own_trips_with_what_is_theirs_to_know(
    api: Api, own_trips: Trips, booked: dict[str, UUID]
) -> None:
    path = "/webhook/get-active-present-future-appointments"
    own_trips.set(booked["with Ana"], notes="Between agents")
    driven = (await read(api, own_trips, path, by="driver"))["appointments"]
    assert named(driven, booked) == ["with Ana"]
    assert (driven[0]["clientName"], driven[0]["pickupTime"]) == ("Jane Roe", "2026-12-02T12:30:00Z")
    ridden = (await read(api, own_trips, path, by="client"))["appointments"]
    assert named(ridden, booked) == ["pending", "with Ana"]
    assert ridden[1]["driverFirstName"] == "Ana"
    for trip in driven + ridden:
        assert not {"notes", "scheduling_notes", "customRate", "custom_rate", "knumber", "cancellation_reason"} & trip.keys()


async def test_cancelled_trips_are_not_ahead_of_anybody(api: Api, own_trips: Trips, booked: dict[str, UUID]) -> None:
    own_trips.set(booked["with Ana"], operation_status="cancelled", cancellation_reason="Snow")
    path = "/webhook/get-active-present-future-appointments"
    assert named((await read(api, own_trips, path))["appointments"], booked) == ["pending", "John's"]
    assert (await read(api, own_trips, path, by="driver"))["appointments"] == []


async def test_a_days_board_has_its_trips_drivers_and_what_speaks_against_each_pair(
    api: Api, own_trips: Trips, booked: dict[str, UUID]
) -> None:
    own_trips.trip("2026-12-01 09:30", "Ben")
    body = await read(api, own_trips, "/webhook/get-operations-appointments", by="supervisor", day="2026-12-01")
    assert body["day"] == "2026-12-01"
    assert len(body["appointments"]) == 2
    assert [driver["first_name"] for driver in body["drivers"]] == ["Ana", "Ben", "Cem"]
    hard = [(row["appointment_id"], row["driver_id"], row["kind"]) for row in body["conflicts"] if row["hard"]]
    assert (str(booked["pending"]), str(own_trips.drivers["Ben"]), "trip") in hard
    assert body["drive_times"] == []  # still being calculated
