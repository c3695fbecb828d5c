"""Drivers: where they start from, when they drive, and what may be done with their record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from backhaul.core.errors import Conflict, NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx, jsonb
from backhaul.dispatch.changes import Changed, check_version, must_have_changed, only
from backhaul.dispatch.drivers.forms import DriverChange, NewDriver, NewTimeOff, TimeOffChange, Week
from backhaul.dispatch.trips.appointments import Appointment
from backhaul.outside.maps import Address, Found, Point

_sql = Queries("drivers")

COLUMNS = frozenset(NewDriver.model_fields)
HOME = ("home_address", "home_city", "home_province", "home_postal_code")
"""When one of these changes, drive times from that home are forgotten, and are to be measured anew."""


@dataclass(frozen=True, slots=True)
class Driver:
    """An active driver with a home address."""

    id: UUID
    name: str
    home_address: str
    home_city: str | None
    home_province: str | None
    home_postal_code: str | None
    home_latitude: float | None
    home_longitude: float | None

    @property
    def address(self) -> Address:
        return Address(
            line=self.home_address,
            city=self.home_city or "",
            province=self.home_province or "",
            postal_code=self.home_postal_code or "",
        )

    @property
    def home(self) -> Point | None:
        if self.home_latitude is None or self.home_longitude is None:
            return None
        return Point(latitude=self.home_latitude, longitude=self.home_longitude)


@dataclass(frozen=True, slots=True)
class DriverRecord:
    """The whole record. weekly_hours: {monday: {available, start, end}, …}. google_calendar_id: None until it is made."""

    id: UUID
    first_name: str
    last_name: str
    name: str
    email: str
    phone: str | None
    work_phone: str | None
    gender: str | None
    active: bool
    home_address: str | None
    home_city: str | None
    home_province: str | None
    home_postal_code: str | None
    home_latitude: float | None
    home_longitude: float | None
    home_precision: str | None
    workload_percentage: int
    workload_preference: str
    preferred_calendar_type: str
    google_calendar_id: str | None
    weekly_hours: Week
    vehicle_description: str | None
    notes: str | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def label(self) -> str:
        return self.name

    @property
    def in_google(self) -> bool:
        """Whether they are to have a calendar at Google."""
        return self.active and self.preferred_calendar_type == "google"

    @property
    def start(self) -> Driver | None:
        """As the starting point of drives; None without a home address, or when they drive no more."""
        if not self.active or not self.home_address:
            return None
        return Driver(
            self.id, self.name, self.home_address, self.home_city, self.home_province, self.home_postal_code,
            self.home_latitude, self.home_longitude,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimeOff:
    """starts, ends: the instants; end not included."""

    id: UUID
    driver_id: UUID
    entry_type: str
    start_date: date
    end_date: date
    all_day: bool
    start_time: time | None
    end_time: time | None
    reason: str | None
    starts: datetime
    ends: datetime


async def with_homes(db: Db) -> list[Driver]:
    """All active drivers with a home address, by name."""
    return await db.all(_sql.with_homes, into=Driver)


async def put_home(db: Db, driver: Driver, found: Found) -> None:
    """Keeps where the home lies; not if the address has changed since it was asked about."""
    await db.run(
        _sql.put_home,
        {
            "id": driver.id,
            "latitude": found.point.latitude,
            "longitude": found.point.longitude,
            "precision": found.precision,
            **driver.address.model_dump(),
        },
    )


async def insert(tx: Tx, form: NewDriver) -> DriverRecord:
    """Raises: Conflict naming the e-mail address when another driver has it; Forbidden."""
    saved = await tx.one(_sql.insert, form.model_dump() | {"weekly_hours": _json(form.weekly_hours)})
    if saved is None:
        raise await _email_taken(tx, form.email)
    return await get(tx, saved["id"])


async def update(tx: Tx, form: DriverChange) -> Changed[DriverRecord]:
    """Changes what the form gives, and nothing else. The driver is locked from here to the commit.

    Raises: NotFound; Conflict when they were changed meanwhile, or another driver has that e-mail address; Forbidden.
    """
    await tx.one(_sql.lock, {"id": form.id})
    before = await get(tx, form.id)
    check_version(form.given.get("version"), before.version, "this driver")
    given = only(form.given, COLUMNS)
    if given.get("email", before.email).lower() != before.email.lower():
        holder = await tx.one(_sql.holder_of_email, {"email": given["email"]})
        if holder is not None:
            raise await _email_taken(tx, given["email"])
    must_have_changed(await tx.run(_sql.update, {"id": form.id, "changes": jsonb(given)}), "drivers")
    return Changed(before, await get(tx, form.id))


async def get(db: Db, driver_id: UUID) -> DriverRecord:
    """Raises: NotFound for a driver who is not there, or not theirs to see."""
    driver = await db.one(_sql.by_id, {"id": driver_id}, into=DriverRecord)
    if driver is None:
        raise NotFound("There is no such driver", "The record does not exist", "Reload the list", code="driver.unknown")
    return driver


async def put_calendar(db: Db, driver_id: UUID, calendar_id: str | None) -> None:
    """Keeps which calendar was made for a driver; None when they have none there any more. Not for one who keeps another kind."""
    await db.run(_sql.put_calendar, {"id": driver_id, "calendar_id": calendar_id})


async def to_drive(db: Db, driver_id: UUID) -> list[Appointment]:
    """The trips a driver still has to drive, soonest first."""
    return await db.all(_sql.to_drive, {"driver": driver_id}, into=Appointment)


async def all_of_them(db: Db, *, q: str | None = None, active: bool | None = None, driver: UUID | None = None) -> list[Row]:
    """Drivers by name, each with how they stand now (available, busy, on-leave, offline) and their time off from today on."""
    term = (q or "").strip()
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    digits = "".join(filter(str.isdecimal, term))
    return await db.all(
        _sql.all,
        {
            "q": f"%{escaped}%" if term else None,
            "digits": f"%{digits}%" if len(digits) >= 3 else None,
            "active": active,
            "id": driver,
        },
    )


# ── Time off ──


async def add_time_off(tx: Tx, form: NewTimeOff) -> TimeOff:
    """Trips that the driver has then stay as they are: see trips_during. Raises: NotFound for no such driver; Forbidden."""
    await get(tx, form.driver_id)
    saved = await tx.one(_sql.add_time_off, form.model_dump())
    return await one_time_off(tx, (saved or {})["id"])


async def change_time_off(tx: Tx, form: TimeOffChange) -> Changed[TimeOff]:
    """The entry is locked from here to the commit. Raises: NotFound for an entry that is not there, or not theirs; Forbidden."""
    await tx.one(_sql.lock_time_off, {"id": form.id})
    before = await one_time_off(tx, form.id)
    changes: dict[str, Any] = form.model_dump(include=form.model_fields_set - {"id", "driver_id"})
    must_have_changed(await tx.run(_sql.change_time_off, {"id": form.id, "changes": jsonb(changes)}), "this entry")
    return Changed(before, await one_time_off(tx, form.id))


async def remove_time_off(tx: Tx, entry_id: UUID) -> TimeOff:
    """Returns it as it was. Raises: NotFound."""
    entry = await one_time_off(tx, entry_id)
    if await tx.one(_sql.remove_time_off, {"id": entry_id}) is None:
        raise _no_such_entry()
    return entry


async def one_time_off(db: Db, entry_id: UUID) -> TimeOff:
    """Raises: NotFound."""
    entry = await db.one(_sql.one_time_off, {"id": entry_id}, into=TimeOff)
    if entry is None:
        raise _no_such_entry()
    return entry


async def trips_during(db: Db, entry: TimeOff) -> list[Appointment]:
    """The trips that a driver was to drive then: whoever enters time off is told of them."""
    when = {"driver": entry.driver_id, "starts": entry.starts, "ends": entry.ends}
    return await db.all(_sql.trips_during, when, into=Appointment)


def _json(week: Week | None) -> object:
    return None if week is None else jsonb(week)


def _no_such_entry() -> NotFound:
    return NotFound("There is no such entry", "It was removed, or is not yours", "Reload the driver", code="time_off.unknown")


async def _email_taken(tx: Tx, email: str) -> Conflict:
    holder = await tx.one(_sql.holder_of_email, {"email": email})
    whose = f"It belongs to {holder['name']}{'' if holder['active'] else ' (no longer active)'}" if holder else "Just now"
    taken = Conflict(
        "Another driver has this e-mail address", whose, "Use another, or open that driver", code="driver.email_taken"
    )
    taken.fields = {"email": f"{taken.what}. {whose}."}
    return taken
