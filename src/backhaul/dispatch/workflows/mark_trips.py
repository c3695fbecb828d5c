"""mark-appointment-ready, mark-driver-paid and mark-agent-paid: what the office notes of completed trips, all or none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal
from uuid import UUID

from backhaul.core.errors import Conflict
from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Also, Saved
from backhaul.dispatch.invoices import invoices
from backhaul.dispatch.invoices.forms import TripsPaid, TripsReady
from backhaul.dispatch.invoices.invoices import Trip
from backhaul.dispatch.office import LEAD, workflow
from backhaul.dispatch.trips import appointment_lists

mark_appointment_ready = workflow("mark-appointment-ready", TripsReady, entity="appointment", audit="mark_trip_ready", allow=LEAD)
mark_driver_paid = workflow("mark-driver-paid", TripsPaid, entity="appointment", audit="mark_driver_paid", allow=LEAD)
mark_agent_paid = workflow("mark-agent-paid", TripsPaid, entity="appointment", audit="mark_agent_paid", allow=LEAD)


@mark_appointment_ready.sync
async def save_ready(tx: Tx, form: TripsReady, by: Actor) -> Saved:
    trips = await invoices.trips(tx, form.ids)
    _none(
        [trip for trip in trips if trip.invoice_status not in ("not_ready", "ready")], "on an invoice", "Void the invoice first"
    )
    _none(_open(trips), "not completed", "Complete them first, or leave them out")
    changed = await invoices.set_ready(tx, form)
    said = "ready for an invoice" if form.ready else "not ready for an invoice"
    return _saved(trips, changed, said, {"ready": form.ready})


@mark_driver_paid.sync
async def save_driver_paid(tx: Tx, form: TripsPaid, by: Actor) -> Saved:
    return await _paid(tx, form, "driver")


@mark_agent_paid.sync
async def save_agent_paid(tx: Tx, form: TripsPaid, by: Actor) -> Saved:
    return await _paid(tx, form, "agent")


async def _paid(tx: Tx, form: TripsPaid, whom: Literal["driver", "agent"]) -> Saved:
    trips = await invoices.trips(tx, form.ids)
    _none(_open(trips), "not completed", "Complete them first, or leave them out")
    at = (form.at or (await appointment_lists.reader(tx)).now) if form.paid else None
    corrects = form.at is not None or not form.paid
    changed = await invoices.set_paid(tx, [trip.id for trip in trips], whom, at, corrects=corrects)
    name = {"driver": "driver", "agent": "booking agent"}[whom]
    return _saved(trips, changed, f"marked: {name} {'paid' if form.paid else 'not paid'}", {"paid": form.paid})


def _open(trips: Sequence[Trip]) -> list[Trip]:
    return [trip for trip in trips if trip.operation_status != "completed"]


def _none(trips: Sequence[Trip], are: str, todo: str) -> None:
    if trips:
        named = ", ".join(dict.fromkeys(trip.label for trip in trips[:3]))
        raise Conflict(f"{len(trips)} appointment(s) {are}", named, todo, code="appointment.state")


def _saved(trips: Sequence[Trip], changed: Collection[UUID], said: str, details: dict[str, Any]) -> Saved:
    """One audit entry for each trip that changed, and none where all was so already."""
    moved = [trip for trip in trips if trip.id in set(changed)]
    first, *others = moved or trips[:1]
    return Saved(
        first.id,
        first.label,
        f"{len(trips)} trip(s) {said}",
        details=details,
        reply={"appointmentIds": [trip.id for trip in trips], "changed": len(moved)},
        changed=bool(moved),
        also=[Also(trip.id, trip.label, details=details) for trip in others],
    )
