"""update-driver: the caller waits for the save; Maps and Google Calendar hear only of what concerns them, when it changed."""

from __future__ import annotations

from backhaul.core.store import Actor, Row, Tx
from backhaul.core.task import Later
from backhaul.core.workflow import Saved
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.drivers.drivers import HOME, DriverRecord
from backhaul.dispatch.drivers.forms import DriverChange
from backhaul.dispatch.office import LEAD, workflow
from backhaul.dispatch.stale import check_fresh
from backhaul.dispatch.trips.appointments import Appointment
from backhaul.dispatch.workflows.add_driver import (
    answered,
    calculate_driver_drive_times,
    create_driver_calendar,
    into_calendar,
    rename_driver_calendar,
    withdraw_driver_calendar,
)

update_driver = workflow(
    "update-driver", DriverChange, entity="driver", audit="update_driver", allow=LEAD, aliases=("update-driver-v5",)
)


# ── Sync phase: what changed is saved, named in the audit log, and followed by the tasks it makes necessary ──
@update_driver.sync
async def save_changes(tx: Tx, form: DriverChange, by: Actor) -> Saved:
    """A driver who is to drive no more keeps the trips they have, so that nobody is left standing; whoever saves is told."""
    stored = await drivers.get(tx, form.id)
    await check_fresh(tx, form.version, stored.version, ("driver", stored.id, stored.label))
    changed = await drivers.update(tx, form)
    driver = changed.after
    fields = [name for name in changed.fields if name in drivers.COLUMNS]
    reply = answered(driver)
    reply["data"] |= {"fieldsUpdated": fields, "addressChanged": changed.touched(*HOME)}
    if not fields:
        return Saved(driver.id, driver.label, f"Nothing to save: {driver.name} is as before.", reply=reply, changed=False)
    left = changed.touched("active") and not driver.active
    trips = await drivers.to_drive(tx, driver.id) if left or _leaves_google(changed) else []
    told = in_short(trips) if left else []
    warnings = to_reassign(told, f"{driver.first_name} still has")
    then = await _to_follow(tx, changed, trips)
    return Saved(
        driver.id,
        driver.label,
        details={"driver_name": driver.name, "fields_updated": fields},
        message=" ".join(["Driver updated successfully!", *warnings]),
        then=then,
        reply=reply | {"warnings": warnings, "trips": told},
    )


async def _to_follow(tx: Tx, changed: Changed[DriverRecord], trips: list[Appointment]) -> list[Later]:
    """Only what the change makes necessary. The tasks read the newest data when they run."""
    driver, then = changed.after, list[Later]()
    if driver.start and changed.touched(*HOME, "active"):  # clients who came while they did not drive were not measured
        then.append(calculate_driver_drive_times.later(driver.id))
    if driver.in_google and changed.touched("email", "active", "preferred_calendar_type"):
        then.append(create_driver_calendar.later(driver.id))
    elif driver.in_google and driver.google_calendar_id and changed.touched("name"):  # the task above names it too
        then.append(rename_driver_calendar.later(driver.id))
    kept = driver.google_calendar_id
    if kept and (changed.touched("email") or (changed.touched("active", "preferred_calendar_type") and not driver.in_google)):
        then.append(withdraw_driver_calendar.later(driver.id, changed.before.email, kept))
    if _leaves_google(changed):
        await drivers.put_calendar(tx, driver.id, None)
        then += [into_calendar(trip) for trip in trips]  # which takes them out of the one they are in
    return then


def _leaves_google(changed: Changed[DriverRecord]) -> bool:
    return bool(changed.after.google_calendar_id) and changed.after.preferred_calendar_type != "google"


def to_reassign(trips: list[Row], whose: str) -> list[str]:
    """For the person who saved, in a sentence or none. trips: as `in_short` has them. whose: "Ana still has"."""
    if not trips:
        return []
    few = "; ".join(trip["label"] for trip in trips[:3])
    more = f"; and {len(trips) - 3} more" if len(trips) > 3 else ""
    return [f"{whose} {len(trips)} {'trip' if len(trips) == 1 else 'trips'} to be given to somebody else: {few}{more}."]


def in_short(trips: list[Appointment], *, for_driver: bool = False) -> list[Row]:
    """As pages list and link them."""
    return [
        {"id": trip.id, "label": trip.label_for_driver if for_driver else trip.label, "pickuptime": trip.pickuptime}
        for trip in trips
    ]
