"""What was measured from and to an address: what booking pages and the operations board believe."""

from __future__ import annotations

from decimal import Decimal
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest

from backhaul.core.store import Store
from backhaul.core.testing import Clock
from backhaul.dispatch.travel import clinic_times
from backhaul.outside.maps import Leg
from tests.trips import Trips

_DRIVES: LiteralString = (
    "insert into client_drive_times (client_id, driver_id, duration_minutes, source)"
    " select c.id, d.id, 17, 'test' from clients c, drivers d"
)
_NO_SECOND: LiteralString = (
    "update clients set secondary_civic_address = null, secondary_city = null, secondary_province = null,"
    " secondary_postal_code = null"
)


@pytest.fixture
def measured(trips: Trips) -> Trips:
    """A client with two addresses, placed, and with times to everybody and everything."""
    trips.database.all(
        "update clients set secondary_civic_address = '2 Low St', secondary_city = 'Truro', secondary_province = 'NS',"
        " secondary_postal_code = 'B2N 1A1', home_latitude = 45, home_longitude = -63, home_precision = 'exact',"
        " secondary_latitude = 45.3, secondary_longitude = -63.3, secondary_precision = 'approximate'"
    )
    trips.database.all(
        "update drivers set home_latitude = 45, home_longitude = -63, home_precision = 'exact', home_address = '1 Main St'"
    )
    trips.database.all("update destinations set latitude = 45, longitude = -63, precision = 'exact'")
    trips.database.all(
        "insert into client_clinic_times (client_id, destination_id, place, duration_minutes, distance_km, source)"
        " select c.id, d.id, p, 20, 5.12, 'test' from clients c, destinations d, unnest(array['primary', 'secondary']) p"
    )
    trips.database.all(_DRIVES)
    return trips


_COUNT: LiteralString = (
    "select (select count(*) from client_drive_times) as drivers,"
    " (select count(*) from client_clinic_times where place = 'primary') as clinics,"
    " (select count(*) from client_clinic_times where place = 'secondary') as from_second,"
    " (select count(home_latitude) from clients) as home, (select count(secondary_latitude) from clients) as second,"
    " (select count(home_precision) from drivers) as drivers_placed, (select count(latitude) from destinations) as clinics_placed"
)
_ALL = {"drivers": 3, "clinics": 2, "from_second": 2, "home": 1, "second": 1, "drivers_placed": 3, "clinics_placed": 2}


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("update clients set city = 'Truro'", {"drivers": 0, "clinics": 0, "home": 0}),
        ("update clients set secondary_city = 'Halifax'", {"from_second": 0, "second": 0}),
        (
            _NO_SECOND,
            {"from_second": 0, "second": 0},
        ),
        ("update drivers set home_address = '2 Main St' where first_name = 'Ana'", {"drivers": 2, "drivers_placed": 2}),
        (
            "update destinations set address = '3 Main St' where name = 'QEII'",
            {"clinics": 1, "from_second": 1, "clinics_placed": 1},
        ),
        ("update destinations set name = 'Renamed ' || name, phone = '1', active = false", {}),
        ("update clients set lastname = 'Other', phone = '+19025550199', status = 'archived'", {}),
        ("update drivers set last_name = 'Other', active = false, weekly_hours = private.usual_week()", {}),
    ],
)
def test_times_and_places_never_outlive_their_address_and_survive_everything_else(
    measured: Trips, change: LiteralString, lost: dict[str, int]
) -> None:
    measured.database.all(change)
    assert measured.database.one(_COUNT) == _ALL | lost


def test_an_address_that_comes_with_its_place_keeps_it(measured: Trips) -> None:
    measured.database.all("update clients set city = 'Truro', home_latitude = 45.36, home_longitude = -63.27")
    assert measured.database.value("select home_latitude from clients") == 45.36


def test_an_agent_who_corrects_an_address_forgets_its_times_without_the_right_to_delete_any(own_trips: Trips) -> None:
    own_trips.database.all(_DRIVES)
    own_trips.keep("booking_agent", "update clients set city = 'Truro'")
    assert own_trips.database.value("select count(*) from client_drive_times") == 0


def test_the_pages_object_is_by_the_clinics_name_of_today(measured: Trips) -> None:
    measured.database.all("update destinations set name = 'Infirmary' where name = 'QEII'")
    measured.database.all(
        "update client_clinic_times set duration_minutes = null, distance_km = null, error = 'No road' where place = 'secondary'"
    )
    times = measured.database.value("select clinic_travel_times from clinic_travel_times")
    assert set(times) == {"Infirmary", "Colchester"}
    assert times["Infirmary"]["destination_id"] == str(measured.clinics["QEII"])
    primary, secondary = times["Infirmary"]["primary"], times["Infirmary"]["secondary"]
    assert (primary["duration_minutes"], primary["distance_km"]) == (20, 5.12)
    assert primary["calculated_at"].startswith("2026-11-23T14:00")
    assert "error" not in primary
    assert (secondary["duration_minutes"], secondary["error"]) == (None, "No road")


@pytest.mark.parametrize(("raw", "kept"), [(0, 5), (1, 10), (5, 10), (6, 15), (10, 15), (15, 20), (16, 25), (60, 65)])
def test_minutes_are_kept_as_the_booking_pages_round_them(trips: Trips, raw: int, kept: int) -> None:
    assert trips.database.value("select private.buffered_minutes(%s)", raw) == kept


@pytest.mark.parametrize("minutes", [0, 17])
def test_minutes_that_were_not_rounded_are_refused(trips: Trips, minutes: int) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all(
            "insert into client_clinic_times (client_id, destination_id, duration_minutes, source)"
            " select c.id, d.id, %s, 'x' from clients c, destinations d",
            minutes,
        )


async def test_what_was_measured_is_put_beside_what_is_there_and_again_without_harm(
    own_trips: Trips, store: Store, clock: Clock
) -> None:
    jane, qeii, colchester = own_trips.jane, own_trips.clinics["QEII"], own_trips.clinics["Colchester"]
    async with store.service() as tx:
        assert [clinic.name for clinic in await clinic_times.clinics(tx)] == ["Colchester", "QEII"]
        assert [clinic.name for clinic in await clinic_times.clinics(tx, [qeii])] == ["QEII"]
        assert await clinic_times.wire(tx, jane) == {}
        await clinic_times.put(tx, {(jane, qeii): Leg(minutes=16, metres=5125)}, home="primary", source="test")
        await clinic_times.put(
            tx, {(jane, colchester): Leg(error="No road"), (jane, uuid4()): Leg(minutes=1), (uuid4(), qeii): Leg(minutes=1)},
            home="primary", source="test",
        )  # fmt: skip
        await clinic_times.put(tx, {(jane, qeii): Leg(minutes=1, metres=1)}, home="secondary", source="test")  # she has none
        clock.advance(days=1)
        await clinic_times.put(tx, {(jane, colchester): Leg(minutes=30, metres=40_000)}, home="primary", source="test")
        rows = await clinic_times.of_client(tx, jane)
    assert [(row["destination_name"], row["duration_minutes"], row["distance_km"], row["error"]) for row in rows] == [
        ("QEII", 25, 5.13, None), ("Colchester", 35, 40.0, None),
    ]  # fmt: skip
    assert (rows[1]["calculated_at"] - rows[0]["calculated_at"]).days == 1


# ── Versions ──


_VERSIONS: LiteralString = (
    "select (select max(version) from clients) as clients, (select max(version) from drivers) as drivers,"
    " (select max(version) from destinations) as destinations"
)


def test_a_version_rises_by_what_a_form_shows_and_not_by_what_is_filled_in_behind_it(trips: Trips) -> None:
    unseen: tuple[LiteralString, ...] = (
        "update clients set home_latitude = 45, home_longitude = -63, home_precision = 'exact', openphone_contact_id = 'c'",
        "update drivers set home_latitude = 45, home_longitude = -63, home_precision = 'exact', google_calendar_id = first_name",
        "update destinations set latitude = 45, longitude = -63, precision = 'exact'",
        "update clients set notes = notes, version = 9",
    )
    for change in unseen:
        trips.database.all(change)
    assert trips.database.one(_VERSIONS) == {"clients": 1, "drivers": 1, "destinations": 1}
    seen: tuple[LiteralString, ...] = (
        "update clients set notes = 'x'",
        "update drivers set weekly_hours = weekly_hours || '{\"sunday\": {\"available\": false}}'",
        "update destinations set contacts = '[{\"name\": \"Jo\", \"type\": \"main\"}]'",
    )  # fmt: skip
    for change in seen:
        trips.database.all(change)
    assert trips.database.one(_VERSIONS) == {"clients": 2, "drivers": 2, "destinations": 2}


_STATUS: LiteralString = (
    "update clients set active = coalesce(%s, active), status = coalesce(%s, status) returning active, status"
)


@pytest.mark.parametrize(
    ("active", "status", "after"),
    [(False, None, (False, "inactive")), (None, "inactive", (False, "inactive")), (None, "archived", (False, "archived")),
     (True, "archived", (False, "archived")), (None, None, (True, "active"))],
)  # fmt: skip
def test_active_and_status_of_a_client_say_the_same(
    trips: Trips, active: bool | None, status: str | None, after: tuple[bool, str]
) -> None:
    assert tuple(trips.database.one(_STATUS, active, status).values()) == after
    assert tuple(trips.database.one(_STATUS, True, None).values()) == (True, "active")


def test_numbers_of_drives_are_of_the_unit_they_say(measured: Trips) -> None:
    assert measured.database.value("select distance_km from client_clinic_times limit 1") == Decimal("5.12")
