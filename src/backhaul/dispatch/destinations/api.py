"""What pages read of destinations: the list for those who keep it, and the clinics to choose from for everybody."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from backhaul.core.errors import Forbidden
from backhaul.core.http import Answer, Asking, person
from backhaul.core.store import Row
from backhaul.core.task_api import Shape
from backhaul.dispatch.destinations import destinations
from backhaul.dispatch.office import LEAD, STAFF
from backhaul.dispatch.paging import cut


def destination_endpoints(shape: Shape) -> APIRouter:
    api = APIRouter(tags=["office"], default_response_class=Answer)

    @api.get("/webhook/get-all-destinations")
    async def get_all_destinations(
        request: Request,
        claims: Asking,
        *,
        q: Annotated[str | None, Query(max_length=100, description="A part of a name, address, town or telephone number")] = None,
        active: Annotated[bool | None, Query(description="Only those that are, or are not, in use")] = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before")] = None,
        limit: Annotated[int | None, Query(ge=1, le=200, description="All of them when left out")] = None,
    ) -> Any:
        """Destinations by name, each with the trips still to come, how many clients are measured to it, and its newest task."""
        async with person(request, claims) as (tx, who):
            if who["role"] not in LEAD:
                raise Forbidden("Only supervisors keep the destinations", "", "Ask a supervisor", code="role")
            found = await destinations.all_of_them(tx, q=q, active=active)
            whole = await destinations.all_of_them(tx) if after and (q or active is not None) else found
        page, following = cut(found, whole, after, limit)
        shown = [row | {"task": shape(row["task"]) if row["task"] else None} for row in page]
        return {"success": True, "data": shown, "count": len(found), "next": following}

    @api.get("/webhook/clinic-locations")
    async def clinic_locations(request: Request, claims: Asking) -> Any:
        """The clinics in use, by name, to choose from. Notes are for the office's staff."""
        async with person(request, claims) as (tx, who):
            await tx.as_service()  # where a clinic is, is no secret to those who are driven there
            found = await destinations.all_of_them(tx, active=True)
        return {"success": True, "destinations": [_location(row, who) for row in found]}

    api.add_api_route(
        "/webhook/get-clinic-locations", clinic_locations, methods=["GET"], include_in_schema=False, name="get-clinic-locations"
    )
    return api


def _location(row: Row, who: Row) -> Row:
    shown = {name: row[name] for name in ("id", "name", "address", "city", "province", "phone")}
    both = {"postalCode": row["postal_code"], "postal_code": row["postal_code"]}  # pages know either spelling
    return shown | both | ({"notes": row["notes"]} if who["role"] in STAFF else {})
