"""Travel times that are wanted and not measured yet: what was asked for is kept, so that one task per client serves it all.

Asked for by saves, as the person who saves; served and settled by tasks. What is measured is in clinic_times.py.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.travel.clinic_times import Home
from backhaul.outside.maps import Place, Point

_sql = Queries("wanted_times")


async def want(db: Db, client_id: UUID, clinics: Collection[UUID] = ()) -> int:
    """Asks for the times from this client to these clinics, or to all active ones when none is named. Returns to how many."""
    return await db.run(_sql.want, {"client": client_id, "clinics": list(clinics)})


async def unmeasured(db: Db, client_id: UUID, clinics: Collection[UUID]) -> list[UUID]:
    """Which of these have no time from one of the client's addresses, nor are asked for."""
    return [row["id"] for row in await db.all(_sql.unmeasured, {"client": client_id, "clinics": list(clinics)})]


async def measured_of(db: Db, client_id: UUID | None, knumber: str | None) -> list[UUID]:
    """The clinics to which the client of this id or K number has times, or reasons why not."""
    return [row["id"] for row in await db.all(_sql.measured, {"client": client_id, "knumber": knumber})]


async def asked(db: Db, client_id: UUID) -> dict[UUID, UUID]:
    """The clinics that are wanted, and the name of each asking, for `settle`."""
    return {row["id"]: row["ask"] for row in await db.all(_sql.asked, {"client": client_id})}


async def settle(db: Db, client_id: UUID, asks: Collection[UUID]) -> None:
    """These askings are served. A clinic asked for again meanwhile stays wanted."""
    await db.run(_sql.settle, {"client": client_id, "asks": list(asks)})


async def pending(db: Db, client_id: UUID) -> list[Row]:
    """The clinics that are wanted, by name."""
    return await db.all(_sql.pending, {"client": client_id})


async def starts(db: Db, home: Home) -> list[Place]:
    """Where active clients set out from, as far as that address has been found."""
    rows = await db.all(_sql.starts, {"home": home})
    return [Place(id=row["id"], point=Point(latitude=row["latitude"], longitude=row["longitude"])) for row in rows]


async def want_of_unplaced(db: Db, destination_id: UUID) -> None:
    """Asks for this destination on behalf of active clients whose address is not found yet: their own task measures it then."""
    await db.run(_sql.want_of_unplaced, {"destination": destination_id})
