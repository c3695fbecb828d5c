"""update-driver-assignment: a trip is given to a driver, moved to another, or taken off; the operations board's one verb."""

from __future__ import annotations

from dataclasses import replace

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.office import LEAD, workflow
from backhaul.dispatch.trips import appointments
from backhaul.dispatch.trips.appointment_forms import Assignment
from backhaul.dispatch.trips.appointments import Clash
from backhaul.dispatch.workflows.update_appointment import saved

update_driver_assignment = workflow(
    "update-driver-assignment", Assignment, entity="appointment", audit="assign_driver", allow=LEAD
)


@update_driver_assignment.sync
async def save_assignment(tx: Tx, form: Assignment, by: Actor) -> Saved:
    """What is a warning only (hours, a wish of the client's) does not keep it from being saved, but is said."""
    changed = await appointments.assign(tx, form)
    trip = changed.after
    clashes = await appointments.assignment_conflicts(tx, trip.id, trip.driver_assigned) if trip.driver_assigned else []
    message = f"Assigned to {trip.driver_name}" if trip.driver_assigned else "The trip has no driver any more"
    done = await saved(tx, changed, message)
    warnings = [*done.reply["warnings"], *(_in_words(clash) for clash in clashes)]
    return replace(done, reply={**done.reply, "driver_name": trip.driver_name, "warnings": warnings})


def _in_words(clash: Clash) -> str:
    return clash.label[:1].upper() + clash.label[1:]
