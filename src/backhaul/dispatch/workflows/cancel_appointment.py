"""cancel-appointment: the driver keeps it in the calendar, marked as cancelled; driver and client are told."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch import appointments
from backhaul.dispatch.appointment_forms import Cancellation
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.workflows.update_appointment import saved

cancel_appointment = workflow("cancel-appointment", Cancellation, entity="appointment", audit="cancel_appointment", allow=STAFF)


@cancel_appointment.sync
async def save_cancellation(tx: Tx, form: Cancellation, by: Actor) -> Saved:
    before = await appointments.locked(tx, form.id)
    after = await appointments.cancel(tx, form.id, form.reason)
    return await saved(tx, Changed(before, after), "Appointment cancelled and driver notified")
