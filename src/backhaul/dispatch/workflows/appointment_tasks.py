"""What follows when a trip is booked, changed, cancelled or removed: its calendar event, notices, and the note in Quo.

Each task reads the trip as it is when it runs. So of several changes that wait, the last is what the calendar and people get.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from backhaul.core.errors import Gone, Misconfigured, OutcomeUnknown, OutsideProblem, Transient
from backhaul.core.store import Db
from backhaul.core.task import Later, Retry, Run
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.clients import clients
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.messages import messages, notices
from backhaul.dispatch.messages.messages import Audience
from backhaul.dispatch.messages.notices import Notices
from backhaul.dispatch.messages.texting import send_intended
from backhaul.dispatch.office import Calendars, Office, workflows
from backhaul.dispatch.trips import appointments, calendar_events
from backhaul.dispatch.trips.appointments import CALENDAR_FIELDS, Appointment
from backhaul.dispatch.trips.calendar_events import Kept
from backhaul.dispatch.trips.trip_event import digest, event_of
from backhaul.dispatch.wall_time import office
from backhaul.outside.google_calendar import event_id
from backhaul.outside.quo import Kept as KeptContact

_ENDS = ("operation_status", "purged_at")
_TIMES = ("pickuptime", "appointmenttime")
_NOTED = (*_TIMES, *_ENDS, "client_id", "deleted_at")


@dataclass(frozen=True, slots=True)
class Following:
    """The tasks a save leaves behind, and what the caller should hear of people who cannot be told."""

    tasks: list[Later]
    warnings: list[str]


def following(before: Appointment | None, after: Appointment, told: Notices) -> Following:
    """Only what this change makes necessary. before: None for a new trip."""
    moved = Changed(before or after, after)
    tasks: list[Later] = []
    calendar = after.driver_calendar_id or (before and before.driver_calendar_id)
    if calendar and (before is None or moved.touched(*CALENDAR_FIELDS, "purged_at")):
        tasks.append(put_calendar_event.later(after.id))
    tell, warnings = _to_be_told(before, after, told)
    clients_noted = dict.fromkeys(trip.client_id for trip in (after, before) if trip and trip.client_id)
    if before is None or moved.touched(*_NOTED):
        tell += [sync_appointment_quo.later(after.id, client) for client in clients_noted]
    return Following(tasks + tell, warnings)


def _to_be_told(before: Appointment | None, after: Appointment, told: Notices) -> tuple[list[Later], list[str]]:
    moved, tasks, warnings = Changed(before or after, after), list[Later](), list[str]()
    if not told.about(after):
        return tasks, warnings
    ended = moved.touched(*_ENDS) and "cancelled" in {after.operation_status, before and before.operation_status}
    news = before is None or moved.touched(*_TIMES, "purged_at") or ended
    if after.client_id and after.appointment_type != "support" and (news or moved.touched("client_id")):
        tasks.append(send_appointment_notification.later(after.id, "client", after.client_id))
    if news or moved.touched("driver_assigned"):
        whom = {trip.driver_assigned: trip for trip in (before, after) if trip is not None and trip.driver_assigned is not None}
        for driver, trip in whom.items():
            if trip.driver_phone:
                tasks.append(send_appointment_notification.later(after.id, "driver", driver))
            else:
                warnings.append(f"No text goes to {trip.driver_name}: no telephone number is known")
    return tasks, warnings


# ── The calendar ──


@workflows.task(once_per="appointment_id", retry=Retry(attempts=8), lane="calendar", label="Put into the driver's calendar")
async def put_calendar_event(run: Run[Office], appointment_id: UUID) -> dict[str, Any]:
    """The trip is in its driver's calendar once, as it is now, and in no other.

    One task for all calendars of a trip, since two that run beside each other could undo one another's work.
    """
    trip = await appointments.for_task(run.db, appointment_id)
    calendars = run.office.calendars
    if calendars is None:
        raise Misconfigured(
            "Google Calendar",
            "The driver's calendar was not changed",
            "No key for Google Calendar is set",
            "Set the key of the service account; then retry",
            everybodys=False,
            code="calendar.off",
        )
    home = None if trip.deleted_at else trip.driver_calendar_id
    removed, trouble = 0, None
    for kept in await calendar_events.of_appointment(run.db, trip.id):
        if kept.event_id and kept.calendar_id != home:
            try:  # the new driver's calendar does not wait for the old one's
                removed += await _remove(run.db, calendars, kept)
            except OutsideProblem as problem:
                await calendar_events.failed(run.db, kept, problem.message)
                trouble = problem
    put = await _put(run.db, calendars, trip, home) if home else None
    if trouble:
        raise trouble
    return {"put": put, "removed": removed}


async def _put(db: Db, calendars: Calendars, trip: Appointment, home: str) -> str:
    """Until it says so there. An id that was deleted by hand is spent; the next is free, for no trip has had it."""
    if trip.driver_assigned is None:
        raise LookupError("a calendar is its driver's")
    event = event_of(trip)
    while True:
        kept = await calendar_events.opened(db, trip.id, home, trip.driver_assigned)
        if kept.event_id is None and trip.operation_status == "cancelled":
            return "nothing to mark as cancelled"
        if kept.synced_hash == digest(event):
            return "as it was"
        name = event_id(trip.id, home, kept.generation)
        await calendar_events.intend(db, kept, name)  # whoever comes after a crash here asks for the same id
        try:
            outcome = await calendars.put_event(home, name, event)
        except OutsideProblem as problem:
            await calendar_events.failed(db, kept, problem.message)
            raise
        if outcome != "spent":
            await calendar_events.wrote(db, kept, digest(event))
            return outcome
        await calendar_events.spent(db, kept)


async def _remove(db: Db, calendars: Calendars, kept: Kept) -> bool:
    if kept.event_id is None:
        return False
    was_there = await calendars.delete_event(kept.calendar_id, kept.event_id)
    await calendar_events.spent(db, kept)
    return was_there


# ── Notices ──


class Words(BaseModel):
    """A notice as it was decided upon, for one version of the trip."""

    kind: str
    for_time: datetime
    occasion: int
    text: str


@workflows.task(once_per=("appointment_id", "audience", "recipient_id"), lane="quo", label="Send notification")
async def send_appointment_notification(
    run: Run[Office], appointment_id: UUID, audience: Audience, recipient_id: UUID
) -> dict[str, Any]:
    """The client or driver has one text of what is new to them; none when nothing is."""
    trip = await appointments.for_task(run.db, appointment_id)
    if not (await notices.settings(run.db)).about(trip):
        return {"sent": None, "because": "The trip is over, or notices are off"}
    if run.office.texts is None:
        return {"sent": None, "because": "Texts are off: no number to send from is set (quo_from)"}

    async def compose(version: int) -> Words | None:
        notice = await notices.due(run.db, trip, audience, recipient_id)
        if notice is None:
            return None
        driver = recipient_id if audience == "driver" else None
        return Words(**asdict(notice), text=await messages.text(run.db, trip.id, audience, notice.kind, driver=driver))

    words = await run.step("what there is to say", compose, trip.version)
    if words is None:
        return {"sent": None, "because": "They know already"}
    to = await _number(run.db, trip, audience, recipient_id)
    intended = await messages.intend(
        run.db,
        trip.id,
        audience,
        recipient_id,
        words.kind,
        for_time=words.for_time,
        to_number=to,
        body=words.text,
        occasion=words.occasion,
    )
    if intended.state == "sent":
        return {"sent": words.kind, "message_id": None}
    sent = await send_intended(run, intended.id, words.text, to, f"the notice to the {audience} ({words.kind})")
    return {"sent": words.kind, "message_id": sent.message_id}


async def _number(db: Db, trip: Appointment, audience: Audience, recipient_id: UUID) -> str | None:
    if audience == "client":
        return trip.client_phone
    driver = await drivers.get(db, recipient_id)
    return driver.work_phone or driver.phone


# ── Quo ──


@workflows.task(
    once_per=("appointment_id", "client_id"),
    retry=Retry(attempts=8, on=(Transient, OutcomeUnknown)),
    lane="quo",
    label="Sync appointment to Quo",
)
async def sync_appointment_quo(run: Run[Office], appointment_id: UUID, client_id: UUID) -> dict[str, Any]:
    """The client's contact in Quo has one note of this trip, or none when it was removed or is another client's now."""
    if not run.office.quo.keeps_notes:
        return {"noted": False, "because": "Quo's v1 surface keeps no notes"}
    trip = await appointments.for_task(run.db, appointment_id)
    client = await clients.get(run.db, client_id)
    text = _note(trip) if trip.client_id == client_id and trip.deleted_at is None else None
    mark = f"[trip {trip.id}]"
    if client.openphone_contact_id:
        try:
            await run.office.quo.put_note(client.openphone_contact_id, text, mark=mark)
            return {"noted": text is not None}
        except Gone:  # the contact was deleted there: it is made again, as it would be for a client who is new to Quo
            if text is None:
                return {"noted": False}
    elif text is None:
        return {"noted": False}
    await run.office.quo.put_note(await _contact(run, client), text, mark=mark)
    return {"noted": True}


async def _contact(run: Run[Office], client: clients.Client) -> str:
    kept: KeptContact = await run.step(
        "put contact", run.office.quo.put_contact, client.contact, external_id=f"client:{client.id}"
    )
    await clients.put_quo_contact(run.db, client.id, kept.contact_id)
    return kept.contact_id


def _note(trip: Appointment) -> str:
    """Neither the clinic nor the reason: everybody in the workspace may read it."""
    at = office(trip.pickuptime)
    return f"Ride on {at:%A} {at.day} {at:%B} {at.year}, pickup {at:%H:%M}: {trip.operation_status}"
