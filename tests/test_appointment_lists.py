"""Trips as the pages read them: lists, a week, the day's board, drivers' weeks, the day in numbers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backhaul.core.errors import NotFound
from backhaul.core.testing import Database
from backhaul.dispatch.trips import appointment_lists
from backhaul.dispatch.trips.appointment_lists import Wanted
from backhaul.dispatch.wall_time import read_moment
from tests.trips import NINE, As, Trips

DAY = date(2026, 12, 1)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_are_walked_through_by_key_though_many_trips_are_at_the_same_moment(
    own_trips: Trips, as_: As, newest_first: bool
) -> None:
    made = [own_trips.trip(f"2026-12-0{1 + n // 3} 09:00") for n in range(7)]
    seen: list[UUID] = []
    after: UUID | None = None
    async with as_("booking_agent") as tx:
        while True:
            page = await appointment_lists.page(tx, Wanted(), after=after, limit=2, newest_first=newest_first)
            assert page.count == 7
            seen += [row["id"] for row in page.trips]
            if page.next is None:
                break
            after = UUID(page.next)
        with pytest.raises(NotFound):
            await appointment_lists.page(tx, Wanted(), after=uuid4())
    days = {trip: n // 3 for n, trip in enumerate(made)}
    assert sorted(seen) == sorted(made)
    assert [days[trip] for trip in seen] == sorted(days.values(), reverse=newest_first)


async def test_every_filter_finds_what_it_says(own_trips: Trips, as_: As, database: Database) -> None:
    john = own_trips.client("K7654321", "John_%")
    database.all("update clients set phone = '+19025559999' where id = %s", john)
    manager = own_trips.people["booking_agent"].id
    one = own_trips.trip(driver="Ana", managed_by=manager)
    two = own_trips.trip("2026-12-02 09:00", client_id=john, clinic_id=own_trips.clinics["Colchester"])
    done = own_trips.completed()
    archived, purged = own_trips.trip("2026-12-03 09:00"), own_trips.trip("2026-12-03 09:00")
    database.one("select private.archive_appointment(%s)", archived)
    database.one("select private.delete_appointment(%s)", purged)

    async def found(**wanted: Any) -> list[UUID]:
        async with as_("supervisor") as tx:
            page = await appointment_lists.page(tx, Wanted(**wanted))
        assert page.count == len(page.trips)
        return [row["id"] for row in page.trips]

    assert await found() == [done, one, two]
    assert await found(archived=True) == [archived]
    assert await found(starts=NINE) == [one, two]
    assert await found(starts=NINE, ends=NINE + timedelta(days=1)) == [one]
    assert await found(status=["pending"]) == [two]
    assert await found(status=["pending", "completed"]) == [done, two]
    assert await found(driver=own_trips.drivers["Ana"], status=["assigned"]) == [one]
    assert await found(clinic=own_trips.clinics["Colchester"]) == [two]
    assert await found(client=john) == [two]
    assert await found(managed_by=manager) == [one]
    assert await found(invoice_status="ready") == [done]
    for q, which in (
        ("jane", [done, one]), ("K7654321", [two]), ("n_%", [two]), ("_", [two]), ("colch", [two]), ("ana d", [done, one]),
        ("9999", [two]), ("(902) 555-9999", [two]), ("nobody", []), ("  ", [done, one, two]),
    ):  # fmt: skip
        assert await found(q=q) == which, q


async def test_a_trip_is_shown_in_both_spellings_and_costs_only_to_those_who_may_see_them(own_trips: Trips, as_: As) -> None:
    trip = own_trips.completed()
    own_trips.trip(client_id=None, appointment_type="support", event_name="Foot clinic")
    async with as_("supervisor") as tx:
        row, support = [appointment_lists.wire(row, costs=True) for row in (await appointment_lists.page(tx, Wanted())).trips]
    for camel, raw in appointment_lists.WIRE.items():
        assert row[camel] == row[raw]
    assert (row["id"], row["clientName"], row["driverFirstName"], row["knumber"]) == (trip, "Jane Roe", "Ana", "K1234567")
    assert row["customRate"] == row["custom_rate"] == 80
    assert (support["knumber"], support["clientName"]) == ("K0000", None)
    async with as_("booking_agent") as tx:
        shown = appointment_lists.wire((await appointment_lists.page(tx, Wanted())).trips[0], costs=False)
    assert not {"customRate", "custom_rate", "driver_calendar_id", "driver_email"} & set(shown)


async def test_a_week_has_every_trip_that_touches_it_by_the_offices_days(own_trips: Trips, as_: As, database: Database) -> None:
    inside = [
        own_trips.trip(read_moment(at)) for at in ("2026-11-30 00:10", "2026-12-03 09:00", "2026-12-06 23:40", "2026-12-07 00:10")
    ]  # fmt: skip
    own_trips.trip("2026-12-07 00:40")
    own_trips.trip("2026-11-29 21:30")  # over at midnight
    gone = own_trips.trip("2026-12-03 09:00")
    database.one("select private.archive_appointment(%s)", gone)
    async with as_("booking_agent") as tx:
        assert [row["id"] for row in await appointment_lists.week(tx, date(2026, 12, 2))] == inside
        assert await appointment_lists.week(tx, DAY, driver=own_trips.drivers["Ana"]) == []


async def test_the_board_says_what_speaks_for_and_against_each_pair(own_trips: Trips, as_: As, database: Database) -> None:
    taken, waiting = own_trips.trip(driver="Ana"), own_trips.trip()
    over = own_trips.trip("2026-12-01 13:00", "Ana")
    own_trips.set(over, operation_status="completed")
    database.all(
        "insert into driver_time_off (driver_id, start_date, end_date) values (%s, '2026-12-01', '2026-12-01')",
        own_trips.drivers["Ben"],
    )
    database.all(
        "insert into client_drive_times (client_id, driver_id, duration_minutes, source) values (%s, %s, 12, 'x')",
        own_trips.jane,
        own_trips.drivers["Cem"],
    )
    async with as_("supervisor") as tx:
        board = await appointment_lists.board(tx, DAY)
        empty = await appointment_lists.board(tx, date(2026, 12, 12))
    names = {own_trips.drivers[name]: name for name in own_trips.drivers}
    assert {row["id"] for row in board.trips} == {taken, waiting, over}
    against = {(row["appointment_id"], names[row["driver_id"]], row["kind"]) for row in board.conflicts}
    assert against == {(waiting, "Ana", "trip"), (waiting, "Ben", "time_off"), (taken, "Ben", "time_off")}
    assert [(row["driver_id"], row["duration_minutes"]) for row in board.times] == [(own_trips.drivers["Cem"], 12)]
    ana, ben, _ = board.drivers
    assert (ana["trips_today"], ana["minutes_today"], ana["trips_this_week"], ana["minutes_this_week"]) == (2, 360, 2, 360)
    assert (ana["starts"], ana["ends"]) == (read_moment("2026-12-01 08:00"), read_moment("2026-12-01 16:00"))
    assert ben["time_off"][0]["all_day"]
    assert (empty.trips, empty.conflicts, empty.drivers[0]["starts"]) == ([], [], None)


async def test_drivers_and_clients_find_no_board(own_trips: Trips, as_: As) -> None:
    own_trips.trip(driver="Ana")
    own_trips.trip()
    for role in ("driver", "client"):
        async with as_(role) as tx:
            board = await appointment_lists.board(tx, DAY)
            assert (board.trips, board.times, board.conflicts) == ([], [], [])
            assert await appointment_lists.page(tx, Wanted()) == appointment_lists.Page([], None, 0)
    async with as_("driver") as tx:
        assert [row["client_name"] for row in await appointment_lists.mine(tx, DAY, DAY)] == ["Jane Roe"]
        assert await appointment_lists.mine(tx, date(2026, 12, 2), date(2026, 12, 9)) == []


async def test_a_drivers_week_adds_up_what_they_keep_and_drive(own_trips: Trips, as_: As) -> None:
    own_trips.trip(driver="Ana")
    own_trips.trip("2026-12-01 13:00", "Ana", this_appointment_length=30)
    async with as_("booking_agent") as tx:
        week = await appointment_lists.week_load(tx, DAY, driver=own_trips.drivers["Ana"])
        everybody = await appointment_lists.week_load(tx, DAY)
    assert [(row["day"].day, row["minutes_kept"], row["trips"], row["minutes_driven"]) for row in week] == [
        (30, 480, 0, 0), (1, 480, 2, 270), (2, 480, 0, 0), (3, 480, 0, 0), (4, 480, 0, 0), (5, 0, 0, 0), (6, 0, 0, 0),
    ]  # fmt: skip
    assert len(everybody) == 21


async def test_the_day_in_numbers(own_trips: Trips, as_: As) -> None:
    own_trips.trip(driver="Ana")
    own_trips.trip(driver="Ben")
    own_trips.trip()
    cancelled = own_trips.trip(driver="Cem")
    own_trips.set(cancelled, operation_status="cancelled", cancellation_reason="Ill")
    own_trips.trip("2026-12-02 00:00")
    own_trips.trip("2026-12-09 00:00")
    own_trips.completed()
    async with as_("supervisor") as tx:
        day = await appointment_lists.dashboard(tx, DAY)
        empty = await appointment_lists.dashboard(tx, date(2027, 6, 1))
    assert {name: day[name] for name in ("trips", "unassigned", "assigned", "completed", "cancelled", "drivers")} == {
        "trips": 4, "unassigned": 1, "assigned": 2, "completed": 0, "cancelled": 1, "drivers": 2,
    }  # fmt: skip
    assert (day["unassigned_next_7_days"], day["trips_next_7_days"], day["ready_for_invoice"]) == (1, 1, 1)
    assert (empty["trips"], empty["unassigned_next_7_days"]) == (0, 0)


async def test_staff_find_out_who_may_manage_a_trip_and_nobody_else_does(own_trips: Trips, as_: As) -> None:
    async with as_("booking_agent") as tx:
        assert [row["role"] for row in await appointment_lists.colleagues(tx)] == ["admin", "booking_agent", "supervisor"]
    async with as_("driver") as tx:
        assert await appointment_lists.colleagues(tx) == []
