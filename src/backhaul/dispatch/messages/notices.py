"""Which notice of a trip somebody is due, judged by the trip as it is now and by what they were told last.

    the client   booked ──▶ changed, at another time ──▶ cancelled ──▶ booked, when it is taken up again
    a driver     assigned ──▶ changed, at another time ──▶ cancelled, or unassigned when it is no longer theirs

So several changes before a notice could leave become one, and a change that was taken back is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.messages import messages
from backhaul.dispatch.messages.messages import Audience
from backhaul.dispatch.trips.appointments import Appointment

_sql = Queries("messages")


@dataclass(frozen=True, slots=True)
class Notices:
    """Whether the office sends notices at all; and the time by the database's clock."""

    wanted: bool
    now: datetime

    def about(self, trip: Appointment) -> bool:
        """Whether anybody is told of this trip: not of one that was driven, or is over."""
        return self.wanted and trip.operation_status != "completed" and trip.drop_off_time > self.now


async def settings(db: Db) -> Notices:
    row = await db.one(_sql.notices)
    if row is None:
        raise LookupError("a select without a table has one row")
    return Notices(**row)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be said: its kind, the pickup it names, and the version of the trip that it is said of."""

    kind: str
    for_time: datetime
    occasion: int


async def due(db: Db, trip: Appointment, audience: Audience, recipient_id: UUID) -> Notice | None:
    """The notice to send now; None when there is nothing new to tell them.

    One of which nobody knows whether they have it is due again while nothing newer is: whoever sends looks for it first.
    """
    said = [
        row
        for row in await messages.of_appointment(db, trip.id)
        if (row["audience"], row["recipient_id"]) == (audience, recipient_id)
        and row["kind"] != "reminder"
        and row["state"] in ("sent", "unknown")
    ]
    last = said[-1] if said else None
    if kind := _kind(trip, audience, recipient_id, last):
        return Notice(kind, trip.pickuptime, trip.version)
    if last is not None and last["state"] == "unknown":
        return Notice(last["kind"], last["for_time"], last["occasion"])
    return None


def _kind(trip: Appointment, audience: Audience, recipient_id: UUID, last: Row | None) -> str | None:
    knows = last is not None and last["kind"] in ("booked", "assigned", "changed")
    theirs = recipient_id == (trip.client_id if audience == "client" else trip.driver_assigned)
    if not theirs:
        return "unassigned" if audience == "driver" and knows else None
    if trip.operation_status == "cancelled" or trip.deleted_at is not None:
        return None if last is not None and last["kind"] == "cancelled" else "cancelled"
    if not knows or last is None:
        return "booked" if audience == "client" else "assigned"
    return None if last["for_time"] == trip.pickuptime else "changed"
