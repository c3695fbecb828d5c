"""Clients: who is driven, where they live, and what may be done with their record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import model_validator

from backhaul.core.errors import Conflict, NotFound, Rejected
from backhaul.core.queries import Queries
from backhaul.core.store import Actor, Db, Row, Tx, jsonb
from backhaul.dispatch import forms
from backhaul.dispatch.forms import Form, KNumber, RequiredEmail, text
from backhaul.dispatch.forms import also as _also
from backhaul.outside.maps import Address, Found, Leg, Point
from backhaul.outside.quo import Contact

_SECOND_ADDRESS = ("secondary_civic_address", "secondary_city", "secondary_province", "secondary_postal_code")
_sql = Queries("clients")


class NewClient(Form):
    """The add-client form. Accepts `{kNumber, clientData: {…}}` as the pages send it, and the flat variant of the documents."""

    knumber: KNumber = _also("kNumber", "knumber")
    firstname: Annotated[str, text("First name", required=True, longest=100)] = _also("firstName", "firstname", "first_name")
    lastname: Annotated[str, text("Last name", required=True, longest=100)] = _also("lastName", "lastname", "last_name")
    phone: Annotated[str, forms.phone(required=True)] = _also("phone")
    email: RequiredEmail = _also("email")
    civicaddress: Annotated[str, text("Civic address", required=True)] = _also("civicAddress", "civicaddress", "civic_address")
    city: Annotated[str, text("City", required=True, longest=100)] = _also("city")
    prov: Annotated[str, forms.province(required=True)] = _also("province", "prov")
    postalcode: Annotated[str, forms.postal_code(required=True)] = _also("postalCode", "postalcode", "postal_code")
    appointment_length: Annotated[int, forms.minutes("Appointment length", least=15, most=480, default=120)] = _also(
        "appointmentLength", "appointment_length"
    )
    notes: Annotated[str | None, text("Notes", longest=5000, lines=True)] = _also("notes")
    emergency_contact_name: Annotated[str | None, text("Emergency contact name")] = _also(
        "emergencyContactName", "emergency_contact_name"
    )
    emergency_contact_number: Annotated[str | None, forms.phone("Emergency contact number")] = _also(
        "emergencyContactNumber", "emergency_contact_number"
    )
    active: Annotated[bool, forms.yes_or_no("Active", default=True)] = True
    mapaddress: Annotated[str | None, text("Map address")] = _also("mapAddress", "mapaddress")
    primary_clinic_id: Annotated[UUID | None, forms.record_id("Primary clinic")] = _also("primaryClinicId", "primary_clinic_id")
    secondary_civic_address: Annotated[str | None, text("Secondary civic address")] = _also("secondary_civic_address")
    secondary_city: Annotated[str | None, text("Secondary city", longest=100)] = _also("secondary_city")
    secondary_province: Annotated[str | None, forms.province("Secondary province")] = _also("secondary_province")
    secondary_postal_code: Annotated[str | None, forms.postal_code("Secondary postal code")] = _also("secondary_postal_code")
    secondary_address_notes: Annotated[str | None, text("Secondary address notes", longest=1000)] = _also(
        "secondary_address_notes"
    )

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        inner = sent.get("clientData", sent.get("client_data")) or {}
        if not isinstance(inner, Mapping):
            raise ValueError("clientData must be an object")
        given = {key: value for part in (sent, inner) for key, value in part.items() if value not in ("", None)}
        if any(str(given.get(name, "")).strip() for name in _SECOND_ADDRESS):
            given = dict.fromkeys(_SECOND_ADDRESS, forms.Missing.FIELD) | given  # once begun, it is given whole
        return given

    @property
    def full_name(self) -> str:
        return f"{self.firstname} {self.lastname}"


@dataclass(frozen=True, slots=True)
class Client:
    """What the background steps need of a client."""

    id: UUID
    knumber: str
    firstname: str
    lastname: str
    full_name: str
    phone: str
    email: str | None
    civicaddress: str
    city: str
    prov: str
    postalcode: str
    home_latitude: float | None
    home_longitude: float | None
    home_precision: str | None
    openphone_contact_id: str | None

    @property
    def label(self) -> str:
        return f"{self.full_name} ({self.knumber})"

    @property
    def address(self) -> Address:
        return Address(line=self.civicaddress, city=self.city, province=self.prov, postal_code=self.postalcode)

    @property
    def home(self) -> Point | None:
        """Where the address lies, once a map service has been asked."""
        if self.home_latitude is None or self.home_longitude is None:
            return None
        return Point(latitude=self.home_latitude, longitude=self.home_longitude)

    @property
    def contact(self) -> Contact:
        return Contact(first_name=self.firstname, last_name=self.lastname, phone=self.phone, email=self.email)


async def insert(tx: Tx, form: NewClient, by: Actor) -> UUID:
    """Saves a new client.

    Raises: Conflict naming the K number when it is taken (K numbers are never used again); Rejected for a clinic nobody knows.
    """
    if form.primary_clinic_id is not None and await tx.one(_sql.clinic, {"id": form.primary_clinic_id}) is None:
        raise _no_such_clinic()
    saved = await tx.one(_sql.insert, form.model_dump())
    if saved is not None:
        return UUID(str(saved["id"]))
    holder = await tx.one(_sql.holder_of_knumber, {"knumber": form.knumber})
    whose = f"It belongs to {holder['full_name']} ({holder['status']})" if holder else "Somebody has just used it"
    taken = Conflict(
        f"K number {form.knumber} already exists",
        whose,
        "Check the number, or open that client instead",
        code="client.knumber_taken",
    )
    taken.fields = {"kNumber": f"{taken.what}. {whose}."}
    raise taken


def _no_such_clinic() -> Rejected:
    fault = "Primary clinic must be chosen from the list"
    problem = Rejected(f"Validation failed: {fault}", "", "Choose one that is there", faults=[fault], code="validation")
    problem.fields = {"primaryClinicId": fault}
    return problem


async def get(db: Db, client_id: UUID) -> Client:
    """Raises: NotFound when the client has been removed since."""
    client = await db.one(_sql.by_id, {"id": client_id}, into=Client)
    if client is None:
        raise NotFound(
            "This client no longer exists",
            "The record was removed",
            "Dismiss this; there is nothing left to do",
            code="client.gone",
        )
    return client


async def put_home(db: Db, client: Client, found: Found) -> None:
    """Keeps where the address lies; not if the address has changed since it was asked about."""
    await db.run(
        _sql.put_home,
        {
            "id": client.id,
            "latitude": found.point.latitude,
            "longitude": found.point.longitude,
            "precision": found.precision,
            **client.address.model_dump(),
        },
    )


async def put_quo_contact(db: Db, client_id: UUID, contact_id: str) -> None:
    await db.run(_sql.put_quo_contact, {"id": client_id, "contact_id": contact_id})


async def put_drive_times(db: Db, client_id: UUID, legs: Mapping[UUID, Leg], *, source: str) -> None:
    """Upsert: safe to repeat. A driver who has left since is passed over."""
    rows = [
        {"driver_id": driver, "minutes": leg.minutes, "metres": leg.metres, "error": leg.error} for driver, leg in legs.items()
    ]
    await db.run(_sql.put_drive_times, {"client_id": client_id, "legs": jsonb(rows), "source": source})


@dataclass(frozen=True, slots=True)
class Page:
    clients: Sequence[Row]
    next: str | None
    count: int
    active: int


async def page(db: Db, *, q: str | None, status: str | None, after: UUID | None, limit: int) -> Page:
    """Clients by last and first name. after: the `next` of the page before. Raises: NotFound for a cursor nobody made."""
    term = q.strip() if q else ""
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    digits = "".join(filter(str.isdecimal, term))
    found = {
        "q": f"%{escaped}%" if term else None,
        "digits": f"%{digits}%" if len(digits) >= 3 else None,
        "status": status,
    }
    begin = await _place_of(db, after)
    rows = await db.all(_sql.page, {**found, **begin, "limit": limit + 1})
    count = await db.one(_sql.count, found) or {}
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Page(rows[:limit], following, count.get("count", 0), count.get("active", 0))


async def _place_of(db: Db, after: UUID | None) -> Row:
    """Where in the order of names a page begins: after this client, as the database orders names."""
    if after is None:
        return {"after_last": None, "after_first": None, "after_id": None}
    place = await db.one(_sql.place, {"id": after})
    if place is None:
        raise NotFound("There is no such page", "The cursor was not made here", "Start from the first page", code="cursor")
    return place


async def whole(db: Db, *, client_id: UUID | None, knumber: str | None) -> Row:
    """The record as its card shows it, by one of its two names; drive times in a nutshell included.

    Raises: Rejected when it is not named by exactly one of them; NotFound.
    """
    if (client_id is None) == (not knumber):
        raise Rejected("Name one client, by id or by knumber", faults=["id or knumber is required"], code="validation")
    row = await db.one(_sql.whole, {"id": client_id, "knumber": knumber.upper() if knumber else None})
    if row is None:
        raise NotFound(
            "There is no such client", "It does not exist, or is not yours to see", "Go back to the list", code="client.unknown"
        )
    return row


async def drive_times(db: Db, client_id: UUID) -> list[Row]:
    """Nearest driver first; those without an answer last, with the reason."""
    return await db.all(_sql.drive_times, {"id": client_id})
