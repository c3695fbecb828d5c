"""The demo's trips: about forty today, without a clash, some yesterday and some in the days to come, and invoices.

Everything is worked out from the day it is, so that a fresh demo shows life whenever it is started. A demo that has trips from
today on keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

from backhaul.core.queries import Queries
from backhaul.core.store import Row, Store, Tx, jsonb
from backhaul.dispatch.wall_time import office_day, office_moment

_sql = Queries("demo")
_trips = Queries("appointments")

TODAY = 40
# Appointment times that leave a driver twenty minutes each way and ten between two trips, from eight to half past three.
SLOTS = (time(8, 20), time(10, 10), time(12, 10), time(14, 10))
TRANSIT_MINUTES, STAY_MINUTES = 20, 60
_AHEAD = {1: 14, 2: 10, 3: 8, 4: 6, 7: 8, 8: 6}  # trips by days from today
_YESTERDAY, _LAST_WEEK = 16, 12
_INVOICES = ("paid", "sent", "sent", "void", None, None)  # what has become of the first ones; None: just made
_NOTES = (None, "Uses a walker", None, "Rings the bell twice", None, None, "Bring the wheelchair ramp")


@dataclass(frozen=True, slots=True)
class _Office:
    """Who and what there is to make trips of."""

    clients: Sequence[UUID]
    drivers: Sequence[UUID]
    clinics: Sequence[UUID]
    agents: Sequence[UUID]


async def put_trips(store: Store, now: datetime | None = None) -> int:
    """Returns how many were made; none when there are trips from today on, or nobody to be driven."""
    today = office_day(now or datetime.now(UTC))
    async with store.service() as tx:
        await tx.run(_sql.link_driver)
        await tx.run(_sql.link_client)
        if (await tx.one(_sql.any_trips, {"today": today}) or {})["there"]:
            return 0
        office = await _office(tx)
        if not (office.clients and office.drivers and office.clinics):
            return 0
        rows = _rows_of(office, today)
        await tx.run(_trips.insert, {"rows": jsonb(rows)})
        await _live_through(tx, office, today, rows)
    return len(rows)


async def _office(tx: Tx) -> _Office:
    async def ids(query: bytes) -> list[UUID]:
        return [row["id"] for row in await tx.all(query)]

    return _Office(await ids(_sql.clients), await ids(_sql.drivers), await ids(_sql.clinics), await ids(_sql.agents))


def _rows_of(office: _Office, today: date) -> list[Row]:
    days = {-7: _LAST_WEEK, -1: _YESTERDAY, 0: TODAY} | _AHEAD
    rows: list[Row] = []
    for ahead, wanted in days.items():
        # the last driver is away today and tomorrow; a day to come has every third trip without a driver, the past has none
        drivers = office.drivers[:-1] if ahead in (0, 1) and len(office.drivers) > 1 else office.drivers
        unassigned = 0 if ahead < 0 else wanted // 5 if ahead == 0 else wanted // 3
        rows += _day(office, drivers, today + timedelta(days=ahead), wanted, unassigned, first=len(rows))
    return [row | {"place": place} for place, row in enumerate(rows)]


def _day(office: _Office, drivers: Sequence[UUID], day: date, wanted: int, unassigned: int, *, first: int) -> list[Row]:
    """Each driver's slots are filled one after the other, so no two trips of one driver meet; clients come round in turn."""
    places: list[tuple[time, UUID | None]] = []
    places += [(slot, driver) for slot in SLOTS for driver in drivers][: wanted - unassigned]
    places += [(slot, None) for slot, _ in zip(cycle(SLOTS), range(unassigned), strict=False)]
    return [
        _row(office, day, slot, driver, turn=first + number) for number, (slot, driver) in enumerate(sorted(places, key=_by_time))
    ]


def _by_time(place: tuple[time, UUID | None]) -> tuple[time, bool]:
    return place[0], place[1] is None


def _row(office: _Office, day: date, slot: time, driver: UUID | None, *, turn: int) -> Row:
    kind: dict[str, Any] = {"appointment_type": "round_trip", "trip_direction": None, "event_name": None}
    if turn % 9 == 4:
        kind |= {"appointment_type": "one_way", "trip_direction": "to_home" if turn % 2 else "to_clinic"}
    support = turn % 40 == 33
    if support:
        kind |= {"appointment_type": "support", "event_name": "Foot clinic, helping at the door"}
    return kind | {
        "id": uuid4(),
        "client_id": None if support else office.clients[turn % len(office.clients)],
        "appointmenttime": office_moment(datetime.combine(day, slot)),
        "transittime": TRANSIT_MINUTES,
        "this_appointment_length": STAY_MINUTES,
        "clinic_id": office.clinics[turn % len(office.clinics)],
        "notes": _NOTES[turn % len(_NOTES)],
        "driver_instructions": "Please wait inside" if turn % 6 == 2 else None,
        "driver_assigned": driver,
        "managed_by": office.agents[turn % len(office.agents)] if office.agents else None,
    }


async def _live_through(tx: Tx, office: _Office, today: date, rows: Sequence[Row]) -> None:
    """What has become of them by now: driven, cancelled, archived, priced, invoiced; and who is away."""
    ids = [row["id"] for row in rows]
    assigned = [row for row in rows if row["driver_assigned"] is not None]
    for row in [row for row in assigned if office_day(row["appointmenttime"]) == today][7:29:11]:
        await tx.run(_sql.cancel, {"id": row["id"]})
    for row in [row for row in rows if row["driver_assigned"] is None][-2:]:
        await tx.one(_sql.archive, {"id": row["id"]})
    await tx.run(_sql.drive, {"ids": ids})
    await tx.run(_sql.price, {"ids": ids})
    past = [row["id"] for row in rows if office_day(row["appointmenttime"]) < today]
    by_client: dict[UUID, list[UUID]] = {}
    for row in await tx.all(_sql.ready, {"ids": past}):
        by_client.setdefault(row["client_id"], []).append(row["id"])
    for trips, fate in zip(by_client.values(), _INVOICES, strict=False):
        invoice = await tx.one(_sql.invoice, {"ids": trips}) or {}
        await tx.one(_sql.paper, invoice)
        if fate == "void":
            await tx.one(_sql.void, invoice)
        elif fate:
            await tx.one(_sql.marked, invoice | {"status": fate})
    await tx.run(_sql.forget_a_rate, {"ids": past})
    if len(office.drivers) > 1:
        for ahead in (0, 1):
            await tx.run(_sql.away, {"driver": office.drivers[-1], "day": today + timedelta(days=ahead)})
    for day in sorted({office_day(row["appointmenttime"]) for row in assigned}):
        await tx.run(_sql.weekend, {"day": day, "drivers": list(office.drivers)})
