"""A trip as its driver reads it in their calendar."""

from __future__ import annotations

import hashlib

from backhaul.dispatch.trips.appointments import Appointment
from backhaul.dispatch.wall_time import office
from backhaul.outside.google_calendar import Event

_COLOURS = {"round_trip": 2, "one_way": 6, "support": 3}


def event_of(trip: Appointment) -> Event:
    """The event of a trip that has a driver. A cancelled one stays, marked, so that its driver sees it."""
    if trip.driver_assigned is None:
        raise ValueError("a trip without a driver is in no calendar")
    cancelled = trip.operation_status == "cancelled"
    return Event(
        appointment_id=trip.id,
        driver_id=trip.driver_assigned,
        title=f"CANCELLED - {_title(trip)}" if cancelled else _title(trip),
        description=_description(trip),
        location=(trip.locationaddress if _begins_at_the_place(trip) else trip.pickup_from) or "",
        starts=trip.pickuptime,
        ends=trip.drop_off_time,
        status="tentative" if cancelled else "confirmed",
        colour=_COLOURS[trip.appointment_type],
    )


def digest(event: Event) -> str:
    """What is kept of an event, to know whether the calendar says it already."""
    return hashlib.sha256(event.model_dump_json().encode()).hexdigest()


def _title(trip: Appointment) -> str:
    who, place = trip.client_name or "", trip.locationname or trip.locationaddress or "the clinic"
    if trip.appointment_type == "support":
        return f"SUPPORT: {trip.event_name or who}"
    if trip.trip_direction == "to_home":
        return f"ONE-WAY: {who} home from {place}"
    return f"{'ONE-WAY' if trip.appointment_type == 'one_way' else 'Transport'}: {who} to {place}"


def _description(trip: Appointment) -> str:
    lines = {
        "Client": trip.client_name,
        "Phone": trip.client_phone,
        "Pickup": f"{office(trip.pickuptime):%H:%M}",
        "Pickup at": trip.pickup_from,
        "Appointment": f"{office(trip.appointmenttime):%H:%M}",
        "Place": ", ".join(filter(None, (trip.locationname, trip.locationaddress))),
        "Instructions": trip.driver_instructions,
        "Scheduling notes": trip.scheduling_notes,
        "Notes": trip.notes,
        "Cancelled": trip.cancellation_reason,
    }
    return "\n".join(f"{name}: {said}" for name, said in lines.items() if said)


def _begins_at_the_place(trip: Appointment) -> bool:
    return trip.appointment_type == "support" or trip.trip_direction == "to_home"
