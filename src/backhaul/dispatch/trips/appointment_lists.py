"""Trips as the pages show them: a list by pages, a week, one day's board, drivers' weeks, the day in numbers.

Rows are those of public.trips as dicts; row-level security decides which of them somebody gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from backhaul.core.errors import NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.trips.appointment_forms import SUPPORT_KNUMBER
from backhaul.dispatch.wall_time import monday_of

_trips = Queries("appointments")
_sql = Queries("appointment_lists")

WIRE = {
    "appointmentDateTime": "appointmenttime", "pickupTime": "pickuptime", "dropOffTime": "drop_off_time",
    "location": "locationname", "locationName": "locationname", "locationAddress": "locationaddress",
    "transitTime": "transittime", "appointmentLength": "this_appointment_length", "appointmentlength": "this_appointment_length",
    "driverAssigned": "driver_assigned", "driverFirstName": "driver_first_name", "driverName": "driver_name",
    "clientName": "client_name", "clientFirstName": "client_first_name", "clientLastName": "client_last_name",
    "clientPhone": "client_phone", "firstname": "client_first_name", "lastname": "client_last_name",
    "status": "operation_status", "appointmentstatus": "operation_status",
}  # fmt: skip
"""The pages' names for what a row calls otherwise."""
_COSTS = ("custom_rate",)
_UNREAD = ("driver_calendar_id", "driver_email", "created_by", "deleted_by", "cancelled_by", "purged_at")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which trips. starts, ends: instants, ends not included. status: any of these; none means every one. q: part of a name,
    K number, place or telephone number.
    """

    starts: datetime | None = None
    ends: datetime | None = None
    status: Sequence[str] = ()
    driver: UUID | None = None
    clinic: UUID | None = None
    client: UUID | None = None
    managed_by: UUID | None = None
    invoice_status: str | None = None
    archived: bool = False
    q: str | None = None

    def parameters(self) -> Row:
        term = (self.q or "").strip()
        escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        digits = "".join(filter(str.isdecimal, term))
        return {
            "starts": self.starts,
            "ends": self.ends,
            "status": list(self.status) or None,
            "driver": self.driver,
            "clinic": self.clinic,
            "client": self.client,
            "managed_by": self.managed_by,
            "invoice_status": self.invoice_status,
            "archived": self.archived,
            "q": f"%{escaped}%" if term else None,
            "digits": f"%{digits}%" if len(digits) >= 3 else None,
        }


@dataclass(frozen=True, slots=True)
class Reader:
    """costs: whether whoever asks may see them. now: by the database's clock."""

    costs: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page, the cursor of the next, and how many there are in all."""

    trips: Sequence[Row]
    next: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Board:
    """One day of the operations board. conflicts: those of each trip with each driver; a pair without one is free.

    times: minutes from each driver's home to each client of the day, or why there are none; a pair that is missing is still
    being calculated.
    """

    day: date
    trips: Sequence[Row]
    drivers: Sequence[Row]
    times: Sequence[Row]
    conflicts: Sequence[Row] = field(default_factory=list)


def wire(row: Mapping[str, Any], *, costs: bool) -> Row:
    """A trip as the pages read it, in both spellings. costs: whether its reader may see them; otherwise the keys are not there.

    A support trip that is nobody's bears the number the pages know it by.
    """
    shown = {name: value for name, value in row.items() if name not in _UNREAD and name not in _COSTS}
    shown |= {name: row[column] for name, column in WIRE.items()}
    shown["knumber"] = row["knumber"] or SUPPORT_KNUMBER
    if costs:
        shown["customRate"] = shown["custom_rate"] = row["custom_rate"]
    return shown


def own_wire(row: Mapping[str, Any]) -> Row:
    """A trip as its own driver or client reads it, in both spellings: a row of `mine`."""
    return {**row, **{name: row[column] for name, column in WIRE.items() if column in row}}


async def reader(db: Db) -> Reader:
    found = await db.one(_sql.reader, into=Reader)
    if found is None:
        raise LookupError("a select without a table has one row")
    return found


async def clients_to_choose(db: Db) -> list[Row]:
    """Active and inactive ones, by name."""
    return await db.all(_sql.clients_to_choose)


async def drivers_to_choose(db: Db) -> list[Row]:
    return await db.all(_sql.drivers_to_choose)


async def page(db: Db, wanted: Wanted, *, after: UUID | None = None, limit: int = 50, newest_first: bool = False) -> Page:
    """By appointment time. after: the `next` of the page before. Raises: NotFound for a cursor nobody made."""
    parameters = wanted.parameters()
    begin: Row = {"after_time": None, "after_id": None}
    if after is not None:
        place = await db.one(_trips.place, {"id": after})
        if place is None:
            raise NotFound("There is no such page", "The cursor was not made here", "Start from the first page", code="cursor")
        begin = place
    query = _trips.page_from_the_latest if newest_first else _trips.page
    rows = await db.all(query, {**parameters, **begin, "limit": limit + 1})
    count = await db.one(_trips.count, parameters) or {}
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page(rows[:limit], following, count.get("count", 0))


async def between(db: Db, first: date, last: date, *, driver: UUID | None = None) -> list[Row]:
    """Every trip that touches those days of the office, both included, by pickup; archived ones left out."""
    return await db.all(_trips.between, {"first": first, "last": last, "driver": driver})


async def week(db: Db, day: date, *, driver: UUID | None = None) -> list[Row]:
    """The week, Monday to Sunday, in which `day` lies."""
    monday = monday_of(day)
    return await between(db, monday, monday + timedelta(days=6), driver=driver)


async def mine(db: Db, first: date, last: date) -> list[Row]:
    """The trips of the driver or client who asks, with what is theirs to know; nothing for everybody else."""
    return await db.all(_trips.mine, {"first": first, "last": last})


async def board(db: Db, day: date) -> Board:
    """One day: its trips, whoever drives or could, and what speaks for and against each pair."""
    monday = monday_of(day)
    return Board(
        day,
        await between(db, day, day),
        await db.all(_sql.board_drivers, {"day": day, "monday": monday, "sunday": monday + timedelta(days=6)}),
        await db.all(_sql.board_times, {"day": day}),
        await db.all(_sql.board_conflicts, {"day": day}),
    )


async def week_load(db: Db, day: date, *, driver: UUID | None = None) -> list[Row]:
    """For each driver and day of that week: hours kept and driven, in minutes, trips, and whether there is time off."""
    return await db.all(_sql.week_load, {"monday": monday_of(day), "driver": driver})


async def dashboard(db: Db, day: date) -> Row:
    """The day in numbers."""
    return await db.one(_sql.dashboard, {"day": day}) or {}


async def colleagues(db: Db) -> list[Row]:
    """Who may manage a trip, by name: id, full_name, role. Nobody for drivers and clients."""
    return await db.all(_trips.colleagues)
