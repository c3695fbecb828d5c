"""How long one driver takes to every client: the other side of what a client's own task measures.

Times are kept by the ids of both ends. One is kept only while both still live where they were measured: whoever moved meanwhile
is measured anew by the task that the move left behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db, jsonb
from backhaul.dispatch.clients.clients import point
from backhaul.outside.maps import Leg, Point

_sql = Queries("driver_times")


@dataclass(frozen=True, slots=True)
class End:
    """Where an active client lives, as far as it has been found."""

    id: UUID
    home_latitude: float | None
    home_longitude: float | None

    @property
    def home(self) -> Point | None:
        return point(self.home_latitude, self.home_longitude)


async def ends(db: Db) -> list[End]:
    """All active clients, by name."""
    return await db.all(_sql.ends, into=End)


async def put(db: Db, driver_id: UUID, start: Point, legs: Mapping[UUID, tuple[Point | None, Leg]], *, source: str) -> None:
    """Upsert: safe to repeat. legs: for each client where they were measured to; None for one nobody could place."""
    rows = [
        {
            "client_id": client,
            "latitude": end.latitude if end else None,
            "longitude": end.longitude if end else None,
            "minutes": leg.minutes,
            "metres": leg.metres,
            "error": leg.error,
        }
        for client, (end, leg) in legs.items()
    ]
    where = {"latitude": start.latitude, "longitude": start.longitude}
    await db.run(_sql.put, {"driver": driver_id, **where, "legs": jsonb(rows), "source": source})
