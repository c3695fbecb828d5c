"""delete-appointment: for good, by an administrator. The row stays for the tasks that take the trip out of calendar and Quo."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import OneAppointment
from backhaul.dispatch.workflows.update_appointment import saved

delete_appointment = workflow(
    "delete-appointment",
    OneAppointment,
    entity="appointment",
    audit="delete_appointment",
    allow=STAFF,  # whom the database then refuses in the portal's words
    aliases=("delete-appointment-with-calendar",),
)


@delete_appointment.sync
async def save_deletion(tx: Tx, form: OneAppointment, by: Actor) -> Saved:
    before = await appointments.delete(tx, form.id)
    after = await appointments.for_task(tx, form.id)
    return await saved(tx, Changed(before, after), "Appointment deleted permanently")
