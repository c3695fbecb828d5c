"""Appointments: the trips the office books, and what may be done with one.

Times, status and the guards are the database's (sql/appointments_schema.sql); here is what tells all faults at once, and in the
words of the forms. Lists and boards are in appointment_lists.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from backhaul.core.errors import Conflict, NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx, jsonb
from backhaul.dispatch.changes import Changed, check_version, must_have_changed, only
from backhaul.dispatch.forms import faulty
from backhaul.dispatch.stale import check_fresh
from backhaul.dispatch.trips.appointment_forms import AppointmentChange, Assignment, NewAppointment
from backhaul.dispatch.wall_time import office

_sql = Queries("appointments")

COLUMNS = frozenset(
    {
        "client_id", "appointment_type", "trip_direction", "event_name", "appointmenttime", "transittime",
        "this_appointment_length", "clinic_id", "locationname", "locationaddress", "pickup_address", "notes", "scheduling_notes",
        "driver_instructions", "operation_status", "driver_assigned", "preferred_driver", "managed_by", "cancellation_reason",
        "invoice_status",
    }
)  # fmt: skip
TIMES = ("pickuptime", "appointmenttime", "drop_off_time")
CALENDAR_FIELDS = (
    *TIMES, "appointment_type", "trip_direction", "event_name", "client_id", "pickup_from", "locationname", "locationaddress",
    "driver_instructions", "scheduling_notes", "notes", "operation_status", "driver_assigned", "deleted_at",
)  # fmt: skip
"""What a driver's calendar shows of a trip; a change of anything else leaves it alone."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """A trip with the names of all who have to do with it: a row of public.trips. Instants are UTC.

    pickup_from: where the client is fetched, which is pickup_address or the client's own. custom_rate: None also for those who
    may not see costs. A support trip may be nobody's: then all of the client is None.
    """

    id: UUID
    client_id: UUID | None
    knumber: str | None
    client_name: str | None
    client_first_name: str | None
    client_last_name: str | None
    client_phone: str | None
    client_email: str | None
    appointment_type: str
    trip_direction: str | None
    event_name: str | None
    appointmenttime: datetime
    pickuptime: datetime
    drop_off_time: datetime
    transittime: int
    this_appointment_length: int
    clinic_id: UUID | None
    locationname: str | None
    locationaddress: str | None
    pickup_address: str | None
    pickup_from: str | None
    notes: str | None
    scheduling_notes: str | None
    driver_instructions: str | None
    operation_status: str
    driver_assigned: UUID | None
    driver_name: str | None
    driver_first_name: str | None
    driver_email: str | None
    driver_phone: str | None
    driver_calendar_id: str | None
    preferred_driver: UUID | None
    managed_by: UUID | None
    managed_by_name: str | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    cancelled_by: UUID | None
    cancellation_reason: str | None
    deleted_at: datetime | None
    deleted_by: UUID | None
    purged_at: datetime | None
    invoice_status: str
    invoice_id: UUID | None
    custom_rate: Decimal | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def label(self) -> str:
        """What people call it: "Jane Roe (K1234567), 1 Dec 9:30"."""
        return f"{self.client_name} ({self.knumber}){self._when}" if self.client_id else self.label_for_driver

    @property
    def label_for_driver(self) -> str:
        """Without the K number, which is the office's: "Jane Roe, 1 Dec 9:30"."""
        return f"{self.client_name if self.client_id else self.event_name}{self._when}"

    @property
    def _when(self) -> str:
        when = office(self.appointmenttime)
        return f", {when.day} {when:%b} {when.hour}:{when.minute:02}"


@dataclass(frozen=True, slots=True)
class Clash:
    """What keeps a driver from a stretch of time. hard: it is refused; otherwise a warning. id: of the trip or time off.

    kind: trip, time_off, inactive, hours; for one trip also gender and preferred. starts, ends: None where there is no time.
    """

    kind: str
    hard: bool
    id: UUID
    starts: datetime | None
    ends: datetime | None
    label: str


async def insert(tx: Tx, wanted: Sequence[NewAppointment]) -> list[Appointment]:
    """Books these trips, all or none; in their order.

    Raises: Rejected with the faults of all rows at once (unknown client, clinic, driver …); Conflict with those of all rows whose
    driver is not free; Forbidden for a driver, manager or rate that this role may not choose.
    """
    rows = await _rows(tx, wanted)
    await _refuse_clashes(tx, rows)
    await tx.run(_sql.insert, {"rows": jsonb(rows)})
    rates = [{"id": row["id"], "custom_rate": row["custom_rate"]} for row in rows if row["custom_rate"] is not None]
    if rates:
        await tx.run(_sql.put_rates, {"rows": jsonb(rates)})
    return await tx.all(_sql.by_ids, {"ids": [row["id"] for row in rows]}, into=Appointment)


async def update(tx: Tx, form: AppointmentChange) -> Changed[Appointment]:
    """Changes what the form gives, and nothing else. The trip is locked from here to the commit.

    Raises: NotFound; Conflict when it was changed meanwhile, the driver is not free or the step does not exist; Forbidden for
    what this role may not change; Rejected for a client, clinic or driver nobody knows.
    """
    before = await locked(tx, form.id)
    await check_fresh(tx, form.given.get("version"), before.version, ("appointment", before.id, before.label))
    given = form.given | await _looked_up(tx, form)
    _check_whole(before, given)
    must_have_changed(await tx.run(_sql.update, {"id": form.id, "changes": jsonb(only(given, COLUMNS))}), "appointments")
    if "custom_rate" in given and given["custom_rate"] != before.custom_rate:  # None both ways for who may not see costs
        await tx.run(_sql.put_rates, {"rows": jsonb([{"id": form.id, "custom_rate": given["custom_rate"]}])})
    return Changed(before, await get(tx, form.id))


async def assign(tx: Tx, form: Assignment) -> Changed[Appointment]:
    """Gives a trip to a driver, to another one, or takes the driver off. The status follows. Raises: as update."""
    before = await locked(tx, form.id)
    check_version(form.version, before.version, "this appointment")
    await _know_all(tx, [{"place": 0, "driver_assigned": form.driver_assigned}])
    changes: Row = {"driver_assigned": form.driver_assigned}
    must_have_changed(await tx.run(_sql.update, {"id": form.id, "changes": jsonb(changes)}), "appointments")
    return Changed(before, await get(tx, form.id))


async def cancel(tx: Tx, appointment_id: UUID, reason: str) -> Appointment:
    """Raises: NotFound; Conflict without a driver, or when it is cancelled already; Forbidden."""
    await tx.one(_sql.cancel, {"id": appointment_id, "reason": reason})
    return await get(tx, appointment_id)


async def archive(tx: Tx, appointment_id: UUID) -> Appointment:
    """Raises: Conflict with a driver, or when there is no such trip, in the portal's one text for both; Forbidden."""
    await tx.one(_sql.archive, {"id": appointment_id})
    return await get(tx, appointment_id)


async def unarchive(tx: Tx, appointment_id: UUID) -> Appointment:
    """Raises: NotFound when it is not archived; Conflict; Forbidden."""
    await tx.one(_sql.unarchive, {"id": appointment_id})
    return await get(tx, appointment_id)


async def delete(tx: Tx, appointment_id: UUID) -> Appointment:
    """Deletes for good: on no list any more, not to be restored. Returns it as it was. Raises: NotFound; Conflict; Forbidden."""
    before = await locked(tx, appointment_id)
    await tx.one(_sql.delete, {"id": appointment_id})
    return before


async def get(db: Db, appointment_id: UUID) -> Appointment:
    """Raises: NotFound for a trip that is not there, was deleted for good, or is not theirs to see."""
    return _there(await db.one(_sql.by_id, {"id": appointment_id}, into=Appointment))


async def for_task(db: Db, appointment_id: UUID) -> Appointment:
    """The same for background steps, which also have to do with what was deleted for good (`purged_at`). Raises: NotFound."""
    return _there(await db.one(_sql.for_task, {"id": appointment_id}, into=Appointment))


async def locked(tx: Tx, appointment_id: UUID) -> Appointment:
    """The trip as it is, held against everybody else's changes until the commit. Raises: NotFound."""
    await tx.one(_sql.lock, {"id": appointment_id})
    return await get(tx, appointment_id)


async def conflicts(db: Db, driver_id: UUID, starts: datetime, ends: datetime, *, but: UUID | None = None) -> list[Clash]:
    """What keeps a driver from a stretch of time, the hard ones first. but: the trip that is being moved."""
    return await db.all(_sql.conflicts, {"driver": driver_id, "starts": starts, "ends": ends, "but": but}, into=Clash)


async def assignment_conflicts(db: Db, appointment_id: UUID, driver_id: UUID) -> list[Clash]:
    """What speaks against a driver for one trip as it stands: also the gender and the driver that the client asks for."""
    return await db.all(_sql.assignment_conflicts, {"id": appointment_id, "driver": driver_id}, into=Clash)


def _there(found: Appointment | None) -> Appointment:
    if found is None:
        raise NotFound("Appointment not found", "", "Reload the list", code="appointment.unknown")
    return found


# ── What the rows of a form speak of ──

_LOOKED_UP = ("knumber", "clinic_id", "driver_assigned", "preferred_driver", "managed_by")


async def _rows(tx: Tx, wanted: Sequence[NewAppointment]) -> list[Row]:
    rows = [form.model_dump() | {"place": place, "id": uuid4()} for place, form in enumerate(wanted)]
    known = await _know_all(tx, rows)
    return [row | {"client_id": found["client_id"]} for row, found in zip(rows, known, strict=True)]


async def _looked_up(tx: Tx, form: AppointmentChange) -> Row:
    """The client's id where a K number was given, or none of a support trip that is nobody's any more."""
    given = {name: value for name, value in form.given.items() if name in _LOOKED_UP}
    known = await _know_all(tx, [given | {"place": 0}])
    return {"client_id": known[0]["client_id"]} if "knumber" in given else {}


async def _know_all(tx: Tx, rows: Sequence[Row]) -> list[Row]:
    """Raises: Rejected with everything that is not known, in the order of the rows."""
    known = await tx.all(_sql.look_up, {"rows": jsonb([only(row, (*_LOOKED_UP, "place")) for row in rows])})
    many = len(rows) > 1
    fields = {
        (f"appointments.{row['place']}.{field}" if many else field): f"Row {row['place'] + 1}: {fault}" if many else fault
        for row in known
        for field, fault in _unknown(row)
    }
    if fields:
        raise faulty(fields)
    return known


def _unknown(row: Row) -> list[tuple[str, str]]:
    client = (
        "No client has this K number"
        if row["client_id"] is None
        else "This client is archived"
        if row["client_status"] == "archived"
        else ""
    )
    faults = [
        ("knumber", client if row["knumber"] else ""),
        ("clinic_id", "" if row["clinic_known"] else "Clinic must be chosen from the list"),
        ("driver_assigned", "" if row["driver_known"] else "Driver must be chosen from the list"),
        ("preferred_driver", "" if row["preferred_known"] else "Preferred driver must be chosen from the list"),
        ("managed_by", "" if row["manager_known"] else "Managing agent must be chosen from the list"),
    ]
    return [(field, fault) for field, fault in faults if fault]


def _check_whole(before: Appointment, given: Row) -> None:
    """What a trip must have, judged as it would be after the change. Raises: Rejected."""

    def after(name: str) -> Any:
        return given.get(name, getattr(before, name))

    kind, fields = after("appointment_type"), {}
    if kind == "support":
        if after("client_id") is None and after("event_name") is None:
            fields["event_name"] = "Event name is required"
    else:
        if after("client_id") is None:
            fields["knumber"] = "Client K number is required"
        if after("clinic_id") is None and after("locationname") is None:
            fields["location"] = "Location is required"
        if kind == "one_way" and after("trip_direction") is None:
            fields["trip_direction"] = "Trip direction is required"
    if fields:
        raise faulty(fields)


async def _refuse_clashes(tx: Tx, rows: Sequence[Row]) -> None:
    """Tells every row whose driver is not free. Two rows that clash with each other are refused by the database."""
    if all(row["driver_assigned"] is None for row in rows):
        return
    clashes = await tx.all(_sql.clashes, {"rows": jsonb(rows)})
    if not clashes:
        return
    fields: dict[str, str] = {}
    for clash in clashes:
        where = f"appointments.{clash['place']}.driver_assigned" if len(rows) > 1 else "driver_assigned"
        fields.setdefault(where, f"Row {clash['place'] + 1}: the driver is not free ({clash['kind'].replace('_', ' ')})")
    problem = Conflict(
        "Not every driver is free", ". ".join(fields.values()), "Choose other drivers or times", code="driver.busy"
    )
    problem.fields = fields
    raise problem
