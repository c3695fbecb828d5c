"""Appointments in SQL: the rules that the pages, n8n and whoever is at psql rely on alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from backhaul.core.testing import Clock
from backhaul.dispatch.wall_time import office, read_moment
from tests.trips import NINE, Trips, refusal


def clock_of(moment: datetime) -> str:
    return f"{office(moment):%H:%M}"


# ── Times ──


@pytest.mark.parametrize(
    ("kind", "pickup", "drop_off"),
    [
        ({}, "08:30", "11:30"),
        ({"transittime": 45, "this_appointment_length": 60}, "08:15", "10:45"),
        ({"appointment_type": "one_way", "trip_direction": "to_clinic"}, "08:30", "09:00"),
        ({"appointment_type": "one_way", "trip_direction": "to_home"}, "09:00", "09:30"),
        ({"appointment_type": "support", "event_name": "Foot clinic"}, "09:00", "11:00"),
        ({"appointment_type": "support", "event_name": "Foot clinic", "client_id": None}, "09:00", "11:00"),
    ],
)
def test_pickup_and_drop_off_are_worked_out_whoever_writes(
    trips: Trips, kind: dict[str, Any], pickup: str, drop_off: str
) -> None:
    row = trips.row(trips.trip(pickuptime=NINE - timedelta(days=3), drop_off_time=NINE - timedelta(days=2), **kind))
    assert (clock_of(row["pickuptime"]), clock_of(row["drop_off_time"])) == (pickup, drop_off)


def test_times_follow_every_change_and_cannot_be_set_by_hand(trips: Trips) -> None:
    trip = trips.trip()
    assert clock_of(trips.set(trip, transittime=60)["pickuptime"]) == "08:00"
    moved = trips.set(trip, appointmenttime=NINE + timedelta(hours=2), pickuptime=NINE, drop_off_time=NINE)
    assert (clock_of(moved["pickuptime"]), clock_of(moved["drop_off_time"])) == ("10:00", "14:00")
    assert trips.set(trip, appointment_type="one_way", trip_direction="to_home")["pickuptime"] == moved["appointmenttime"]
    assert trips.set(trip, appointment_type="round_trip")["trip_direction"] is None


def test_a_trip_over_the_night_when_the_clocks_go_back_is_an_hour_longer_on_the_wall(own_trips: Trips) -> None:
    row = own_trips.row(own_trips.trip("2026-11-01 00:50", this_appointment_length=120, transittime=30))
    assert row["drop_off_time"] - row["pickuptime"] == timedelta(hours=3)
    assert (clock_of(row["pickuptime"]), clock_of(row["drop_off_time"])) == ("00:20", "02:20")


@pytest.mark.parametrize(
    "wrong",
    [
        {"appointment_type": "one_way"}, {"appointment_type": "support", "client_id": None}, {"client_id": None},
        {"appointment_type": "tour"}, {"transittime": 0}, {"transittime": 601}, {"this_appointment_length": 4},
        {"appointment_type": "one_way", "trip_direction": "sideways"}, {"operation_status": "no_show"},
        {"invoice_status": "written off"},
    ],
)  # fmt: skip
def test_what_is_no_trip_is_refused(trips: Trips, wrong: dict[str, Any]) -> None:
    with pytest.raises(psycopg.Error):
        trips.trip(**wrong)


def test_the_place_is_kept_as_it_was_booked_and_follows_another_clinic(trips: Trips) -> None:
    trip = trips.trip()
    assert trips.row(trip)["locationname"] == "QEII"
    trips.database.all("update destinations set name = 'Infirmary', city = 'Dartmouth' where name = 'QEII'")
    assert trips.set(trip, notes="x")["locationname"] == "QEII"
    moved = trips.set(trip, clinic_id=trips.clinics["Colchester"])
    assert (moved["locationname"], moved["locationaddress"]) == ("Colchester", "2 Clinic Rd, Truro, NS B2N 5A1")
    named = trips.set(trip, clinic_id=trips.clinics["QEII"], locationname="Infirmary, side door")
    assert named["locationname"] == "Infirmary, side door"


def test_another_clinic_brings_the_known_drive_unless_one_is_given(trips: Trips) -> None:
    trips.database.all(
        "insert into client_clinic_times (client_id, destination_id, duration_minutes, source) values (%s, %s, 55, 'test')",
        trips.jane,
        trips.clinics["Colchester"],
    )
    trip = trips.trip()
    assert trips.set(trip, clinic_id=trips.clinics["Colchester"])["transittime"] == 55
    assert trips.set(trip, clinic_id=trips.clinics["QEII"])["transittime"] == 55  # nothing is known of that one
    assert trips.set(trip, clinic_id=trips.clinics["Colchester"], transittime=40)["transittime"] == 40


def test_no_trip_is_booked_for_an_archived_client(trips: Trips) -> None:
    trip = trips.trip()
    trips.database.all("update clients set status = 'archived'")
    with pytest.raises(psycopg.Error) as refused:
        trips.trip()
    assert refusal(refused).startswith("BT409: this client is archived.")
    assert trips.set(trip, notes="what was booked before can be looked after")["notes"]


# ── Status ──


def test_the_status_follows_the_driver(trips: Trips) -> None:
    trip = trips.trip()
    assert trips.row(trip)["operation_status"] == "pending"
    assert trips.set(trip, driver_assigned=trips.drivers["Ana"])["operation_status"] == "assigned"
    assert trips.set(trip, driver_assigned=trips.drivers["Ben"])["operation_status"] == "assigned"
    assert trips.set(trip, driver_assigned=None)["operation_status"] == "pending"
    assert trips.row(trips.trip(driver="Cem"))["operation_status"] == "assigned"


_STATES = ("pending", "assigned", "completed", "cancelled")
_STEPS = {
    ("pending", "assigned"), ("assigned", "pending"), ("assigned", "completed"), ("completed", "assigned"),
    ("assigned", "cancelled"), ("cancelled", "pending"), ("cancelled", "assigned"),
}  # fmt: skip


def in_state(trips: Trips, state: str) -> UUID:
    trip = trips.trip(driver=None if state == "pending" else "Ana")
    if state == "cancelled":
        trips.set(trip, operation_status=state, cancellation_reason="Ill")
    elif state == "completed":
        trips.set(trip, operation_status=state)
    return trip


@pytest.mark.parametrize("before", _STATES)
@pytest.mark.parametrize("after", _STATES)
def test_only_the_steps_that_are_drawn_can_be_taken(trips: Trips, before: str, after: str) -> None:
    trip = in_state(trips, before)
    changes = {
        "operation_status": after,
        "driver_assigned": None if after == "pending" else trips.drivers["Ana"],
        "cancellation_reason": "Ill" if after == "cancelled" else None,
    }
    if before == after or (before, after) in _STEPS:
        assert trips.set(trip, **changes)["operation_status"] == after
    else:
        with pytest.raises(psycopg.Error) as refused:
            trips.set(trip, **changes)
        assert refusal(refused).startswith(f"BT409: a trip that is {before} cannot become {after}.")


def test_each_state_is_stamped_and_a_state_that_is_left_leaves_no_stamp(own_trips: Trips, clock: Clock) -> None:
    trip = in_state(own_trips, "completed")
    assert own_trips.row(trip)["completed_at"] == clock.now
    reopened = own_trips.set(trip, operation_status="assigned")
    assert reopened["completed_at"] is None
    clock.advance(hours=1)
    cancelled = own_trips.set(trip, operation_status="cancelled", cancellation_reason="Ill")
    assert (cancelled["cancelled_at"], cancelled["cancellation_reason"]) == (clock.now, "Ill")
    back = own_trips.set(trip, operation_status="pending", driver_assigned=None)
    assert (back["cancelled_at"], back["cancelled_by"], back["cancellation_reason"]) == (None, None, None)


@pytest.mark.parametrize(
    ("state", "changes", "said"),
    [
        ("pending", {"operation_status": "cancelled"}, "BT409: cannot cancel: no driver assigned. Use Archive instead."),
        ("assigned", {"operation_status": "cancelled"}, "BT400: cancellation reason required."),
        ("assigned", {"operation_status": "cancelled", "cancellation_reason": " "}, "BT400: cancellation reason required."),
        ("assigned", {"operation_status": "pending"}, "BT409: a pending trip has no driver."),
        ("pending", {"operation_status": "assigned"}, "BT409: a trip that is assigned has a driver."),
        ("cancelled", {"driver_assigned": None}, "BT409: a trip that is cancelled has a driver."),
        ("completed", {"driver_assigned": None}, "BT409: a trip that is completed has a driver."),
        ("assigned", {"deleted_at": NINE}, "BT409: cannot archive: appointment has assigned driver or not found."),
    ],
)
def test_what_does_not_fit_together_is_refused_in_the_portals_words(
    trips: Trips, state: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(psycopg.Error) as refused:
        trips.set(in_state(trips, state), **changes)
    assert refusal(refused).startswith(said)


def test_a_cancelled_trip_keeps_the_driver_who_was_told(trips: Trips) -> None:
    with pytest.raises(psycopg.Error) as refused:
        trips.set(in_state(trips, "cancelled"), driver_assigned=trips.drivers["Ben"])
    assert refusal(refused).startswith("BT409: a cancelled trip keeps its driver.")


# ── Cancel, archive, delete ──


def test_cancelling_twice_and_cancelling_nothing_are_told_apart(trips: Trips) -> None:
    trip = trips.trip(driver="Ana")
    trips.database.one("select private.cancel_appointment(%s, ' Ill ')", trip)
    assert trips.row(trip)["cancellation_reason"] == "Ill"
    for which, said in ((trip, "BT409: this appointment is already cancelled."), (trips.jane, "BT404: appointment not found.")):
        with pytest.raises(psycopg.Error) as refused:
            trips.database.one("select private.cancel_appointment(%s, 'Ill')", which)
        assert refusal(refused).startswith(said)


def test_an_archived_trip_stays_as_it_is_until_it_is_restored(trips: Trips) -> None:
    trip = trips.trip()
    trips.database.one("select private.archive_appointment(%s)", trip)
    for change in ({"notes": "x"}, {"driver_assigned": trips.drivers["Ana"]}):
        with pytest.raises(psycopg.Error) as refused:
            trips.set(trip, **change)
        assert refusal(refused).startswith("BT409: this appointment is archived.")
    trips.database.one("select private.unarchive_appointment(%s)", trip)
    restored = trips.row(trip)
    assert (restored["deleted_at"], restored["deleted_by"]) == (None, None)
    assert trips.set(trip, driver_assigned=trips.drivers["Ana"])["operation_status"] == "assigned"


def test_archiving_what_has_a_driver_or_is_not_there_is_one_refusal(trips: Trips) -> None:
    archived = trips.trip()
    trips.database.one("select private.archive_appointment(%s)", archived)
    for trip in (trips.trip(driver="Ana"), archived, trips.jane):
        with pytest.raises(psycopg.Error) as refused:
            trips.database.one("select private.archive_appointment(%s)", trip)
        assert refusal(refused).startswith("BT409: cannot archive: appointment has assigned driver or not found.")


@pytest.mark.parametrize("state", _STATES)
def test_a_trip_deleted_for_good_is_gone_from_every_list_but_its_row_is_there(trips: Trips, state: str) -> None:
    trip = in_state(trips, state)
    trips.database.one("select private.delete_appointment(%s)", trip)
    row = trips.row(trip)
    assert row["purged_at"] is not None
    assert row["operation_status"] == state
    for move in (
        "select private.unarchive_appointment(%s)",
        "select private.delete_appointment(%s)",
        "update appointments set notes = 'x' where id = %s",
    ):
        with pytest.raises(psycopg.Error) as refused:
            trips.database.all(move, trip)
        assert refusal(refused).startswith("BT404: appointment not found.")
    assert trips.set(trips.trip(driver="Ana"), notes="and its driver is free again")


# ── A driver is in one place at a time ──


@pytest.mark.parametrize(
    ("at", "free"),
    [("09:00", False), ("11:59", False), ("12:00", True), ("06:00", True), ("06:01", False), ("13:00", True)],
)
def test_two_trips_of_a_driver_may_touch_but_not_overlap(trips: Trips, at: str, free: bool) -> None:
    trips.trip(driver="Ana")  # from half past eight to half past eleven
    moment = read_moment(f"2026-12-01 {at}")
    if free:
        assert trips.trip(moment, "Ana")
        return
    with pytest.raises(psycopg.Error) as refused:
        trips.trip(moment, "Ana")
    assert "Trip 8:30–11:30 (K1234567)." in refusal(refused)
    assert refusal(refused).startswith("BT409: the driver is not free from")
    assert trips.trip(moment, "Ben")


def test_cancelled_archived_and_deleted_trips_keep_nobody(trips: Trips) -> None:
    cancelled, deleted = in_state(trips, "cancelled"), trips.trip(driver="Ben")
    trips.database.one("select private.delete_appointment(%s)", deleted)
    assert trips.trip(driver="Ana")
    assert trips.trip(driver="Ben")
    with pytest.raises(psycopg.Error, match="not free"):
        trips.set(cancelled, operation_status="assigned")


def test_a_trip_that_grows_into_the_next_one_is_refused_and_one_that_stays_is_not_judged_again(trips: Trips) -> None:
    first = trips.trip(driver="Ana")
    trips.trip("2026-12-01 12:00", "Ana")
    with pytest.raises(psycopg.Error, match="not free"):
        trips.set(first, this_appointment_length=121)
    trips.database.all(
        "insert into driver_time_off (driver_id, start_date, end_date) select id, '2026-12-01', '2026-12-01' from drivers"
    )
    assert trips.set(first, notes="x", this_appointment_length=120, operation_status="completed")


@pytest.mark.parametrize(
    ("entry", "free"),
    [
        ({"start_date": "2026-12-01"}, False),
        ({"start_date": "2026-11-30"}, True),
        ({"start_date": "2026-11-30", "end_date": "2026-12-02"}, False),
        ({"start_date": "2026-12-01", "all_day": False, "start_time": "11:30", "end_time": "15:00"}, True),
        ({"start_date": "2026-12-01", "all_day": False, "start_time": "11:29", "end_time": "15:00"}, False),
        ({"start_date": "2026-12-01", "entry_type": "override_available"}, True),
    ],
)
def test_time_off_is_refused_to_the_minute(trips: Trips, entry: dict[str, Any], free: bool) -> None:
    row = {
        "end_date": entry["start_date"],
        "all_day": True,
        "start_time": None,
        "end_time": None,
        "entry_type": "time_off",
    } | entry
    trips.database.all(
        "insert into driver_time_off (driver_id, start_date, end_date, all_day, start_time, end_time, entry_type)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        trips.drivers["Ana"], row["start_date"], row["end_date"], row["all_day"], row["start_time"], row["end_time"],
        row["entry_type"],
    )  # fmt: skip
    if free:
        assert trips.trip(driver="Ana")
    else:
        with pytest.raises(psycopg.Error, match="not free") as refused:
            trips.trip(driver="Ana")
        assert "Time off" in refusal(refused)


def test_time_off_entered_later_leaves_trips_as_they_are_and_shows_as_a_clash(trips: Trips) -> None:
    trip = trips.trip(driver="Ana")
    trips.database.all(
        "insert into driver_time_off (driver_id, start_date, end_date) values (%s, '2026-12-01', '2026-12-01')",
        trips.drivers["Ana"],
    )
    assert trips.row(trip)["operation_status"] == "assigned"
    found = trips.database.all("select kind, hard from private.assignment_conflicts(%s, %s)", trip, trips.drivers["Ana"])
    assert found == [{"kind": "time_off", "hard": True}]


@pytest.mark.parametrize(
    ("at", "label"),
    [("2026-12-01 09:00", None), ("2026-12-01 13:30", None), ("2026-12-01 13:31", "outside 8:00–16:00"),
     ("2026-12-05 09:00", "day off"), ("2026-12-01 08:00", "outside 8:00–16:00")],
)  # fmt: skip
def test_hours_outside_the_week_are_a_warning_and_an_exception_lifts_it(trips: Trips, at: str, label: str | None) -> None:
    trip = trips.trip(at, "Ana")
    warned = trips.database.all("select label, hard from private.assignment_conflicts(%s, %s)", trip, trips.drivers["Ana"])
    assert warned == ([{"label": label, "hard": False}] if label else [])
    trips.database.all(
        "insert into driver_time_off (driver_id, entry_type, start_date, end_date)"
        " values (%s, 'override_available', '2026-12-01', '2026-12-05')",
        trips.drivers["Ana"],
    )
    assert trips.database.all("select * from private.assignment_conflicts(%s, %s)", trip, trips.drivers["Ana"]) == []


def test_what_the_client_asks_for_is_a_warning(trips: Trips) -> None:
    trips.database.all(
        "update clients set driver_gender_requirement = 'female', preferred_driver = %s where id = %s",
        trips.drivers["Ana"],
        trips.jane,
    )
    trip = trips.trip()

    def warned(driver: str) -> list[str]:
        found = trips.database.all("select label from private.assignment_conflicts(%s, %s)", trip, trips.drivers[driver])
        return sorted(row["label"] for row in found)

    assert warned("Ana") == []
    assert warned("Ben") == ["the client asks for a female driver", "the client prefers Ana Driver"]


def test_nobody_drives_who_drives_no_longer(trips: Trips) -> None:
    trips.database.all("update drivers set active = false")
    with pytest.raises(psycopg.Error, match="not free") as refused:
        trips.trip(driver="Ana")
    assert "no longer drives" in refusal(refused)


def test_of_many_supervisors_who_assign_one_driver_at_the_same_moment_one_succeeds(own_trips: Trips) -> None:
    waiting = [own_trips.trip() for _ in range(6)]
    together = threading.Barrier(len(waiting))

    def assign(trip: UUID) -> str:
        together.wait()
        try:
            own_trips.keep(
                "supervisor", "update appointments set driver_assigned = %s where id = %s", own_trips.drivers["Ana"], trip
            )
        except psycopg.Error as error:
            return error.sqlstate or ""
        return "assigned"

    with ThreadPoolExecutor(len(waiting)) as pool:
        ended = list(pool.map(assign, waiting))
    assert sorted(ended) == ["BT409"] * 5 + ["assigned"]
    assert own_trips.database.value("select count(*) from appointments where driver_assigned is not null") == 1


def test_a_second_assignment_waits_for_the_first_and_sees_it(own_trips: Trips) -> None:
    """Held open on purpose: without the lock, the second would see no trip yet, and be saved."""
    one, two = own_trips.trip(), own_trips.trip()
    with psycopg.connect(own_trips.database.dsn) as first, ThreadPoolExecutor(1) as pool:
        first.execute("update appointments set driver_assigned = %s where id = %s", (own_trips.drivers["Ana"], one))
        second = pool.submit(own_trips.set, two, driver_assigned=own_trips.drivers["Ana"])
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        first.commit()
        with pytest.raises(psycopg.Error, match="not free"):
            second.result(timeout=10)


def test_rows_of_one_statement_are_judged_one_after_the_other(trips: Trips) -> None:
    with pytest.raises(psycopg.Error, match="not free"):
        trips.database.all(
            "insert into appointments (client_id, appointmenttime, driver_assigned) "
            " select %s, %s::timestamptz + n * interval '1 hour', %s from generate_series(0, 1) n",
            trips.jane, NINE, trips.drivers["Ana"],
        )  # fmt: skip
    assert trips.database.value("select count(*) from appointments") == 0


# ── Versions ──


def test_the_version_rises_with_every_change_and_with_nothing_else(own_trips: Trips, clock: Clock) -> None:
    trip = own_trips.trip()
    clock.advance(minutes=1)
    assert own_trips.set(trip, notes=None, version=99)["version"] == 1
    changed = own_trips.set(trip, notes="x")
    assert (changed["version"], changed["updated_at"]) == (2, clock.now)
