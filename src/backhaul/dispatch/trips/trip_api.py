"""What the appointments page reads besides its lists: one trip whole, a week, and what a trip would be if it were saved.

For the office's staff alone. Drivers and clients have what is theirs to know of their own trips, no more, from
get-active-present-future-appointments.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from backhaul.core.errors import Forbidden, Rejected
from backhaul.core.http import Answer, Asking, person
from backhaul.core.queries import Queries
from backhaul.core.store import Row
from backhaul.core.task_api import Shape
from backhaul.dispatch.looks import note_look
from backhaul.dispatch.office import LEAD, STAFF
from backhaul.dispatch.trips import appointment_lists as lists
from backhaul.dispatch.trips import trips
from backhaul.dispatch.trips.appointment_forms import AT_ONCE
from backhaul.dispatch.trips.trips import Sketch
from backhaul.dispatch.wall_time import monday_of, office_day, read_moment

_tasks = Queries("tasks")
_Day = Annotated[date | None, Query(ge=date(2000, 1, 1), lt=date(2100, 1, 1), description="A day at the office, like 2026-12-01")]


def trip_endpoints(shape: Shape) -> APIRouter:
    api = APIRouter(tags=["appointments"], default_response_class=Answer)

    @api.get("/webhook/get-appointment")
    async def get_appointment(request: Request, claims: Asking, ident: Annotated[UUID, Query(alias="id")]) -> Any:
        """One trip whole: record, texts about it, calendars it is in, its tasks, and who changed what, as far as one may know.

        `last_change`: who made it what it is now and when, also to those who do not read the audit log; null where no person did.
        """
        async with person(request, claims) as (tx, who):
            _staff_only(who)
            whole = await trips.whole(tx, ident)
            tasks = await tx.all(_tasks.of_entity, {"entity_type": "appointment", "entity_id": ident})
            await note_look(tx, request, claims, "appointment", ident)
            last = await trips.last_change(tx, ident)
        return {"success": True, **whole, "tasks": [shape(task) for task in tasks], "last_change": last}

    @api.get("/webhook/get-week")
    async def get_week(request: Request, claims: Asking, *, day: _Day = None, driver: UUID | None = None) -> Any:
        """The week, Monday to Sunday, in which `day` lies (today, if none is named): every trip that touches it, by pickup."""
        async with person(request, claims) as (tx, who):
            _staff_only(who)
            reader = await lists.reader(tx)
            monday = monday_of(day or office_day(reader.now))
            rows = await lists.week(tx, monday, driver=driver)
        return {
            "success": True,
            "monday": monday,
            "sunday": monday + timedelta(days=6),
            "today": office_day(reader.now),
            "appointments": [lists.wire(row, costs=reader.costs) for row in rows],
        }

    @api.get("/webhook/preview-appointment")
    async def preview_appointment(
        request: Request,
        claims: Asking,
        at: Annotated[list[str], Query(max_length=AT_ONCE, description="Appointment times: each an instant, or a wall time")],
        *,
        kind: Annotated[str, Query(alias="appointment_type", pattern="^(round_trip|one_way|support)$")] = "round_trip",
        direction: Annotated[str | None, Query(alias="trip_direction", pattern="^(to_clinic|to_home)$")] = None,
        client: UUID | None = None,
        clinic: UUID | None = None,
        transit: Annotated[int | None, Query(ge=1, le=600)] = None,
        length: Annotated[int | None, Query(ge=5, le=720)] = None,
        but: Annotated[UUID | None, Query(description="The trip that is being changed")] = None,
    ) -> Any:
        """What a trip would be: pickup and drop-off, the known drive and its age, and who is not free (for who may assign)."""
        async with person(request, claims) as (tx, who):
            _staff_only(who)
            sketch = Sketch([_moment(one) for one in at], kind, direction, client, clinic, transit, length, but)
            said = await trips.preview(tx, sketch, drivers=who["role"] in LEAD)
        return {"success": True, **said}

    return api


def _staff_only(who: Row) -> None:
    if who["role"] not in STAFF:
        raise Forbidden("Only the office's staff may see this", "", "Ask the office", code="role")


def _moment(written: str) -> datetime:
    try:
        return read_moment(written, "Appointment date/time")
    except ValueError as error:
        raise Rejected(str(error), "", "Correct the time", code="validation") from None
