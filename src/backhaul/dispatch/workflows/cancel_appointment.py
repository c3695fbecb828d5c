"""cancel-appointment: the driver keeps it in the calendar, marked as cancelled; driver and client are told."""

from __future__ import annotations

from dataclasses import replace

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import Cancellation
from backhaul.dispatch.workflows.appointment_tasks import put_calendar_event
from backhaul.dispatch.workflows.update_appointment import saved

_DRIVER_TOLD = " and driver notified"

cancel_appointment = workflow("cancel-appointment", Cancellation, entity="appointment", audit="cancel_appointment", allow=STAFF)


@cancel_appointment.sync
async def save_cancellation(tx: Tx, form: Cancellation, by: Actor) -> Saved:
    before = await appointments.locked(tx, form.id)
    after = await appointments.cancel(tx, form.id, form.reason)
    done = await saved(tx, Changed(before, after), f"Appointment cancelled{_DRIVER_TOLD}")
    told = any(later.task_type == put_calendar_event.name or later.args.get("audience") == "driver" for later in done.then)
    return done if told else replace(done, message=done.message.replace(_DRIVER_TOLD, ""))
