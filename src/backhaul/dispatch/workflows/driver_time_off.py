"""create-, update- and delete-driver-time-off: when a driver is away, or there although their week says otherwise.

Supervisors write it for everybody, drivers for themselves; row-level security holds them to it. Trips that a driver has then stay
as they are: whoever enters the time off is told which, and the board shows the clash until somebody resolves it.
"""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.drivers.drivers import TimeOff
from backhaul.dispatch.drivers.forms import NewTimeOff, OneTimeOff, TimeOffChange
from backhaul.dispatch.office import LEAD, workflow
from backhaul.dispatch.workflows.update_driver import in_short, to_reassign

_THOSE = LEAD | {"driver"}

create_time_off = workflow("create-driver-time-off", NewTimeOff, entity="driver", audit="create_time_off", allow=_THOSE)
update_time_off = workflow("update-driver-time-off", TimeOffChange, entity="driver", audit="update_time_off", allow=_THOSE)
delete_time_off = workflow("delete-driver-time-off", OneTimeOff, entity="driver", audit="delete_time_off", allow=_THOSE)


@create_time_off.sync
async def save_time_off(tx: Tx, form: NewTimeOff, by: Actor) -> Saved:
    return await _saved(tx, by, await drivers.add_time_off(tx, form), "is saved")


@update_time_off.sync
async def save_changed_time_off(tx: Tx, form: TimeOffChange, by: Actor) -> Saved:
    changed = await drivers.change_time_off(tx, form)
    told = [name for name in changed.fields if name not in ("starts", "ends")]  # those follow from the others
    return await _saved(tx, by, changed.after, "is changed", told)


@delete_time_off.sync
async def remove_time_off(tx: Tx, form: OneTimeOff, by: Actor) -> Saved:
    return await _saved(tx, by, await drivers.remove_time_off(tx, form.id), "is removed")


async def _saved(tx: Tx, by: Actor, entry: TimeOff, done: str, fields: list[str] | None = None) -> Saved:
    """fields: those that a change has touched. The log has no reason: it may be about somebody's health."""
    driver = await drivers.get(tx, entry.driver_id)
    away = entry.entry_type == "time_off"
    what = "Time off" if away else "Extra time"
    reply = {"data": {"time_off": entry}, "warnings": [], "trips": []}
    if fields == []:
        return Saved(driver.id, driver.label, f"Nothing to save: {what.lower()} is as before.", reply=reply, changed=False)
    await tx.as_service()  # a driver sees their trips on their own pages; here it is asked what clashes
    during = await drivers.trips_during(tx, entry) if away and done != "is removed" else []
    trips = in_short(during, for_driver=by.role == "driver")
    warnings = to_reassign(trips, f"{driver.first_name} has then")
    return Saved(
        driver.id,
        driver.label,
        details={
            "driver_name": driver.name,
            "entry_type": entry.entry_type,
            "start_date": entry.start_date.isoformat(),
            "end_date": entry.end_date.isoformat(),
        }
        | ({"fields_updated": fields} if fields else {}),
        message=" ".join([f"{what} of {driver.name} {done}.", *warnings]),
        reply=reply | {"warnings": warnings, "trips": trips},
    )
