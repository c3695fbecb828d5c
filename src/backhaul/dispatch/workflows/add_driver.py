"""add-driver: the caller waits for the save alone; the calendar is made and the drives are measured afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from backhaul.core.errors import Gone, Misconfigured, OutcomeUnknown, Transient, Unplaceable
from backhaul.core.store import Actor, Tx
from backhaul.core.task import Later, Retry, Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.clients import clients
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.drivers.drivers import DriverRecord
from backhaul.dispatch.drivers.forms import NewDriver
from backhaul.dispatch.follow import follow
from backhaul.dispatch.office import LEAD, Calendars, Office, workflow
from backhaul.dispatch.travel import driver_times
from backhaul.dispatch.travel.placing import driver_home, home_of
from backhaul.dispatch.trips import calendar_events
from backhaul.dispatch.trips.appointments import Appointment
from backhaul.dispatch.workflows.appointment_tasks import put_calendar_event
from backhaul.outside.google_calendar import KeptCalendar
from backhaul.outside.maps import Leg, Place, Point

add_driver = workflow(
    "add-driver",
    NewDriver,
    entity="driver",
    audit="create_driver",
    allow=LEAD,
    aliases=("add-driver-with-calendar", "add-driver-v5"),
)


# ── Sync phase: driver, audit log and tasks are written in one commit, then the caller hears ──
@add_driver.sync
async def save_driver(tx: Tx, form: NewDriver, by: Actor) -> Saved:
    driver = await drivers.insert(tx, form)
    return Saved(
        driver.id,
        driver.label,
        details={"driver_name": driver.name},
        message="Driver added successfully!",
        then=[
            *([create_driver_calendar.later(driver.id)] if driver.in_google else []),
            *([calculate_driver_drive_times.later(driver.id)] if driver.start else []),
        ],
        reply=answered(driver),
    )


def answered(driver: DriverRecord) -> dict[str, Any]:
    """A saved driver as the pages are answered."""
    shown = {"id": driver.id, "name": driver.name, "email": driver.email, "active": driver.active, "version": driver.version}
    return {"driverId": driver.id, "driverName": driver.name, "driverEmail": driver.email, "data": {"driver": shown}}


# ── Background: the calendar. Google keeps duplicates, so put_calendar looks for our mark before it makes one ──
@add_driver.background(
    once_per="driver_id",
    retry=Retry(attempts=8, on=(Transient, OutcomeUnknown)),
    lane="calendar",
    label="Create the driver's calendar",
)
async def create_driver_calendar(run: Run[Office], driver_id: UUID) -> dict[str, Any]:
    """The driver has one calendar with us, named after them and shared with their e-mail address, and the trips they are to drive
    are on their way into it. One that is known is shared anew; one that was deleted there is made anew.
    """
    driver = await drivers.get(run.db, driver_id)
    if not driver.in_google:
        return {"created": False, "because": "They drive no more, or keep another calendar"}
    kept = await _shared(run, driver)
    await drivers.put_calendar(run.db, driver.id, kept.calendar_id)
    # corrected, taken off, or given another kind while we shared: that save knew of no calendar to take from them
    now = await drivers.get(run.db, driver.id)
    if now.email != driver.email or not now.in_google:
        await calendars_of(run.office).unshare_calendar(kept.calendar_id, driver.email)
    trips = await _to_enter(run, driver, kept.calendar_id)
    await follow(run, [into_calendar(trip) for trip in trips])
    if (
        not kept.created or now.name != driver.name
    ):  # it may have the name they had when it was made; their trips do not wait for it
        await _name(run, now, kept.calendar_id)
    return {"created": kept.created, "trips_to_enter": len(trips)}


async def _to_enter(run: Run[Office], driver: DriverRecord, calendar_id: str) -> list[Appointment]:
    """The trips they are to drive that are not in that calendar yet: also those that an attempt before this one left out."""
    events = await calendar_events.of_driver(run.db, driver.id)
    entered = {event.appointment_id for event in events if event.calendar_id == calendar_id and event.synced_hash}
    return [trip for trip in await drivers.to_drive(run.db, driver.id) if trip.id not in entered]


async def _shared(run: Run[Office], driver: DriverRecord) -> KeptCalendar:
    """Google tells the driver of it: their own list does not show a calendar before they follow the link."""
    calendars = calendars_of(run.office)
    known = driver.google_calendar_id
    if known:
        try:
            await run.step("share", calendars.share_calendar, known, driver.email, tell=True)
        except Gone:
            pass  # deleted there, or no longer shared with us
        else:
            return KeptCalendar(calendar_id=known, created=False)
    kept: KeptCalendar = await run.step("put calendar", calendars.put_calendar, f"driver:{driver.id}", _name_for(driver))
    await run.step("share", calendars.share_calendar, kept.calendar_id, driver.email, tell=True, new=kept.created)
    return kept


@add_driver.background(once_per="driver_id", retry=Retry(attempts=8), lane="calendar", label="Rename the driver's calendar")
async def rename_driver_calendar(run: Run[Office], driver_id: UUID) -> dict[str, Any]:
    """The driver's calendar is named after them, as they are called now. One that was named otherwise by hand keeps that name."""
    driver = await drivers.get(run.db, driver_id)
    if not driver.in_google or driver.google_calendar_id is None:
        return {"renamed": False, "because": "They drive no more, or keep another calendar"}
    return {"renamed": await _name(run, driver, driver.google_calendar_id)}


async def _name(run: Run[Office], driver: DriverRecord, calendar_id: str) -> bool:
    return await calendars_of(run.office).rename_calendar(calendar_id, _name_for(driver), ours=_NAMED_BY_US)


_NAMED_BY_US = "Trips of "


def _name_for(driver: DriverRecord) -> str:
    return f"{_NAMED_BY_US}{driver.name}"


@add_driver.background(
    once_per=("driver_id", "email"), retry=Retry(attempts=8), lane="calendar", label="Stop sharing the driver's calendar"
)
async def withdraw_driver_calendar(run: Run[Office], driver_id: UUID, email: str, calendar_id: str) -> dict[str, Any]:
    """Nobody at an address that was a driver's reads their calendar any more: it says where clients live, and when they ride."""
    driver = await drivers.get(run.db, driver_id)
    if driver.in_google and driver.email.lower() == email.lower():  # theirs again
        return {"withdrawn": False}
    return {"withdrawn": await calendars_of(run.office).unshare_calendar(calendar_id, email)}


def into_calendar(trip: Appointment) -> Later:
    """The trip is written into its driver's calendar as that is then, and taken out of any other."""
    return replace(put_calendar_event.later(trip.id), about=("appointment", trip.id, trip.label))


def calendars_of(office: Office) -> Calendars:
    """Raises: Misconfigured without a key."""
    if office.calendars is None:
        raise Misconfigured(
            "Google Calendar",
            "The driver's calendar was not made or shared",
            "No key for Google Calendar is set",
            "Set the key of the service account, then retry; or choose another kind of calendar for this driver",
            everybodys=False,
            code="calendar.off",
        )
    return office.calendars


# ── Background: the drives, many clients in one call ──
@add_driver.background(once_per="driver_id", retry=Retry(attempts=5, on=Transient), lane="maps")
async def calculate_driver_drive_times(run: Run[Office], driver_id: UUID) -> dict[str, Any]:
    """From the driver's home to every active client. One without an answer is recorded with the reason; the rest have theirs."""
    driver = (await drivers.get(run.db, driver_id)).start
    if driver is None:  # no home address, or no longer a driver
        return {"drive_times_calculated": 0, "without_answer": 0}
    ends = await driver_times.ends(run.db)
    if not ends:  # nobody to measure to, so nothing to look up and pay for
        return {"drive_times_calculated": 0, "without_answer": 0}
    home = await driver_home(run, driver)
    unknown, places = await _places(run, ends)
    maps = run.office.maps
    legs: dict[UUID, tuple[Point | None, Leg]] = {client: (None, leg) for client, leg in unknown.items()}
    await driver_times.put(run.db, driver.id, home, legs, source=maps.service)
    for batch in maps.batches(places):
        measured = await run.step("ask Maps", maps.minutes_to, home, batch)
        answers: dict[UUID, tuple[Point | None, Leg]] = {place.id: (place.point, measured[place.id]) for place in batch}
        await driver_times.put(run.db, driver.id, home, answers, source=maps.service)  # upsert: safe to repeat
        legs |= answers
    answered = sum(leg.minutes is not None for _, leg in legs.values())
    return {"drive_times_calculated": answered, "without_answer": len(legs) - answered}


async def _places(run: Run[Office], ends: list[driver_times.End]) -> tuple[dict[UUID, Leg], list[Place]]:
    """Where the clients live; and, for those whose address nobody knows, the reason as their answer."""
    unknown: dict[UUID, Leg] = {}
    places: list[Place] = []
    for end in ends:
        try:
            home = end.home or await home_of(run, await clients.get(run.db, end.id))
        except Unplaceable as problem:
            unknown[end.id] = Leg(error=f"The client's own address: {problem.message}")
        else:
            places.append(Place(id=end.id, point=home))
    return unknown, places
