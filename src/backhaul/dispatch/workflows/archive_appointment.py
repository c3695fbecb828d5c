"""soft-delete-appointment and unarchive-appointment: a trip without a driver leaves the lists, and comes back."""

from __future__ import annotations

from dataclasses import replace

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.office import LEAD, STAFF, workflow
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import OneAppointment
from backhaul.dispatch.trips.appointments import Appointment
from backhaul.dispatch.workflows.update_appointment import saved

soft_delete_appointment = workflow(
    "soft-delete-appointment", OneAppointment, entity="appointment", audit="archive_appointment", allow=STAFF
)
unarchive_appointment = workflow(
    "unarchive-appointment", OneAppointment, entity="appointment", audit="unarchive_appointment", allow=LEAD
)


@soft_delete_appointment.sync
async def save_archived(tx: Tx, form: OneAppointment, by: Actor) -> Saved:
    after = await appointments.archive(tx, form.id)
    return await saved(tx, Changed(_with(after, deleted=False), after), "Appointment archived successfully")


@unarchive_appointment.sync
async def save_restored(tx: Tx, form: OneAppointment, by: Actor) -> Saved:
    after = await appointments.unarchive(tx, form.id)
    return await saved(tx, Changed(_with(after, deleted=True), after), "Appointment unarchived successfully")


def _with(trip: Appointment, *, deleted: bool) -> Appointment:
    """As it was before: both doors refuse a trip that was not."""
    return replace(trip, deleted_at=trip.updated_at if deleted else None)
