"""What pages read of drivers: the list, who is free when, and one driver's card and week."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from backhaul.core.errors import Forbidden, NotFound, Rejected
from backhaul.core.http import Answer, Asking, person
from backhaul.core.store import Row, Tx
from backhaul.core.task_api import Shape
from backhaul.dispatch.drivers import drivers, lists
from backhaul.dispatch.drivers.lists import Wanted
from backhaul.dispatch.office import LEAD, STAFF
from backhaul.dispatch.trips import appointment_lists as trips
from backhaul.dispatch.wall_time import monday_of, office_day

_OWN = (
    "id", "first_name", "last_name", "name", "email", "phone", "work_phone", "status", "active", "weekly_hours",
    "vehicle_description", "google_calendar_connected", "week",
)  # fmt: skip
"""What drivers see of their own record: the office's notes are about them, and not for them."""


def driver_endpoints(shape: Shape) -> APIRouter:
    api = APIRouter(tags=["drivers"], default_response_class=Answer)

    @api.get("/webhook/driver-management")
    async def driver_management(
        request: Request,
        claims: Asking,
        *,
        q: Annotated[str | None, Query(max_length=100, description="A part of a name, e-mail, town or telephone number")] = None,
        active: Annotated[bool | None, Query(description="Only those who do, or do not, drive")] = None,
        status: Annotated[str | None, Query(pattern="^(available|busy|on-leave|offline)$", description="As it is now")] = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before")] = None,
        limit: Annotated[int | None, Query(ge=1, le=200, description="All of them when left out")] = None,
    ) -> Any:
        """Drivers by name: how they stand now, this week's hours kept and driven, time off from today on, and newest tasks."""
        async with person(request, claims) as (tx, who):
            _only(who, STAFF)
            today = office_day((await trips.reader(tx)).now)
            page = await lists.page(tx, Wanted(q, active, status), today, after=after, limit=limit)
            performance = await lists.performance(tx)
        return {
            "success": True,
            "drivers": [_shaped(row, shape, who) for row in page.drivers],
            "stats": page.stats,
            "performance": performance,
            "count": page.count,
            "next": page.next,
        }

    for alias in ("get-all-drivers", "allDrivers"):
        api.add_api_route(f"/webhook/{alias}", driver_management, methods=["GET"], include_in_schema=False, name=alias)

    @api.get("/webhook/driver-availability")
    async def driver_availability(request: Request, claims: Asking) -> Any:
        """Those who drive: how they stand now, the hours they keep, and their time off from today on."""
        async with person(request, claims) as (tx, who):
            _only(who, LEAD)
            found = await drivers.all_of_them(tx, active=True)
        names = ("id", "name", "first_name", "phone", "gender", "status", "weekly_hours", "time_off")
        shown = [
            {name: row[name] for name in names} | {"driver_id": row["id"], "driver_name": row["name"]}  # pages know either
            for row in found
        ]
        return {"success": True, "drivers": shown}

    @api.get("/webhook/driver-basic-info")
    async def driver_basic_info(request: Request, claims: Asking) -> Any:
        """All drivers by name, to choose from."""
        async with person(request, claims) as (tx, who):
            _only(who, STAFF)
            found = await lists.basics(tx)
        return {"success": True, "drivers": found}

    @api.get("/webhook/get-driver-schedule")
    async def driver_schedule(
        request: Request,
        claims: Asking,
        driver_id: Annotated[UUID | None, Query(description="Drivers may leave it out: they see themselves")] = None,
        day: Annotated[str | None, Query(pattern=r"^20\d\d-[01]\d-[0-3]\d$", description="A day of the week to show")] = None,
    ) -> Any:
        """One driver: record, week from Monday to Sunday with its trips, and time off from today on.

        The office's staff also get the driver's tasks, who changed what, and the clients no way was found to.
        """
        async with person(request, claims) as (tx, who):
            _only(who, STAFF | {"driver"})
            wanted = _day(day) if day else office_day((await trips.reader(tx)).now)
            if who["role"] == "driver":
                return {"success": True, "data": await _own(tx, driver_id, wanted)}
            if driver_id is None:
                raise Rejected("Name one driver, by driver_id", faults=["driver_id is required"], code="validation")
            record = await lists.one(tx, driver_id, wanted)
            costs = (await trips.reader(tx)).costs
            driven = [trips.wire(row, costs=costs) for row in await trips.week(tx, wanted, driver=driver_id)]
            beside = await lists.around(tx, driver_id)
        beside["tasks"] = [shape(task) for task in beside["tasks"]]
        driver = _shaped(record, shape, who)
        return {"success": True, "data": {"driver": driver, "time_off": driver["time_off"], "trips": driven, **beside}}

    return api


async def _own(tx: Tx, driver_id: UUID | None, day: date) -> Row:
    own = await lists.own_id(tx)
    if own is None or driver_id not in (None, own):
        raise NotFound("There is no such driver", "It does not exist, or is not you", "Ask the office", code="driver.unknown")
    monday = monday_of(day)
    driven = [trips.own_wire(row) for row in await trips.mine(tx, monday, monday + timedelta(days=6))]
    await tx.as_service()  # the minutes of their own week; the trips themselves are read as they may see them
    record = await lists.one(tx, own, day)
    return {"driver": {name: record[name] for name in _OWN}, "time_off": record["time_off"], "trips": driven}


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Rejected("There is no such day", written, "Write it like 2026-12-01", code="validation") from None


def _shaped(row: Row, shape: Shape, who: Row) -> Row:
    """Why somebody is away may be about their health: booking agents are told when, and no more."""
    off: list[Row] = row["time_off"]
    if who["role"] not in LEAD:
        off = [{name: value for name, value in entry.items() if name != "reason"} for entry in off]
    return row | {"tasks": [shape(task) for task in row["tasks"]], "time_off": off}


def _only(who: Row, roles: Collection[str]) -> None:
    if who["role"] not in roles:
        raise Forbidden("You may not see this", f"It takes one of these roles: {', '.join(sorted(roles))}", "Ask the office")
