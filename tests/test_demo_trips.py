"""The demo's trips: what somebody who starts the demo for the first time finds on the pages."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import pytest

from backhaul.core.store import Store
from backhaul.core.testing import Clock, Database
from backhaul.dispatch.clients import importing
from backhaul.dispatch.demo import people, trips
from backhaul.dispatch.trips import appointment_lists
from backhaul.dispatch.wall_time import office_day, office_moment

_CONFLICTS = (
    "select c.* from appointments a"
    " cross join private.driver_conflicts(a.driver_assigned, tstzrange(a.pickuptime, a.drop_off_time), a.id) c"
    " where a.operation_status in ('assigned', 'completed')"
)


@pytest.fixture
async def demo_store(database: Database, store: Store) -> Store:
    """As after the first start, but for the trips."""
    await people.put_people(store, "a long enough secret 1")
    await people.put_places(store)
    async with importing.acting_as(store, "agent@demo.test") as agent:
        await importing.import_clients(store, importing.read(people.CLIENTS), agent)
    return store


@pytest.mark.parametrize(
    "day", [date(2026, 11, 24), date(2026, 11, 28), date(2026, 11, 1)], ids=["weekday", "Saturday", "clocks back"]
)
async def test_a_day_full_of_trips_without_a_clash_whenever_it_is_started(
    demo_store: Store, database: Database, clock: Clock, day: date
) -> None:
    clock.set(office_moment(datetime.combine(day, datetime.min.time().replace(hour=11))))
    begun = time.perf_counter()
    made = await trips.put_trips(demo_store, clock.now)
    assert time.perf_counter() - begun < 10  # a tenth of a second where nothing else runs
    assert made > trips.TODAY
    async with demo_store.service() as tx:
        counts = await appointment_lists.dashboard(tx, day)
        board = await appointment_lists.board(tx, day)
    assert counts["trips"] == trips.TODAY
    assert all(counts[state] > 0 for state in ("unassigned", "assigned", "completed", "cancelled", "ready_for_invoice"))
    assert len(board.trips) == trips.TODAY
    assert sum(driver["trips_today"] > 0 for driver in board.drivers) == 11
    assert database.all(_CONFLICTS) == []
    invoices = database.all("select invoice_number, invoice_status, invoice_total from invoices order by 1")
    assert [row["invoice_status"] for row in invoices] == ["paid", "sent", "sent", "void", "created", "created"]
    assert database.value("select count(*) from background_tasks where task_type = 'generate_invoice_pdf'") == len(invoices)
    assert all(row["invoice_total"] > 0 for row in invoices)


async def test_a_second_start_makes_no_more_and_a_start_weeks_later_shows_life_again(demo_store: Store, clock: Clock) -> None:
    made = await trips.put_trips(demo_store, clock.now)
    assert await trips.put_trips(demo_store, clock.now) == 0
    clock.advance(days=30)
    assert await trips.put_trips(demo_store, clock.now) == made
    async with demo_store.service() as tx:
        assert (await appointment_lists.dashboard(tx, office_day(clock.now)))["trips"] == trips.TODAY


async def test_the_demos_driver_and_client_are_somebody(demo_store: Store, database: Database) -> None:
    await trips.put_trips(demo_store, datetime.now(UTC))
    who = database.all(
        "select username, d.name as driver, c.knumber from users u"
        " left join drivers d on d.id = u.driver_id left join clients c on c.id = u.client_id"
        " where u.role in ('driver', 'client') order by username"
    )
    assert who == [
        {"username": "client@demo.test", "driver": None, "knumber": "K9000001"},
        {"username": "driver@demo.test", "driver": "Avery Roadly", "knumber": None},
    ]


async def test_an_office_without_anybody_to_drive_stays_empty(store: Store, clock: Clock) -> None:
    assert await trips.put_trips(store, clock.now) == 0
