"""How long each client takes to each clinic, from either address: what booking pages read.

Kept with the portal's rounding (see private.buffered_minutes) and their age. They never outlive the addresses they were measured
between: triggers forget them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, jsonb
from backhaul.outside.maps import Address, Leg, Point

_sql = Queries("clinic_times")

Home = Literal["primary", "secondary"]


@dataclass(frozen=True, slots=True)
class Clinic:
    """Where a drive ends."""

    id: UUID
    name: str
    address: str
    city: str | None
    province: str | None
    postal_code: str | None
    latitude: float | None
    longitude: float | None

    @property
    def place(self) -> Address:
        return Address(line=self.address, city=self.city or "", province=self.province or "", postal_code=self.postal_code or "")

    @property
    def point(self) -> Point | None:
        if self.latitude is None or self.longitude is None:
            return None
        return Point(latitude=self.latitude, longitude=self.longitude)


async def clinics(db: Db, chosen: Sequence[UUID] = ()) -> list[Clinic]:
    """Those chosen, or, when none is, all active ones; by name."""
    return await db.all(_sql.destinations, {"chosen": list(chosen) or None}, into=Clinic)


async def put(db: Db, legs: Mapping[tuple[UUID, UUID], Leg], *, home: Home, source: str) -> None:
    """Upsert by (client, clinic): safe to repeat, and other clinics keep theirs. legs: raw minutes; they are rounded here.

    A client or clinic that has gone since is passed over, and so is a second address that has.
    """
    rows = [
        {"client_id": client, "destination_id": clinic, "minutes": leg.minutes, "metres": leg.metres, "error": leg.error}
        for (client, clinic), leg in legs.items()
    ]
    await db.run(_sql.put, {"legs": jsonb(rows), "place": home, "source": source})


async def of_client(db: Db, client_id: UUID) -> list[Row]:
    """From the primary address first, nearest first; those without an answer last, with the reason."""
    return await db.all(_sql.of_client, {"client": client_id})


async def wire(db: Db, client_id: UUID) -> dict[str, Any]:
    """The object `clinic_travel_times` of the pages, by the clinics' names of today; empty while it is being calculated."""
    row = await db.one(_sql.wire, {"client": client_id})
    return dict(row["clinic_travel_times"]) if row else {}
