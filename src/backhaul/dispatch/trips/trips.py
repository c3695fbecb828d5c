"""One trip with all that is known of it, and what a trip would be before it is saved.

What is worked out here is worked out by the database's own functions, so a form shows the times that will be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from backhaul.core.errors import NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.trips import appointment_lists as lists

_sql = Queries("trips")
_trips = Queries("appointments")

USUAL_TRANSIT, USUAL_LENGTH = 30, 120


@dataclass(frozen=True, slots=True)
class Sketch:
    """A trip that is not saved yet. at: the appointment times it is wanted for. transit, length: minutes; None means as is known
    of client and clinic. but: the trip that is being changed: it does not stand in its own way, and keeps its drive.
    """

    at: Sequence[datetime]
    kind: str = "round_trip"
    direction: str | None = None
    client: UUID | None = None
    clinic: UUID | None = None
    transit: int | None = None
    length: int | None = None
    but: UUID | None = None


async def whole(db: Db, appointment_id: UUID) -> Row:
    """A trip as its card shows it: the record, who had to do with it, texts, calendars, and who changed it, as far as the reader
    may see. Raises: NotFound.
    """
    trip = await db.one(_trips.by_id, {"id": appointment_id})
    if trip is None:
        raise NotFound(
            "There is no such appointment",
            "It was deleted, or is not yours to see",
            "Go back to the list",
            code="appointment.unknown",
        )
    reader = await lists.reader(db)
    around = await db.one(_sql.around, {"id": appointment_id}) or {}
    return {
        "appointment": lists.wire(trip, costs=reader.costs) | around | {"driver_has_calendar": bool(trip["driver_calendar_id"])},
        "messages": await db.all(_sql.messages, {"id": appointment_id}),
        "calendars": await db.all(_sql.calendars, {"id": appointment_id}),
        "changes": await db.all(_sql.changes, {"id": appointment_id}),
    }


async def last_change(house: Db, appointment_id: UUID) -> Row | None:
    """Who made it what it is now, {mine, user_name, created_at}; None where no person did. house: past row-level security."""
    return await house.one(_sql.last_change, {"id": appointment_id})


async def preview(db: Db, sketch: Sketch, *, drivers: bool) -> dict[str, Any]:
    """Pickup and drop-off of each time, the drive that would be taken and where it is known from, and, where `drivers` are asked
    for, what speaks against each of them. `transit.place` is None for a figure that was never measured.
    """
    known = await db.one(_sql.drive, {"client": sketch.client, "clinic": sketch.clinic}) or {}
    measured = known.get("minutes")
    stored = await db.one(_trips.by_id, {"id": sketch.but}) if sketch.but else None
    transit = {
        "minutes": sketch.transit or measured or (stored["transittime"] if stored else USUAL_TRANSIT),
        "known": measured,
        "place": known.get("place"),
        "calculated_at": known.get("calculated_at"),
        "pending": known.get("pending", False),
    }
    length = sketch.length or known.get("length") or USUAL_LENGTH
    asked = {
        "at": list(sketch.at), "type": sketch.kind, "direction": sketch.direction if sketch.kind == "one_way" else None,
        "transit": transit["minutes"], "length": length,
    }  # fmt: skip
    objections = await db.all(_sql.objections, asked | {"client": sketch.client, "but": sketch.but}) if drivers else []
    return {"transit": transit, "length": length, "times": await db.all(_sql.times, asked), "objections": objections}
