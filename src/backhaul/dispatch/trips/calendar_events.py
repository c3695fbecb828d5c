"""What is known of a trip in drivers' calendars, so that its event is made once, patched, moved and removed rightly.

A row for each trip and calendar. Its `event_id` is there while the event is, or may be: it is written before the calendar is
asked, so that whoever comes after a crash knows to look. An id that was used and deleted is spent for good: the next event of
that trip in that calendar is of the next generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db

_sql = Queries("calendar_events")


@dataclass(frozen=True, slots=True)
class Kept:
    """One trip in one calendar. synced_hash: of what was last written there; None when nothing is known to be there."""

    appointment_id: UUID
    calendar_id: str
    driver_id: UUID
    generation: int
    event_id: str | None
    synced_hash: str | None
    synced_at: datetime | None
    error: str | None


async def of_appointment(db: Db, appointment_id: UUID) -> list[Kept]:
    """In every calendar it has ever been put into; those with an event_id may still have it."""
    return await db.all(_sql.of_appointment, {"appointment": appointment_id}, into=Kept)


async def of_driver(db: Db, driver_id: UUID) -> list[Kept]:
    """The events of trips still to come, by pickup."""
    return await db.all(_sql.of_driver, {"driver": driver_id}, into=Kept)


async def opened(db: Db, appointment_id: UUID, calendar_id: str, driver_id: UUID) -> Kept:
    """The trip's place in that calendar, as it is; made when it is not there yet."""
    kept = await db.one(_sql.open, {"appointment": appointment_id, "calendar": calendar_id, "driver": driver_id}, into=Kept)
    if kept is None:
        raise LookupError("an upsert always returns its row")
    return kept


async def intend(db: Db, kept: Kept, event_id: str) -> None:
    """Before the calendar is asked to write the event."""
    await db.run(_sql.intend, _key(kept) | {"event_id": event_id})


async def wrote(db: Db, kept: Kept, content_hash: str) -> None:
    """The event is there, and says what the hash is of."""
    await db.run(_sql.wrote, _key(kept) | {"hash": content_hash})


async def spent(db: Db, kept: Kept) -> None:
    """The event is not there any more. Safe to repeat with the same `kept`: a generation is spent once."""
    await db.run(_sql.spent, _key(kept))


async def failed(db: Db, kept: Kept, error: str) -> None:
    """Why it is not there as it should be, for whoever looks at the trip."""
    await db.run(_sql.failed, _key(kept) | {"error": error})


def _key(kept: Kept) -> dict[str, object]:
    return {"appointment": kept.appointment_id, "calendar": kept.calendar_id, "generation": kept.generation}
