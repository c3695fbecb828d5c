"""Drivers, their time off, destinations and settings as workflows write them."""

from __future__ import annotations

import json
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import ValidationError

from backhaul.core.errors import Conflict, Forbidden, NotFound, Rejected
from backhaul.core.store import Store
from backhaul.core.testing import Clock, Database
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.admin.office_settings import SettingsChange
from backhaul.dispatch.destinations import destinations
from backhaul.dispatch.destinations.destinations import DestinationChange, NewDestination
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.drivers.forms import DriverChange, NewDriver, NewTimeOff, TimeOffChange
from backhaul.dispatch.trips import calendar_events
from backhaul.outside.maps import Found, Point
from tests.trips import NINE, As, Trips, faults, refusal

DEE: dict[str, Any] = {
    "first_name": "Dee", "last_name": "Novo", "email": "Dee@Example.Test", "phone": "902-555-0144", "gender": "Female",
    "workload_preference": "light", "home_address": "1 Main St", "home_city": "Truro", "home_province": "ns",
    "home_postal_code": "b2n5a1",
}  # fmt: skip
PLACE = {"name": "New Clinic", "address": "5 Main St", "city": "Truro", "province": "ns", "postalCode": "b2n5a1"}


# ── Drivers ──


async def test_a_driver_is_saved_as_it_is_meant(own_trips: Trips, as_: As) -> None:
    hours = {"monday": {"available": True, "start": "7:30", "end": "15:00"}, "sunday": {"available": False, "start": None}}
    async with as_("supervisor") as tx:
        dee = await drivers.insert(tx, NewDriver.model_validate(DEE | {"weekly_hours": hours}))
        usual = await drivers.insert(tx, NewDriver.model_validate({"driver_name": "Eve de Vries", "email": "eve@x.test"}))
    assert (dee.name, dee.email, dee.phone, dee.gender) == ("Dee Novo", "dee@example.test", "+19025550144", "female")
    assert (dee.workload_percentage, dee.workload_preference, dee.home_postal_code) == (50, "light", "B2N 5A1")
    assert dee.weekly_hours["monday"] == {"available": True, "start": "07:30", "end": "15:00"}
    assert [day for day, kept in dee.weekly_hours.items() if kept["available"]] == ["monday"]
    assert (usual.first_name, usual.last_name, usual.workload_preference) == ("Eve de", "Vries", "normal")
    assert {day for day, kept in usual.weekly_hours.items() if not kept["available"]} == {"saturday", "sunday"}
    assert dee.start is not None
    assert usual.start is None


def test_every_fault_of_a_driver_is_told_in_the_pages_words() -> None:
    sent = {
        "email": "x", "phone": "1", "gender": "?", "workload_preference": "75", "preferred_calendar_type": "paper",
        "home_province": "ON", "home_postal_code": "1",
        "weekly_hours": {"monday": {"available": True, "start": "16:00", "end": "08:00"}},
    }  # fmt: skip
    assert faults(NewDriver, sent) == {
        "first_name": "First name is required",
        "last_name": "Last name is required",
        "email": "E-mail must be a valid address, like jane@example.com",
        "phone": "Phone must be in format 902-555-0123",
        "gender": "Gender must be one of male, female, non-binary, other",
        "workload_preference": "Workload must be one of minimal, light, normal, heavy, maximum",
        "preferred_calendar_type": "Calendar must be one of google, outlook, apple, other",
        "weekly_hours": "Monday: the end must be after the start",
        "home_province": "Home province must be one of NS, NB, PE, NL",
        "home_postal_code": "Home postal code must be in format A1A 1A1",
    }


@pytest.mark.parametrize(
    ("week", "said"),
    [
        ("always", "Weekly hours must be hours for each day"), ({"monday": "8-4"}, "Weekly hours must be hours for each day"),
        ({"funday": {}}, "Weekly hours name a day that does not exist"),
        ({"friday": {"available": True, "start": "8"}}, "Friday: start must be a time of day, like 09:30"),
        ({"friday": {"available": True, "start": "08:00"}}, "Friday: start and end are required"),
    ],
)  # fmt: skip
def test_hours_that_are_none_are_told(week: object, said: str) -> None:
    assert faults(NewDriver, DEE | {"weekly_hours": week}) == {"weekly_hours": said}


@pytest.mark.parametrize("whole", ["{}", "[]", "null", "7"])
def test_the_database_keeps_whole_weeks_only(trips: Trips, whole: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all("update drivers set weekly_hours = %s", whole)


@pytest.mark.parametrize("part", ['{"funday": {"available": false}}', '{"monday": {"available": true}}', '{"monday": 8}',
                                  '{"monday": {"available": true, "start": "16:00", "end": "08:00"}}'])  # fmt: skip
def test_the_database_keeps_days_that_are_hours_only(trips: Trips, part: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all("update drivers set weekly_hours = private.usual_week() || %s::jsonb", part)


async def test_a_drivers_address_is_given_once(own_trips: Trips, as_: As, database: Database) -> None:
    database.all("update drivers set active = false where first_name = 'Ben'")
    async with as_("supervisor") as tx:
        with pytest.raises(Conflict) as refused:
            await drivers.insert(tx, NewDriver.model_validate(DEE | {"email": "BEN@x.test"}))
        assert refused.value.fields == {
            "email": "Another driver has this e-mail address. It belongs to Ben Driver (no longer active)."
        }
        ana = own_trips.drivers["Ana"]
        with pytest.raises(Conflict, match="e-mail"):
            await drivers.update(tx, DriverChange.model_validate({"id": str(ana), "email": "ben@x.test"}))
        kept = await drivers.update(tx, DriverChange.model_validate({"id": str(ana), "email": "ANA@X.test"}))
        assert kept.after.email == "ana@x.test"


async def test_a_change_of_a_driver_tells_what_is_to_follow(own_trips: Trips, as_: As) -> None:
    ana = own_trips.drivers["Ana"]

    def change(**given: Any) -> DriverChange:
        return DriverChange.model_validate({"id": str(ana)} | given)

    async with as_("supervisor") as tx:
        moved = await drivers.update(tx, change(home_address="2 Main St", home_city="Truro", phone=None, version=1))
        assert moved.fields == ["phone", "home_address", "home_city"]
        assert moved.touched(*drivers.HOME)
        same = await drivers.update(tx, change(home_address="2 Main St", active=True, workload_percentage=100))
        assert (same.fields, same.after.version) == ([], 2)
        lighter = await drivers.update(tx, change(workload_preference="minimal", weekly_hours=None))
        assert lighter.fields == ["workload_percentage", "workload_preference"]
        with pytest.raises(Conflict, match="changed this driver meanwhile"):
            await drivers.update(tx, change(notes="x", version=1))
    async with as_("booking_agent") as tx:
        with pytest.raises(Forbidden, match="may not change drivers"):
            await drivers.update(tx, change(notes="x"))
    async with as_("driver") as tx:
        with pytest.raises(Forbidden, match="may not change drivers"):
            await drivers.update(tx, change(notes="x"))


async def test_a_home_is_kept_with_its_precision_unless_the_address_has_changed_meanwhile(
    own_trips: Trips, store: Store, as_: As
) -> None:
    async with as_("supervisor") as tx:
        dee = await drivers.insert(tx, NewDriver.model_validate(DEE))
    found = Found(point=Point(latitude=45.36, longitude=-63.28), precision="approximate", formatted="", place_id=None)
    async with store.service() as tx:
        assert dee.start is not None
        await drivers.put_home(tx, dee.start, found)
        placed = await drivers.get(tx, dee.id)
        assert (placed.home_latitude, placed.home_precision, placed.version) == (45.36, "approximate", 1)
        await tx.run(b"update public.drivers set home_postal_code = 'B2N 5A2'")
        await drivers.put_home(tx, dee.start, found)
        assert (await drivers.get(tx, dee.id)).home_latitude is None


async def test_drivers_are_listed_with_how_they_stand_now(
    own_trips: Trips, store: Store, clock: Clock, database: Database
) -> None:
    own_trips.trip(driver="Ana")
    database.all(
        "insert into driver_time_off (driver_id, start_date, end_date) values (%s, '2026-12-01', '2026-12-03')",
        own_trips.drivers["Ben"],
    )

    async def standing(**wanted: Any) -> dict[str, str]:
        async with store.service() as tx:
            return {row["first_name"]: row["status"] for row in await drivers.all_of_them(tx, **wanted)}

    clock.set(NINE)
    assert await standing() == {"Ana": "busy", "Ben": "on-leave", "Cem": "available"}
    clock.advance(hours=8)
    assert await standing() == {"Ana": "offline", "Ben": "on-leave", "Cem": "offline"}
    assert await standing(q="cem") == {"Cem": "offline"}
    assert await standing(q="555-0101") == {"Ben": "on-leave"}
    assert await standing(active=False) == {}
    async with store.service() as tx:
        (ben,) = await drivers.all_of_them(tx, driver=own_trips.drivers["Ben"])
        assert ben["time_off"][0]["end_date"] == "2026-12-03"


# ── Time off ──


def off(**given: Any) -> dict[str, Any]:
    return {"start_date": "2026-12-01", "end_date": "2026-12-01", "reason": ""} | given


def test_faults_of_time_off_are_told() -> None:
    me = str(uuid4())
    assert faults(NewTimeOff, {}) == {
        "driver_id": "Driver is required", "start_date": "Start date is required", "end_date": "End date is required",
    }  # fmt: skip
    assert faults(NewTimeOff, off(driver_id=me, all_day=False, start_time="9:00")) == {"end_time": "End time is required"}
    for backwards in ({"end_date": "2026-11-30"}, {"start_time": "10:00", "end_time": "09:00"}):
        with pytest.raises(ValidationError, match="The end must be after the start"):
            NewTimeOff.model_validate(off(driver_id=me, **backwards))
    whole = NewTimeOff.model_validate(off(driver_id=me, all_day="yes", start_time="9:00", end_time=None))
    assert (whole.all_day, whole.start_time) == (True, None)
    timed = NewTimeOff.model_validate(off(driver_id=me, startTime="9:00", endTime="10:00"))
    assert (timed.all_day, timed.start_time, timed.end_time) == (False, time(9), time(10))


async def test_a_driver_looks_after_their_own_time_off_and_hears_of_trips_in_it(own_trips: Trips, as_: As, store: Store) -> None:
    ana, ben = own_trips.drivers["Ana"], own_trips.drivers["Ben"]
    trip = own_trips.trip(driver="Ana")
    async with as_("driver") as tx:
        entry = await drivers.add_time_off(
            tx, NewTimeOff.model_validate(off(driver_id=str(ana), start_time="11:00", end_time="12:00"))
        )
        assert (entry.starts.hour, entry.ends.hour) == (15, 16)
        changed = await drivers.change_time_off(tx, TimeOffChange.model_validate(off(id=str(entry.id), all_day=True)))
        assert (changed.after.all_day, changed.after.end_date) == (True, date(2026, 12, 1))
        with pytest.raises(NotFound):
            await drivers.add_time_off(tx, NewTimeOff.model_validate(off(driver_id=str(ben))))
    async with as_("supervisor") as tx:
        assert [row.id for row in await drivers.trips_during(tx, changed.after)] == [trip]
        assert [row.id for row in await drivers.trips_during(tx, changed.before)] == [trip]
        of_ben = await drivers.add_time_off(tx, NewTimeOff.model_validate(off(driver_id=str(ben))))
    async with as_("driver") as tx:
        with pytest.raises(NotFound):
            await drivers.remove_time_off(tx, of_ben.id)
        assert (await drivers.remove_time_off(tx, entry.id)).driver_id == ana
    async with as_("booking_agent") as tx:
        with pytest.raises(NotFound):
            await drivers.remove_time_off(tx, of_ben.id)
        with pytest.raises(Forbidden, match="may not change this entry"):
            await drivers.change_time_off(tx, TimeOffChange.model_validate(off(id=str(of_ben.id))))


# ── Destinations ──


async def test_a_destination_is_saved_renamed_and_moved(own_trips: Trips, as_: As, store: Store) -> None:
    contacts = json.dumps([{"name": "Jo", "phone": "902-555-0100"}])
    async with as_("supervisor") as tx:
        place = await destinations.insert(tx, NewDestination.model_validate(PLACE | {"contacts": contacts, "email": "A@B.test"}))
        assert (place.province, place.postal_code, place.email) == ("NS", "B2N 5A1", "a@b.test")
        assert place.contacts == [{"name": "Jo", "phone": "902-555-0100", "email": None, "type": "main"}]
        with pytest.raises(Conflict, match="has this name") as refused:
            await destinations.insert(tx, NewDestination.model_validate(PLACE | {"name": "qeii"}))
        assert set(refused.value.fields) == {"name"}
    async with store.service() as tx:
        found = Found(point=Point(latitude=45, longitude=-63), precision="exact", formatted="", place_id=None)
        await destinations.put_place(tx, place, found)

    def change(**given: Any) -> DestinationChange:
        return DestinationChange.model_validate({"id": str(place.id)} | given)

    async with as_("supervisor") as tx:
        renamed = await destinations.update(tx, change(name="NEW clinic", contacts=None, version=1))
        assert renamed.fields == ["name", "contacts"]
        assert renamed.after.precision == "exact"
        moved = await destinations.update(tx, change(address="6 Main St"))
        assert moved.touched(*destinations.ADDRESS)
        assert moved.after.point is None
        with pytest.raises(Conflict, match="has this name"):
            await destinations.update(tx, change(name="QEII"))
        with pytest.raises(Conflict, match="meanwhile"):
            await destinations.update(tx, change(notes="x", version=1))
        assert [row["name"] for row in await destinations.all_of_them(tx, q="new")] == ["NEW clinic"]
    async with store.service() as tx:
        await destinations.put_place(tx, place, found)  # of the address before
        assert (await destinations.get(tx, place.id)).point is None


def test_faults_of_a_destination_are_told() -> None:
    assert faults(NewDestination, {"contacts": [{"name": "", "type": "boss", "email": "x"}], "email": "x"}) == {
        "name": "Name is required",
        "address": "Address is required",
        "city": "City is required",
        "province": "Province is required",
        "postal_code": "Postal code is required",
        "email": "E-mail must be a valid address, like jane@example.com",
        "contacts": (
            "Contact name is required; E-mail must be a valid address, like jane@example.com;"
            " Contact type must be one of main, billing, scheduling, other"
        ),
    }
    for contacts in ("{", 7, {"name": "x"}, ["x"]):
        assert set(faults(NewDestination, PLACE | {"contacts": contacts})) == {"contacts"}
    assert faults(DestinationChange, {"name": None}) == {"id": "Destination is required", "name": "Name is required"}


@pytest.mark.parametrize("contacts", ["{}", "[1]", '[{"name": "x"}]', '[{"name": " ", "type": "main"}]', '[{"type": "main"}]'])
def test_the_database_keeps_named_contacts_only(trips: Trips, contacts: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all("update destinations set contacts = %s", contacts)


# ── Settings ──


async def test_the_office_changes_its_settings_and_reads_them_typed(own_trips: Trips, as_: As) -> None:
    change = SettingsChange.model_validate(
        {
            "business_name": "Rural Rides", "tax_rate": "15%", "default_rate": "85.5", "support_phone": "902-555-0100",
            "reminder_window_start": "9:00", "reminder_window_end": "08:59", "tax_number": "", "reminders_on": "no", "unknown": 1,
        }
    )  # fmt: skip
    async with as_("admin") as tx:
        _, changed = await office_settings.change(tx, change.model_copy(update={"reminder_window_end": "21:00"}))
        assert changed == {
            "business_name": ("Dispatch office", "Rural Rides"), "tax_rate": (0.14, 0.15), "default_rate": (None, 85.5),
            "support_phone": (None, "+19025550100"), "reminder_window_start": ("08:00", "09:00"),
            "reminder_window_end": ("20:00", "21:00"), "reminders_on": (True, False),
        }  # fmt: skip
        said = await office_settings.read(tx)
        _, again = await office_settings.change(tx, SettingsChange.model_validate({"business_name": "Rural Rides"}))
    assert (said.tax_rate, said.default_rate, said.reminder_window_end) == (Decimal("0.15"), Decimal("85.5"), time(21))
    assert (said.tax_number, said.reminders_on, said.invoice_due_days) == ("", False, 30)
    assert again == {}
    with pytest.raises(Rejected, match="later in the day than the earliest"):
        async with as_("admin") as tx:
            await office_settings.change(tx, change)


@pytest.mark.parametrize("role", ["supervisor", "booking_agent", "client"])
async def test_nobody_but_an_administrator_changes_a_setting(own_trips: Trips, as_: As, role: str, database: Database) -> None:
    async with as_(role) as tx:
        with pytest.raises(Forbidden):
            await office_settings.change(tx, SettingsChange.model_validate({"business_name": "x"}))
    async with as_(role) as tx:
        if role == "supervisor":
            assert (await office_settings.read(tx)).tax_rate == Decimal("0.14")
        else:
            with pytest.raises(Forbidden):
                await office_settings.read(tx)
    assert database.value("select value #>> '{}' from office_settings where key = 'business_name'") == "Dispatch office"


def test_faults_of_settings_are_told() -> None:
    sent = {
        "business_name": None, "support_phone": "1", "reminder_hours_before": 0, "reminder_window_start": "25:00", "tax_rate": 14,
        "default_rate": -1, "reminder_window_end": "", "invoice_due_days": "soon",
    }  # fmt: skip
    assert faults(SettingsChange, sent) == {
        "business_name": "Business name is required",
        "support_phone": "Support phone must be in format 902-555-0123",
        "reminder_hours_before": "Hours before the pickup must be a whole number from 1 to 72",
        "reminder_window_start": "Earliest reminder must be a time of day, like 09:30",
        "reminder_window_end": "Latest reminder is required",
        "tax_rate": "Tax rate must be a fraction from 0 to 1, like 0.14",
        "default_rate": "Default rate must be an amount in dollars, like 85.50",
        "invoice_due_days": "Days until due must be a whole number from 0 to 120",
    }


def test_every_setting_has_a_field_in_the_form_and_in_what_is_read(trips: Trips) -> None:
    keys = {row["key"] for row in trips.database.all("select key from office_settings")}
    assert keys == set(SettingsChange.model_fields) == set(office_settings.OfficeSettings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("business_name", '""'), ("business_name", "7"), ("tax_rate", '"0.14"'), ("tax_rate", "1.5"), ("tax_rate", "null"),
        ("default_rate", "0.001"), ("default_rate", "-1"), ("support_phone", '"911"'), ("reminders_on", '"yes"'),
        ("reminder_hours_before", "1.5"), ("reminder_hours_before", "73"), ("reminder_window_end", '"24:00"'),
        ("invoice_due_days", "[]"),
    ],
)  # fmt: skip
def test_the_database_holds_each_setting_to_its_kind(trips: Trips, key: str, value: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all("update office_settings set value = %s where key = %s", value, key)


@pytest.mark.parametrize("key", ["jwt_secret", "google_maps_api_key", "quo_key"])
def test_a_secret_finds_no_place_among_the_settings(trips: Trips, key: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        trips.database.all("insert into office_settings (key, value, description) values (%s, '\"x\"', 'x')", key)
    with pytest.raises(psycopg.Error) as refused:
        trips.database.all("update office_settings set key = %s where key = 'business_name'", key)
    assert refusal(refused).startswith("BT409: a setting keeps its name.")


# ── Calendars ──


async def test_a_trips_event_is_known_through_all_that_happens_to_it(own_trips: Trips, store: Store, clock: Clock) -> None:
    trip, ana, ben = own_trips.trip(driver="Ana"), own_trips.drivers["Ana"], own_trips.drivers["Ben"]

    async def of(driver: UUID) -> calendar_events.Kept:
        async with store.service() as tx:
            return await calendar_events.opened(tx, trip, f"cal-{driver}", driver)

    first = await of(ana)
    assert (first.generation, first.event_id, first.synced_hash) == (1, None, None)
    async with store.service() as tx:
        await calendar_events.intend(tx, first, "event1")
        await calendar_events.failed(tx, first, "Google does not answer")
    assert ((await of(ana)).event_id, (await of(ana)).error) == ("event1", "Google does not answer")
    async with store.service() as tx:
        await calendar_events.wrote(tx, first, "hash1")
        assert [kept.event_id for kept in await calendar_events.of_driver(tx, ana)] == ["event1"]
    written = await of(ana)
    assert (written.synced_hash, written.synced_at, written.error) == ("hash1", clock.now, None)
    async with store.service() as tx:  # to another driver: gone here, there anew
        await calendar_events.spent(tx, written)
        await calendar_events.spent(tx, written)  # repeated after a crash
        assert await calendar_events.of_driver(tx, ana) == []
    other = await of(ben)
    async with store.service() as tx:
        await calendar_events.intend(tx, other, "event2")
        await calendar_events.wrote(tx, other, "hash2")
        kept = await calendar_events.of_appointment(tx, trip)
    assert sorted((one.generation, one.event_id) for one in kept if one.driver_id == ben) == [(1, "event2")]
    assert [(one.generation, one.event_id, one.synced_hash) for one in kept if one.driver_id == ana] == [(2, None, None)]
    async with store.service() as tx:
        await calendar_events.wrote(tx, written, "late")  # by a worker that has lost its generation
    assert (await of(ana)).synced_hash is None


def test_a_trip_that_may_still_be_in_a_calendar_is_not_removed_from_the_database(trips: Trips) -> None:
    trip = trips.trip(driver="Ana")
    trips.database.all(
        "insert into appointment_events (appointment_id, calendar_id, driver_id) values (%s, 'c', %s)", trip, trips.drivers["Ana"]
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        trips.database.all("delete from appointments")
