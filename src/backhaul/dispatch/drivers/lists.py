"""Drivers as pages show them: the list with how everybody stands today, and one driver's card with their week.

Rows are dicts; row-level security decides which of them somebody gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.paging import cut
from backhaul.dispatch.trips import appointment_lists

_sql = Queries("driver_lists")
_tasks = Queries("tasks")

STATES = ("available", "busy", "on-leave", "offline")


@dataclass(frozen=True, slots=True)
class Wanted:
    """q: a part of a name, e-mail, town or telephone number. status: one of STATES, as it is now."""

    q: str | None = None
    active: bool | None = None
    status: str | None = None

    @property
    def everybody(self) -> bool:
        return not self.q and self.active is None and self.status is None


@dataclass(frozen=True, slots=True)
class Page:
    """One page, the cursor of the next, how many there are in all, and how all drivers stand, whatever was asked for."""

    drivers: Sequence[Row]
    next: UUID | None
    count: int
    stats: Row


async def page(db: Db, wanted: Wanted, day: date, *, after: UUID | None = None, limit: int | None = None) -> Page:
    """Drivers by name, with their week around `day`, their trips ahead and their tasks.

    An office has some dozens of drivers: they are read whole, and cut here. after: the `next` of the page before.

    Raises: NotFound for a cursor nobody made.
    """
    some = None if wanted.everybody else await drivers.all_of_them(db, q=wanted.q, active=wanted.active)
    everybody = await drivers.all_of_them(db)
    found = [row for row in (everybody if some is None else some) if wanted.status in (None, row["status"])]
    shown, following = cut(found, everybody, after, limit)
    return Page(await with_week(db, shown, day), following, len(found), _stats(everybody))


async def with_week(db: Db, rows: Sequence[Row], day: date) -> list[Row]:
    """The same rows, each with `week` (seven days from Monday), `trips_ahead`, `drive_times` and `tasks`."""
    ids = [row["id"] for row in rows]
    around = {row.pop("id"): row for row in await db.all(_sql.around, {"ids": ids})}
    weeks: dict[UUID, list[Row]] = {ident: [] for ident in ids}
    for load in await appointment_lists.week_load(db, day, driver=ids[0] if len(ids) == 1 else None):
        if load["driver_id"] in weeks:
            weeks[load["driver_id"]].append({name: load[name] for name in _LOAD})
    return [row | around[row["id"]] | {"week": weeks[row["id"]]} for row in rows]


_LOAD = ("day", "starts", "ends", "minutes_kept", "minutes_driven", "trips", "time_off")


async def one(db: Db, driver_id: UUID, day: date) -> Row:
    """The whole record with its week. Raises: NotFound for a driver who is not there, or not theirs to see."""
    await drivers.get(db, driver_id)
    (row,) = await with_week(db, await drivers.all_of_them(db, driver=driver_id), day)
    return row


async def around(db: Db, driver_id: UUID) -> dict[str, Any]:
    """What a driver's card shows besides the record: all their tasks, who changed what, and clients without a way to them."""
    return {
        "tasks": await db.all(_tasks.of_entity, {"entity_type": "driver", "entity_id": driver_id}),
        "changes": await db.all(_sql.changes, {"driver": driver_id}),
        "unanswered": await db.all(_sql.unanswered, {"driver": driver_id}),
    }


async def own_id(db: Db) -> UUID | None:
    """The driver that whoever asks is; None for everybody else."""
    found: UUID | None = (await db.one(_sql.mine) or {"id": None})["id"]
    return found


async def basics(db: Db) -> list[Row]:
    """All drivers by name, to choose from."""
    return await db.all(_sql.basics)


async def performance(db: Db) -> Row:
    """The trips driven in the last 30 days, and who drove most. Nobody rates drivers or notes who was late: those stay empty."""
    driven = await db.all(_sql.driven)
    return {
        "totalTrips": sum(row["trips"] for row in driven),
        "topPerformer": driven[0]["name"] if driven else None,
        "avgRating": None,
        "onTimePercentage": None,
    }


def _stats(rows: Sequence[Row]) -> Row:
    """Of those who drive; `inactive` counts the others."""
    driving = [row for row in rows if row["active"]]
    stats = {state.replace("-", "_"): sum(row["status"] == state for row in driving) for state in STATES}
    return stats | {"total": len(rows), "inactive": len(rows) - len(driving)}
