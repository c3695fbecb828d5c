"""add-client: the caller waits for the save alone; Google Maps and Quo are asked afterwards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.errors import OutcomeUnknown, Transient, Unplaceable
from backhaul.core.store import Actor, Tx
from backhaul.core.task import Retry, Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.clients import clients
from backhaul.dispatch.clients.forms import NewClient
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.office import STAFF, Office, workflow
from backhaul.dispatch.travel import clinic_times, wanted_times
from backhaul.dispatch.travel.clinic_times import Home
from backhaul.dispatch.travel.placing import driver_home, ends, home_of, second_home_of
from backhaul.outside.maps import Leg, Place, Point
from backhaul.outside.quo import Contact, Kept

add_client = workflow(
    "add-client",
    NewClient,
    entity="client",
    audit="create_client",
    allow=STAFF,
    aliases=("create-client-destinations", "createClient"),
)


# ── Sync phase: client, audit log and tasks are written in one commit, then the caller hears ──
@add_client.sync
async def save_client(tx: Tx, form: NewClient, by: Actor) -> Saved:
    client_id = await clients.insert(tx, form, by)
    chosen = form.selected_clinic_ids  # none: all active ones
    if chosen and form.primary_clinic_id:
        chosen = [*chosen, form.primary_clinic_id]
    clinics = await wanted_times.want(tx, client_id, chosen)
    return Saved(
        client_id,
        f"{form.full_name} ({form.knumber})",
        details={"client_name": form.full_name, "knumber": form.knumber},
        message="Client saved. Drive times and Quo sync processing in background.",
        then=[
            calculate_drive_times.later(client_id),
            *([calculate_clinic_travel_times.later(client_id)] if clinics else []),
            sync_quo.later(client_id),
        ],
        reply={"data": {"client": {"id": client_id, "knumber": form.knumber}}},
    )


# ── Background steps: one row each. An error not named in retry= stops it and tells a person ──
@add_client.background(once_per="client_id", retry=Retry(attempts=5, on=Transient), lane="maps")
async def calculate_drive_times(run: Run[Office], client_id: UUID) -> dict[str, Any]:
    """Drive times from every active driver's home. One without an answer is recorded with the reason; the rest have theirs."""
    client = await clients.get(run.db, client_id)
    legs, starts = await _starting_points(run)
    await clients.put_drive_times(run.db, client.id, legs, source=run.office.maps.service)
    if not starts:  # nobody to measure from, so nothing to look up and pay for
        return {"drive_times_calculated": 0, "without_answer": len(legs)}
    home = await home_of(run, client)
    for batch in run.office.maps.batches(starts):  # one call measures many drivers
        measured = await run.step("ask Maps", run.office.maps.minutes, batch, home)
        await clients.put_drive_times(run.db, client.id, measured, source=run.office.maps.service)  # upsert: safe to repeat
        legs |= measured
    answered = sum(leg.minutes is not None for leg in legs.values())
    return {"drive_times_calculated": answered, "without_answer": len(legs) - answered}


@add_client.background(once_per="client_id", retry=Retry(attempts=5, on=Transient), lane="maps")
async def calculate_clinic_travel_times(run: Run[Office], client_id: UUID) -> dict[str, Any]:
    """From both of the client's addresses to the clinics that were asked for; the others keep theirs. See wanted_times.py."""
    client = await clients.get(run.db, client_id)
    asked = await wanted_times.asked(run.db, client_id)
    clinics = await clinic_times.clinics(run.db, list(asked)) if asked else []
    if not clinics:
        return {"travel_times_calculated": 0, "without_answer": 0}
    unknown, places = await ends(run, clinics)
    first = await _measure(run, client_id, "primary", await home_of(run, client), places)
    second_home = await second_home_of(run, client)
    second = await _measure(run, client_id, "secondary", second_home, places) if second_home else []
    for home in ("primary", "secondary") if second_home else ("primary",):
        legs = {(client_id, clinic.id): leg for clinic, leg in unknown.items()}
        await clinic_times.put(run.db, legs, home=home, source=run.office.maps.service)
    await wanted_times.settle(run.db, client_id, list(asked.values()))
    without = sum(leg.minutes is None for leg in [*first, *second]) + len(unknown)
    return {"travel_times_calculated": sum(leg.minutes is not None for leg in [*first, *second]), "without_answer": without}


async def _measure(run: Run[Office], client_id: UUID, home: Home, start: Point, clinics: list[Place]) -> list[Leg]:
    """One call measures many clinics; each answer is kept at once, with the portal's rounding."""
    legs: list[Leg] = []
    for batch in run.office.maps.batches(clinics):
        measured = await run.step("ask Maps", run.office.maps.minutes_to, start, batch)
        rows = {(client_id, clinic): leg for clinic, leg in measured.items()}
        await clinic_times.put(run.db, rows, home=home, source=run.office.maps.service)  # upsert: safe to repeat
        legs += measured.values()
    return legs


@add_client.background(
    once_per="client_id", retry=Retry(attempts=8, on=(Transient, OutcomeUnknown)), lane="quo", label="Sync to Quo"
)
async def sync_quo(run: Run[Office], client_id: UUID) -> dict[str, Any]:
    """The client is in Quo once, as a contact. Quo keeps duplicates, so put_contact looks before it creates."""
    client = await clients.get(run.db, client_id)

    async def put(contact: Contact, external_id: str) -> Kept:
        # the id Quo gave us last time is a short cut, not a part of the question: keeping it must not make the step ask again
        return await run.office.quo.put_contact(contact, external_id=external_id, contact_id=client.openphone_contact_id)

    kept = await run.step("put contact", put, client.contact, f"client:{client.id}")
    await clients.put_quo_contact(run.db, client.id, kept.contact_id)
    return {"contact_id": kept.contact_id, "created": kept.created}


async def _starting_points(run: Run[Office]) -> tuple[dict[UUID, Leg], list[Place]]:
    """Where the drivers set out from; and, for those whose address nobody knows, the reason as their answer."""
    unknown: dict[UUID, Leg] = {}
    starts: list[Place] = []
    for driver in await drivers.with_homes(run.db):
        try:
            home = await driver_home(run, driver)
        except Unplaceable as problem:
            unknown[driver.id] = Leg(error=f"The driver's own address: {problem.message}")
        else:
            starts.append(Place(id=driver.id, point=home))
    return unknown, starts
