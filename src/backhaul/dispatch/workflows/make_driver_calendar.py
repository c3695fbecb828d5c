"""make-driver-calendar: for a driver who has none yet, or who does not see theirs; nothing of the record changes."""

from __future__ import annotations

from backhaul.core.errors import Conflict
from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.drivers.forms import OneDriver
from backhaul.dispatch.office import LEAD, workflow
from backhaul.dispatch.workflows.add_driver import create_driver_calendar

make_driver_calendar = workflow("make-driver-calendar", OneDriver, entity="driver", audit="make_driver_calendar", allow=LEAD)


@make_driver_calendar.sync
async def ask_for_calendar(tx: Tx, form: OneDriver, by: Actor) -> Saved:
    driver = await drivers.get(tx, form.id)
    if not driver.in_google:
        raise Conflict(
            f"{driver.name} has no calendar at Google",
            "They keep another kind" if driver.active else "They drive no more",
            "Change that first, then the calendar is made by itself",
            code="driver.other_calendar",
        )
    return Saved(
        driver.id,
        driver.label,
        details={"driver_name": driver.name},
        message="The calendar is made and shared in the background.",
        then=[create_driver_calendar.later(driver.id)],
    )
