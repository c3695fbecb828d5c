"""add-destination: a clinic is on the list at once; how long everybody takes to it is measured afterwards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.errors import Transient
from backhaul.core.store import Actor, Tx
from backhaul.core.task import Retry, Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.destinations import destinations
from backhaul.dispatch.office import LEAD, Office, workflow
from backhaul.dispatch.travel import clinic_times, wanted_times
from backhaul.dispatch.travel.clinic_times import Home
from backhaul.dispatch.travel.placing import point_of
from backhaul.outside.maps import Leg, Point

add_destination = workflow(
    "add-destination",
    destinations.NewDestination,
    entity="destination",
    audit="create_destination",
    allow=LEAD,
    aliases=("add-destination-v5",),
)


# ── Sync phase: destination, audit log and task are written in one commit, then the caller hears ──
@add_destination.sync
async def save_destination(tx: Tx, form: destinations.NewDestination, by: Actor) -> Saved:
    made = await destinations.insert(tx, form)
    return Saved(
        made.id,
        made.label,
        details={"name": made.name},
        message="Destination saved. Travel times processing in background." if made.active else "Destination saved",
        then=[calculate_travel_times.later(made.id)] if made.active else [],
        reply={"data": {"destination": made}},
    )


# ── Background: one task for all clients, many of them in one call ──
@add_destination.background(once_per="destination_id", retry=Retry(attempts=5, on=Transient), lane="maps")
async def calculate_travel_times(run: Run[Office], destination_id: UUID) -> dict[str, Any]:
    """From both addresses of every active client to this destination. One without an answer says why; the rest have theirs."""
    destination = await destinations.get(run.db, destination_id)
    if not destination.active:  # closed again before its turn came
        return {"travel_times_calculated": 0, "without_answer": 0}
    end = await point_of(run, destination)
    await wanted_times.want_of_unplaced(run.db, destination_id)
    legs = [leg for home in ("primary", "secondary") for leg in await _measure(run, destination_id, home, end)]
    answered = sum(leg.minutes is not None for leg in legs)
    return {"travel_times_calculated": answered, "without_answer": len(legs) - answered}


async def _measure(run: Run[Office], destination_id: UUID, home: Home, end: Point) -> list[Leg]:
    legs: list[Leg] = []
    for batch in run.office.maps.batches(await wanted_times.starts(run.db, home)):
        measured = await run.step("ask Maps", run.office.maps.minutes, batch, end)
        rows = {(client, destination_id): leg for client, leg in measured.items()}
        await clinic_times.put(run.db, rows, home=home, source=run.office.maps.service)  # upsert: safe to repeat
        legs += measured.values()
    return legs
