"""Appointments as workflows write them: forms, all faults at once, what a change touches."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from backhaul.core.errors import Conflict, Forbidden, NotFound, Problem, Rejected
from backhaul.core.testing import Database
from backhaul.dispatch.forms import rejected
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import (
    AppointmentChange,
    Assignment,
    Cancellation,
    NewAppointment,
    NewAppointments,
    OneAppointment,
)
from tests.trips import NINE, As, Trips, faults

BOOKING: dict[str, Any] = {
    "knumber": "k1234567", "appointmentDateTime": "2026-12-01T13:00:00Z", "location": "QEII", "locationAddress": "2 Clinic Rd",
    "status": "completed", "notes": "", "pickupTime": "2026-01-01T00:00:00Z",
}  # fmt: skip


def booking(**changed: Any) -> NewAppointment:
    return NewAppointment.model_validate(BOOKING | changed)


def change(appointment: UUID, **given: Any) -> AppointmentChange:
    return AppointmentChange.model_validate({"id": str(appointment)} | given)


# ── Forms ──


def test_an_empty_form_is_told_everything_it_lacks() -> None:
    assert faults(NewAppointment, {}) == {
        "knumber": "Client K number is required",
        "appointmentDateTime": "Appointment date/time is required",
        "location": "Location is required",
    }
    assert faults(NewAppointment, {"appointment_type": "support"}) == {
        "appointmentDateTime": "Appointment date/time is required",
        "event_name": "Event name is required",
    }
    assert faults(NewAppointment, {**BOOKING, "appointmentType": "one_way"}) == {"trip_direction": "Trip direction is required"}


def test_every_fault_of_every_row_is_told_with_its_row_and_field() -> None:
    rows = [
        BOOKING,
        BOOKING | {"knumber": "7", "transitTime": 0},
        BOOKING | {"appointmentDateTime": "2026-11-01T01:30", "customRate": "a lot"},
    ]
    told = faults(NewAppointments, {"appointments": rows})
    assert told == {
        "appointments.1.knumber": "Row 2: Client K number must be in format K1234567",
        "appointments.1.transitTime": "Row 2: Transit time must be a whole number from 1 to 600",
        "appointments.2.appointmentDateTime": told["appointments.2.appointmentDateTime"],
        "appointments.2.customRate": "Row 3: Rate must be an amount in dollars, like 85.50",
    }
    assert "comes twice" in told["appointments.2.appointmentDateTime"]


@pytest.mark.parametrize("sent", [{}, {"appointments": []}, {"appointments": None}, {"appointments": "x"}])
def test_no_appointments_are_told_in_the_portals_words(sent: object) -> None:
    with pytest.raises(ValidationError) as refused:
        NewAppointments.model_validate(sent)
    assert rejected(refused.value, NewAppointments).message == "Validation failed: No appointments provided"


def test_a_bare_object_is_one_and_rows_that_are_none_are_faults() -> None:
    assert len(NewAppointments.model_validate(BOOKING).appointments) == 1
    assert faults(NewAppointments, {"appointments": [BOOKING, 7]}) == {"appointments.1": "Row 2: 1 must be an object"}
    with pytest.raises(ValidationError, match="No more than 200"):
        NewAppointments.model_validate({"appointments": [BOOKING] * 201})


def test_both_spellings_are_taken() -> None:
    camel = booking(appointmentLength="90", transitTime=45, customRate="85.50", driver_instructions="Ring")
    snake = NewAppointment.model_validate(
        {
            "kNumber": "K1234567", "appointmenttime": "2026-12-01 09:00", "locationname": "QEII",
            "locationaddress": "2 Clinic Rd", "this_appointment_length": 90, "transittime": "45", "custom_rate": 85.5,
            "driverInstructions": "Ring",
        }
    )  # fmt: skip
    assert camel == snake


def test_a_change_knows_what_was_left_out_what_was_taken_away_and_what_may_not_be() -> None:
    trip = uuid4()
    assert change(trip).given == {"id": trip}
    given = change(trip, driver_assigned=None, notes="", managed_by="", customRate=None, transitTime=None).given
    assert given == {
        "id": trip, "driver_assigned": None, "notes": None, "managed_by": None, "custom_rate": None, "transittime": 30,
    }  # fmt: skip
    assert faults(AppointmentChange, {"appointmentDateTime": None, "status": "", "appointment_type": None}) == {
        "id": "Appointment ID is required",
        "appointmentDateTime": "Appointment date/time is required",
        "appointment_type": "Appointment type is required",
        "status": "Status is required",
    }
    assert "knumber" not in change(trip, knumber="K0000").given  # what a support trip is shown with


def test_the_ends_of_a_trip_need_what_the_portal_asks_for() -> None:
    assert faults(Cancellation, {}) == {
        "id": "Appointment ID is required",
        "cancellation_reason": "Cancellation reason is required",
    }
    assert faults(OneAppointment, {"id": "7"}) == {"id": "Appointment ID must be chosen from the list"}
    assert faults(Assignment, {"id": str(uuid4())}) == {"driver_assigned": "Driver is required"}
    assert Assignment.model_validate({"id": str(uuid4()), "driver_assigned": None}).driver_assigned is None


# ── Booking ──


async def test_an_agent_books_several_at_once_in_their_order(own_trips: Trips, as_: As) -> None:
    async with as_("booking_agent") as tx:
        saved = await appointments.insert(
            tx, [booking(appointmentDateTime=f"2026-12-0{n} 09:00", appointmentLength=n * 10 or None) for n in (3, 1, 2)]
        )
    assert [(trip.appointmenttime.day, trip.this_appointment_length) for trip in saved] == [(3, 30), (1, 10), (2, 20)]
    first = saved[0]
    assert (first.operation_status, first.knumber, first.version) == ("pending", "K1234567", 1)
    assert first.label == "Jane Roe (K1234567), 3 Dec 9:00"
    assert first.managed_by == own_trips.people["booking_agent"].id
    assert first.managed_by_name == "Booking Agent"
    assert first.pickup_from == "1 High St, Stewiacke, NS B0N 2J0"


async def test_what_is_not_said_is_as_usual_for_that_client_and_clinic(own_trips: Trips, as_: As, database: Database) -> None:
    qeii = str(own_trips.clinics["QEII"])
    async with as_("booking_agent") as tx:
        (usual,) = await appointments.insert(tx, [booking(clinic_id=qeii, location="")])
    assert (usual.this_appointment_length, usual.transittime, usual.locationname) == (60, 30, "QEII")
    database.all(
        "insert into client_clinic_times (client_id, destination_id, duration_minutes, source) values (%s, %s, 75, 'x')",
        own_trips.jane,
        qeii,
    )
    async with as_("booking_agent") as tx:
        (known,) = await appointments.insert(tx, [booking(clinic_id=qeii, location="Side door")])
        assert await appointments.get(tx, known.id) == known
    assert (known.transittime, known.locationname) == (75, "Side door")


async def test_what_nobody_knows_is_told_of_all_rows_and_nothing_is_saved(own_trips: Trips, as_: As, database: Database) -> None:
    own_trips.client("K7777777", "Old")
    database.all("update clients set status = 'archived' where knumber = 'K7777777'")
    rows = [
        booking(), booking(knumber="K9999999"), booking(knumber="K7777777", clinic_id=str(uuid4())),
        booking(driver_assigned=str(uuid4()), preferred_driver=str(uuid4()), managed_by=str(own_trips.people["driver"].id)),
    ]  # fmt: skip
    async with as_("supervisor") as tx:
        with pytest.raises(Rejected) as refused:
            await appointments.insert(tx, rows)
    assert refused.value.fields == {
        "appointments.1.knumber": "Row 2: No client has this K number",
        "appointments.2.knumber": "Row 3: This client is archived",
        "appointments.2.clinic_id": "Row 3: Clinic must be chosen from the list",
        "appointments.3.driver_assigned": "Row 4: Driver must be chosen from the list",
        "appointments.3.preferred_driver": "Row 4: Preferred driver must be chosen from the list",
        "appointments.3.managed_by": "Row 4: Managing agent must be chosen from the list",
    }
    assert database.value("select count(*) from appointments") == 0


async def test_every_row_whose_driver_is_busy_is_told(own_trips: Trips, as_: As, database: Database) -> None:
    own_trips.trip(driver="Ana")
    database.all(
        "insert into driver_time_off (driver_id, start_date, end_date) values (%s, '2026-12-01', '2026-12-01')",
        own_trips.drivers["Ben"],
    )
    rows = [booking(driver_assigned=str(own_trips.drivers[name])) for name in ("Ana", "Ben", "Cem")]
    async with as_("supervisor") as tx:
        with pytest.raises(Conflict) as refused:
            await appointments.insert(tx, rows)
    assert refused.value.fields == {
        "appointments.0.driver_assigned": "Row 1: the driver is not free (trip)",
        "appointments.1.driver_assigned": "Row 2: the driver is not free (time off)",
    }
    async with as_("supervisor") as tx:
        with pytest.raises(Conflict, match="not free"):
            await appointments.insert(tx, [rows[2], rows[2]])  # two that clash with each other
    async with as_("supervisor") as tx:
        (saved,) = await appointments.insert(tx, rows[2:])
    assert (saved.operation_status, saved.driver_name) == ("assigned", "Cem Driver")


async def test_a_rate_is_the_supervisors_to_set_and_to_see(own_trips: Trips, as_: As) -> None:
    async with as_("supervisor") as tx:
        (trip,) = await appointments.insert(tx, [booking(customRate="85.50")])
        assert trip.custom_rate == Decimal("85.50")
    async with as_("booking_agent") as tx:
        assert (await appointments.get(tx, trip.id)).custom_rate is None
        await appointments.insert(tx, [booking(customRate=None)])
    async with as_("booking_agent") as tx:
        with pytest.raises(Forbidden):
            await appointments.insert(tx, [booking(customRate=1)])


async def test_a_support_trip_may_be_nobodys(own_trips: Trips, as_: As) -> None:
    async with as_("booking_agent") as tx:
        (trip,) = await appointments.insert(tx, [booking(knumber="K0000", appointment_type="support", event_name="Foot clinic")])
    assert (trip.client_id, trip.label) == (None, "Foot clinic, 1 Dec 9:00")
    assert trip.pickuptime == trip.appointmenttime


# ── Changing ──


async def test_a_change_touches_what_it_names_and_tells_what_became_another(own_trips: Trips, as_: As) -> None:
    trip = own_trips.trip(driver="Ana", notes="keep", driver_instructions="lose")
    async with as_("booking_agent") as tx:
        changed = await appointments.update(
            tx, change(trip, appointmentDateTime="2026-12-01T15:00:00Z", driver_instructions=None, version=1)
        )
    assert changed.fields == ["appointmenttime", "pickuptime", "drop_off_time", "driver_instructions"]
    assert changed.touched("pickuptime", "notes")
    assert not changed.touched("driver_assigned", "operation_status", "notes")
    assert (changed.after.notes, changed.after.driver_assigned) == ("keep", own_trips.drivers["Ana"])
    assert (changed.before.version, changed.after.version) == (1, 2)


async def test_a_change_that_changes_nothing_says_so(own_trips: Trips, as_: As) -> None:
    trip = own_trips.trip(driver="Ana")
    everything = {
        "knumber": "K1234567", "appointmentDateTime": NINE.isoformat(), "transitTime": 30, "status": "assigned", "notes": "",
        "driver_assigned": str(own_trips.drivers["Ana"]), "clinic_id": str(own_trips.clinics["QEII"]), "location": "QEII",
        "customRate": None,
    }  # fmt: skip
    async with as_("booking_agent") as tx:
        changed = await appointments.update(tx, change(trip, **everything))
    assert (changed.fields, changed.after.version) == ([], 1)


async def test_an_agents_edit_keeps_driver_status_and_rate(own_trips: Trips, as_: As) -> None:
    """The faults of today (wire 16: 10, 11): an edit took the driver off and wiped the rate."""
    trip = own_trips.trip(driver="Ana")
    own_trips.database.all("insert into appointment_costs (appointment_id, custom_rate) values (%s, 80)", trip)
    async with as_("booking_agent") as tx:
        await appointments.update(tx, change(trip, notes="x", customRate=None))
    async with as_("supervisor") as tx:
        kept = await appointments.get(tx, trip)
        assert (kept.operation_status, kept.driver_name, kept.custom_rate) == ("assigned", "Ana Driver", 80)
        taken = await appointments.update(tx, change(trip, customRate=None))
        assert (taken.fields, taken.after.custom_rate) == (["custom_rate"], None)


async def test_somebody_elses_save_is_not_overwritten_unseen(own_trips: Trips, as_: As) -> None:
    trip = own_trips.trip()
    own_trips.set(trip, notes="first")
    async with as_("booking_agent") as tx:
        with pytest.raises(Conflict, match="has been changed since you opened this form") as refused:
            await appointments.update(tx, change(trip, notes="second", version=1))
        assert refused.value.code == "stale"
    async with as_("booking_agent") as tx:
        assert (await appointments.update(tx, change(trip, notes="second", version=2))).after.notes == "second"


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"knumber": None}, "knumber", "Client K number is required"),
        ({"knumber": "K9999999"}, "knumber", "No client has this K number"),
        ({"clinic_id": None, "location": ""}, "location", "Location is required"),
        ({"appointment_type": "one_way"}, "trip_direction", "Trip direction is required"),
        ({"appointment_type": "support", "knumber": None}, "event_name", "Event name is required"),
        ({"clinic_id": "00000000-0000-4000-8000-000000000001"}, "clinic_id", "Clinic must be chosen from the list"),
        ({"driver_assigned": "00000000-0000-4000-8000-000000000001"}, "driver_assigned", "Driver must be chosen from the list"),
    ],
)
async def test_a_change_leaves_a_trip_whole(own_trips: Trips, as_: As, given: dict[str, Any], field: str, said: str) -> None:
    trip = own_trips.trip()
    async with as_("supervisor") as tx:
        with pytest.raises(Rejected) as refused:
            await appointments.update(tx, change(trip, **given))
    assert refused.value.fields == {field: said}


async def test_a_trip_becomes_a_support_trip_and_another_clients(own_trips: Trips, as_: As) -> None:
    trip, john = own_trips.trip(), own_trips.client("K7654321", "John")
    async with as_("booking_agent") as tx:
        assert (await appointments.update(tx, change(trip, knumber="K7654321"))).after.client_id == john
        nobodys = await appointments.update(tx, change(trip, knumber=None, appointment_type="support", event_name="Foot clinic"))
    assert (nobodys.after.client_id, nobodys.after.event_name) == (None, "Foot clinic")


async def test_a_driver_is_given_changed_and_taken_off(own_trips: Trips, as_: As) -> None:
    trip = own_trips.trip()

    def given(driver: str | None) -> Assignment:
        return Assignment.model_validate({"id": str(trip), "driver_assigned": str(own_trips.drivers[driver]) if driver else None})

    async with as_("supervisor") as tx:
        for driver, status in (("Ana", "assigned"), ("Ben", "assigned"), (None, "pending")):
            changed = await appointments.assign(tx, given(driver))
            assert changed.after.operation_status == status
        assert changed.fields == [
            "operation_status",
            "driver_assigned",
            "driver_name",
            "driver_first_name",
            "driver_email",
            "driver_phone",
        ]
    async with as_("booking_agent") as tx:
        with pytest.raises(Forbidden, match="change the driver"):
            await appointments.assign(tx, given("Ana"))
    async with as_("supervisor") as tx:
        with pytest.raises(Rejected):
            await appointments.assign(tx, Assignment(id=trip, driver_assigned=uuid4()))


async def test_a_reactivated_trip_waits_for_a_driver_again(own_trips: Trips, as_: As) -> None:
    trip = own_trips.trip(driver="Ana")
    async with as_("supervisor") as tx:
        gone = await appointments.cancel(tx, trip, "Ill")
        assert (gone.operation_status, gone.cancelled_by) == ("cancelled", own_trips.people["supervisor"].id)
        back = await appointments.update(tx, change(trip, status="pending", driver_assigned=None, managed_by=None))
    assert (back.after.operation_status, back.after.cancellation_reason) == ("pending", None)


async def test_archive_restore_and_delete_return_what_people_see(own_trips: Trips, as_: As) -> None:
    trip = own_trips.trip()
    async with as_("admin") as tx:
        assert (await appointments.archive(tx, trip)).deleted_at is not None
        assert (await appointments.unarchive(tx, trip)).deleted_at is None
        assert (await appointments.delete(tx, trip)).purged_at is None
        with pytest.raises(NotFound):
            await appointments.get(tx, trip)
        assert (await appointments.for_task(tx, trip)).purged_at is not None


@pytest.mark.parametrize("role", ["driver", "client"])
async def test_drivers_and_clients_change_nothing(own_trips: Trips, as_: As, role: str) -> None:
    trip = own_trips.trip(driver="Ana")
    moves = (
        lambda tx: appointments.update(tx, change(trip, notes="x")), lambda tx: appointments.cancel(tx, trip, "x"),
        lambda tx: appointments.insert(tx, [booking()]), lambda tx: appointments.delete(tx, trip),
    )  # fmt: skip
    for move in moves:
        async with as_(role) as tx:
            with pytest.raises(Problem):
                await move(tx)
    assert own_trips.row(trip)["version"] == 1


async def test_what_clashes_is_told_before_anybody_tries(own_trips: Trips, as_: As) -> None:
    taken, free = own_trips.trip(driver="Ana"), own_trips.trip()
    async with as_("supervisor") as tx:
        clashes = await appointments.conflicts(tx, own_trips.drivers["Ana"], NINE, NINE + timedelta(hours=9))
        assert [(clash.kind, clash.hard, clash.label) for clash in clashes] == [
            ("trip", True, "K1234567"), ("hours", False, "outside 8:00–16:00"),
        ]  # fmt: skip
        assert clashes[0].id == taken
        assert await appointments.conflicts(tx, own_trips.drivers["Ana"], NINE, NINE + timedelta(hours=1), but=taken) == []
        assert [clash.kind for clash in await appointments.assignment_conflicts(tx, free, own_trips.drivers["Ana"])] == ["trip"]
