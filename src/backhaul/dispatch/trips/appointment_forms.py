"""The forms of appointments, as pages and documents send them: one, many, a change, and the ways a trip ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import model_validator

from backhaul.dispatch import forms
from backhaul.dispatch.forms import Change, Form, Missing, also, needed, text
from backhaul.dispatch.wall_time import moment

AT_ONCE = 200
SUPPORT_KNUMBER = "K0000"
"""What the pages send, and are sent, in place of a client's number for a support trip that is nobody's."""

Needed = dict[str, tuple[str, ...]]
_PLACE = ("location", "locationName", "locationname")


class NewAppointment(Form):
    """A trip to be booked. Pickup and drop-off times are worked out, never taken from the form; so is the status.

    transittime, this_appointment_length: minutes; None means the known drive to that clinic, and the client's usual stay.
    """

    knumber: Annotated[str | None, forms.k_number("Client K number")] = also("knumber", "kNumber", "k_number")
    appointmenttime: Annotated[datetime, moment("Appointment date/time", required=True)] = also(
        "appointmentDateTime", "appointmenttime", "appointment_time"
    )
    appointment_type: Annotated[
        str, forms.choice("Appointment type", "round_trip", "one_way", "support", default="round_trip")
    ] = also("appointment_type", "appointmentType")
    trip_direction: Annotated[str | None, forms.choice("Trip direction", "to_clinic", "to_home")] = also(
        "trip_direction", "tripDirection"
    )
    event_name: Annotated[str | None, text("Event name")] = also("event_name", "eventName")
    transittime: Annotated[int | None, forms.whole_number("Transit time", least=1, most=600)] = also("transitTime", "transittime")
    this_appointment_length: Annotated[int | None, forms.whole_number("Appointment length", least=5, most=720)] = also(
        "appointmentLength", "appointment_length", "this_appointment_length", "appointmentlength"
    )
    clinic_id: Annotated[UUID | None, forms.record_id("Clinic")] = also("clinic_id", "clinicId")
    locationname: Annotated[str | None, text("Location")] = also(*_PLACE)
    locationaddress: Annotated[str | None, text("Location address", longest=300)] = also("locationAddress", "locationaddress")
    pickup_address: Annotated[str | None, text("Pickup address", longest=300)] = also("pickup_address", "pickupAddress")
    notes: Annotated[str | None, text("Notes", longest=5000, lines=True)] = also("notes")
    scheduling_notes: Annotated[str | None, text("Scheduling notes", longest=2000, lines=True)] = also(
        "scheduling_notes", "schedulingNotes"
    )
    driver_instructions: Annotated[str | None, text("Driver instructions", longest=2000, lines=True)] = also(
        "driver_instructions", "driverInstructions"
    )
    custom_rate: Annotated[Decimal | None, forms.amount("Rate")] = also("customRate", "custom_rate")
    driver_assigned: Annotated[UUID | None, forms.record_id("Driver")] = also("driver_assigned", "driverAssigned", "driver_id")
    preferred_driver: Annotated[UUID | None, forms.record_id("Preferred driver")] = also("preferred_driver", "preferredDriver")
    managed_by: Annotated[UUID | None, forms.record_id("Managing agent")] = also("managed_by", "managedBy")

    @model_validator(mode="before")
    @classmethod
    def _made_necessary(cls, sent: Any) -> Any:
        """What other fields make necessary is marked, so that it is told together with all other faults."""
        if not isinstance(sent, Mapping):
            return sent
        given = {key: value.strip() if isinstance(value, str) else value for key, value in sent.items()}
        if str(given.get("knumber", given.get("kNumber")) or "").upper() == SUPPORT_KNUMBER:
            given = {key: value for key, value in given.items() if key not in ("knumber", "kNumber", "k_number")}
        needs = cls._needs(given, str(_first(given, "appointment_type", "appointmentType") or "").lower())
        return given | {name: Missing.FIELD for name, others in needs.items() if not _first(given, name, *others)}

    @classmethod
    def _needs(cls, given: Mapping[str, Any], kind: str) -> Needed:
        """The fields that must be there, and their other spellings."""
        if kind == "support":
            return {} if _first(given, "knumber", "kNumber", "k_number") else {"event_name": ("eventName",)}
        direction: Needed = {"trip_direction": ("tripDirection",)} if kind == "one_way" else {}
        place: Needed = {} if _first(given, "clinic_id", "clinicId") else {_PLACE[0]: _PLACE[1:]}
        return {"knumber": ("kNumber", "k_number")} | place | direction


class AppointmentChange(NewAppointment, Change):
    """A change of one trip: what is left out stays as it is, null takes it away. `version`, if sent, must be the stored one.

    operation_status follows the driver by itself; it is sent to complete, reopen, cancel or reactivate.
    """

    id: Annotated[UUID, forms.record_id("Appointment ID", required=True)] = needed("id", "appointmentId", "appointment_id")
    appointment_type: Annotated[str, forms.choice("Appointment type", "round_trip", "one_way", "support", required=True)] = also(
        "appointment_type", "appointmentType"
    )
    transittime: Annotated[int, forms.whole_number("Transit time", least=1, most=600, default=30)] = also(
        "transitTime", "transittime"
    )
    this_appointment_length: Annotated[int, forms.whole_number("Appointment length", least=5, most=720, default=120)] = also(
        "appointmentLength", "appointment_length", "this_appointment_length", "appointmentlength"
    )
    operation_status: Annotated[str, forms.choice("Status", "pending", "assigned", "completed", "cancelled", required=True)] = (
        also("status", "operation_status", "operationStatus")
    )
    cancellation_reason: Annotated[str | None, text("Cancellation reason", longest=500)] = also("cancellation_reason")
    version: Annotated[int | None, forms.whole_number("Version", least=1, most=999_999_999)] = also("version")

    @classmethod
    def _needs(cls, given: Mapping[str, Any], kind: str) -> Needed:
        return {}  # judged together with what is stored


class NewAppointments(Form):
    """One trip, or `{appointments: […]}` of many: all of them are saved, or none."""

    appointments: list[NewAppointment] = also("appointments")

    @model_validator(mode="before")
    @classmethod
    def _many(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        many = sent.get("appointments", [sent] if sent else [])
        if not isinstance(many, list) or not many:
            raise ValueError("No appointments provided")
        if len(many) > AT_ONCE:
            raise ValueError(f"No more than {AT_ONCE} appointments can be saved at once")
        return {"appointments": many}


class OneAppointment(Form):
    """Which trip is to be archived, restored or deleted. Who did it is in the token, whatever the body says."""

    id: Annotated[UUID, forms.record_id("Appointment ID", required=True)] = needed("id", "appointmentId", "appointment_id")


class Cancellation(OneAppointment):
    reason: Annotated[str, text("Cancellation reason", required=True, longest=500)] = needed("cancellation_reason", "reason")


class Assignment(OneAppointment):
    """Who drives a trip: null takes the driver off. Must be sent, so that nobody is taken off by a forgotten key."""

    driver_assigned: Annotated[UUID | None, forms.record_id("Driver")] = also("driver_assigned", "driverAssigned", "driver_id")
    version: Annotated[int | None, forms.whole_number("Version", least=1, most=999_999_999)] = also("version")

    @model_validator(mode="before")
    @classmethod
    def _driver_is_named(cls, sent: Any) -> Any:
        if isinstance(sent, Mapping) and not {"driver_assigned", "driverAssigned", "driver_id"} & set(sent):
            return {**sent, "driver_assigned": Missing.FIELD}
        return sent


def _first(given: Mapping[str, Any], *names: str) -> Any:
    return next((given[name] for name in names if given.get(name) not in (None, "")), None)
