"""update-appointment: what the form gives is changed, and only what that makes necessary follows."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.messages import notices
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import AppointmentChange
from backhaul.dispatch.trips.appointments import Appointment
from backhaul.dispatch.workflows.appointment_tasks import following, put_calendar_event
from backhaul.dispatch.workflows.save_appointment import answered

update_appointment = workflow(
    "update-appointment",
    AppointmentChange,
    entity="appointment",
    audit="update_appointment",
    allow=STAFF,
    aliases=("update-appointment-complete",),
)


@update_appointment.sync
async def save_change(tx: Tx, form: AppointmentChange, by: Actor) -> Saved:
    return await saved(tx, await appointments.update(tx, form), "Appointment updated successfully")


async def saved(tx: Tx, changed: Changed[Appointment], message: str) -> Saved:
    """What any change of a trip leaves behind. The audit entry names the fields that differ, never what they say."""
    before, after = changed.before, changed.after
    then = following(before, after, await notices.settings(tx))
    in_calendar = any(task.task_type == put_calendar_event.name for task in then.tasks)
    away = before.driver_calendar_id if before.driver_calendar_id != after.driver_calendar_id or after.deleted_at else None
    if not changed.fields:
        message = "Nothing was different, so nothing was changed"
    return Saved(
        after.id,
        after.label,
        ". ".join([message, *then.warnings]),
        then=then.tasks,
        details={"knumber": after.knumber, "fields_updated": changed.fields},
        changed=bool(changed.fields),
        reply={
            "appointmentId": after.id,
            "status": after.operation_status,
            "data": answered(after),
            # which of the two follows in the background
            "calendarOperations": {
                "deleted": in_calendar and away is not None,
                "synced": in_calendar and after.driver_calendar_id is not None and after.deleted_at is None,
            },
            "warnings": then.warnings,
        },
    )
