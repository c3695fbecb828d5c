"""save-appointment: one trip or many, all or none; calendar, texts and Quo follow."""

from __future__ import annotations

from typing import Any

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Also, Saved
from backhaul.dispatch.messages import notices
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import SUPPORT_KNUMBER, NewAppointments
from backhaul.dispatch.trips.appointments import Appointment
from backhaul.dispatch.workflows.appointment_tasks import following

save_appointment = workflow(
    "save-appointment",
    NewAppointments,
    entity="appointment",
    audit="create_appointment",
    allow=STAFF,
    aliases=("save-appointment-v7",),
)


@save_appointment.sync
async def save_appointments(tx: Tx, form: NewAppointments, by: Actor) -> Saved:
    """Each trip has an audit entry of its own, so that its history begins with it, whichever trips it was saved with."""
    saved = await appointments.insert(tx, form.appointments)
    told = await notices.settings(tx)
    follow = [following(None, trip, told) for trip in saved]
    records = [Also(trip.id, trip.label, then.tasks, {"knumber": trip.knumber}) for trip, then in zip(saved, follow, strict=True)]
    first, *others = records
    warnings = list(dict.fromkeys(warning for then in follow for warning in then.warnings))
    message = f"{len(saved)} of {len(saved)} appointment(s) saved successfully"
    return Saved(
        first.entity_id,
        first.label,
        ". ".join([message, *warnings]),
        then=first.then,
        details=first.details,
        also=others,
        reply={
            "appointmentsSaved": len(saved),
            "totalAppointments": len(saved),
            "appointmentId": saved[0].id,
            "appointmentIds": [trip.id for trip in saved],
            "appointments": [answered(trip) for trip in saved],
            "warnings": warnings,
        },
    )


def answered(trip: Appointment) -> dict[str, Any]:
    """A saved trip as the pages are answered."""
    return {
        "id": trip.id,
        "knumber": trip.knumber or SUPPORT_KNUMBER,
        "appointmenttime": trip.appointmenttime,
        "pickuptime": trip.pickuptime,
        "dropOffTime": trip.drop_off_time,
        "location": trip.locationname,
        "operation_status": trip.operation_status,
        "version": trip.version,
    }
