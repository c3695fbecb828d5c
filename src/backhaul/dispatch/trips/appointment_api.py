"""What the pages read of trips: lists, what a form offers, one day's board, and one's own trips.

What a trip costs is in an answer only for those who may see it; for all others the keys are not there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from backhaul.core.errors import Forbidden, Rejected
from backhaul.core.http import Answer, Asking, person
from backhaul.core.store import Row
from backhaul.dispatch.destinations import destinations
from backhaul.dispatch.office import LEAD, STAFF
from backhaul.dispatch.trips import appointment_lists as lists
from backhaul.dispatch.trips.appointment_lists import Wanted
from backhaul.dispatch.wall_time import office_day, office_moment

PAST_DAYS = 35  # how far back the appointments page begins
_LAST = date(2099, 12, 31)

_Day = Annotated[str | None, Query(pattern=r"^20\d\d-[01]\d-[0-3]\d$", description="A day at the office, like 2026-12-01")]


def _filters(
    *,
    q: Annotated[str | None, Query(max_length=100, description="A part of a name, K number, place or telephone number")] = None,
    status: Annotated[list[str] | None, Query(max_length=4, description="pending, assigned, completed, cancelled")] = None,
    driver: UUID | None = None,
    clinic: UUID | None = None,
    client: UUID | None = None,
    managed_by: UUID | None = None,
    invoice_status: Annotated[str | None, Query(pattern="^(not_ready|ready|created|sent|paid)$")] = None,
    archived: bool = False,
    first: _Day = None,
    last: Annotated[_Day, Query(description="The last day, included")] = None,
) -> Wanted:
    return Wanted(
        starts=_midnight(first, 0),
        ends=_midnight(last, 1),
        status=status or (),
        driver=driver,
        clinic=clinic,
        client=client,
        managed_by=managed_by,
        invoice_status=invoice_status,
        archived=archived,
        q=q,
    )


_Filters = Annotated[Wanted, Depends(_filters)]
_After = Annotated[UUID | None, Query(description="The `next` of the page before")]
_Limit = Annotated[int, Query(ge=1, le=500)]


def appointment_endpoints() -> APIRouter:
    api = APIRouter(tags=["appointments"], default_response_class=Answer)

    @api.get("/webhook/get-appointments-page-data")
    async def page_data(
        request: Request,
        claims: Asking,
        wanted: _Filters,
        *,
        after: _After = None,
        limit: _Limit = 200,
        choices: Annotated[bool, Query(description="Whether clients and drivers come along; not needed on later pages")] = True,
    ) -> Any:
        """Trips by time, from 35 days ago unless `first` says otherwise, with the clients and drivers to choose from."""
        async with person(request, claims) as (tx, who):
            _only(who, STAFF)
            reader = await lists.reader(tx)
            since = wanted.starts or _start_of(office_day(reader.now) - timedelta(days=PAST_DAYS))
            page = await lists.page(tx, replace(wanted, starts=since), after=after, limit=limit)
            clients = await lists.clients_to_choose(tx) if choices else []
            drivers = await lists.drivers_to_choose(tx) if choices else []
        trips = [lists.wire(row, costs=reader.costs) for row in page.trips]
        return {
            "success": True,
            "data": {"appointments": trips, "clients": clients, "drivers": drivers},
            "counts": {"appointments": page.count, "clients": len(clients), "drivers": len(drivers)},
            "next": page.next,
        }

    @api.get("/webhook/get-appointment-modal-data")
    async def modal_data(request: Request, claims: Asking) -> Any:
        """What a trip's form offers: active drivers and clinics, and who may manage it."""
        async with person(request, claims) as (tx, who):
            _only(who, STAFF)
            drivers = [row for row in await lists.drivers_to_choose(tx) if row["active"]]
            clinics = await destinations.all_of_them(tx, active=True)
            agents = await lists.colleagues(tx)
        shown = [clinic | {"postalCode": clinic["postal_code"]} for clinic in clinics]
        return {"success": True, "drivers": drivers, "clinics": shown, "booking_agents": agents}

    @api.get("/webhook/get-all-appointments")
    async def all_appointments(
        request: Request, claims: Asking, wanted: _Filters, *, after: _After = None, limit: _Limit = 500
    ) -> Any:
        """Every trip there ever was, the latest first."""
        async with person(request, claims) as (tx, who):
            _only(who, STAFF)
            reader = await lists.reader(tx)
            page = await lists.page(tx, wanted, after=after, limit=limit, newest_first=True)
        trips = [lists.wire(row, costs=reader.costs) for row in page.trips]
        return {"success": True, "appointments": trips, "count": page.count, "next": page.next}

    @api.get("/webhook/get-active-present-future-appointments")
    async def present_and_future(request: Request, claims: Asking, *, after: _After = None, limit: _Limit = 500) -> Any:
        """From the start of yesterday on, cancelled ones left out. Drivers and clients get their own trips, and all at once."""
        async with person(request, claims) as (tx, who):
            reader = await lists.reader(tx)
            yesterday = office_day(reader.now) - timedelta(days=1)
            if who["role"] not in STAFF:
                mine = [row for row in await lists.mine(tx, yesterday, _LAST) if row["operation_status"] != "cancelled"]
                return {"success": True, "appointments": [lists.own_wire(row) for row in mine], "next": None}
            wanted = Wanted(starts=_start_of(yesterday), status=("pending", "assigned", "completed"))
            page = await lists.page(tx, wanted, after=after, limit=limit)
        trips = [lists.wire(row, costs=reader.costs) for row in page.trips]
        return {"success": True, "appointments": trips, "next": page.next}

    @api.get("/webhook/get-operations-appointments")
    async def operations(request: Request, claims: Asking, day: _Day = None) -> Any:
        """One day's board, today's if none is named: trips, drivers, drive times of each pair, and what speaks against it.

        starts, ends: its two midnights, 23, 24 or 25 hours apart.
        """
        async with person(request, claims) as (tx, who):
            _only(who, LEAD)
            reader = await lists.reader(tx)
            board = await lists.board(tx, _day(day) or office_day(reader.now))
        return {
            "success": True,
            "day": board.day,
            "starts": _start_of(board.day),
            "ends": _start_of(board.day + timedelta(days=1)),
            "appointments": [lists.wire(row, costs=reader.costs) for row in board.trips],
            "drivers": board.drivers,
            "drive_times": board.times,
            "conflicts": board.conflicts,
        }

    return api


def _only(who: Row, roles: Collection[str]) -> None:
    if who["role"] not in roles:
        raise Forbidden("You may not see this", f"It takes one of these roles: {', '.join(sorted(roles))}", "Ask the office")


def _day(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Rejected("There is no such day", written, "Write it like 2026-12-01", code="validation") from None


def _midnight(written: str | None, days_later: int) -> datetime | None:
    day = _day(written)
    return _start_of(day + timedelta(days=days_later)) if day else None


def _start_of(day: date) -> datetime:
    return office_moment(datetime.combine(day, time()))
