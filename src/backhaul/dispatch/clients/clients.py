"""Clients: who is driven, where they live, and what may be done with their record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from backhaul.core.errors import Conflict, NotFound, Rejected
from backhaul.core.queries import Queries
from backhaul.core.store import Actor, Db, Row, Tx, jsonb
from backhaul.dispatch.changes import Changed, only
from backhaul.dispatch.clients.forms import ADDRESS, SECOND_ADDRESS, ClientChange, NewClient
from backhaul.dispatch.forms import faulty
from backhaul.dispatch.stale import check_fresh
from backhaul.outside.maps import Address, Found, Leg, Point
from backhaul.outside.quo import Contact

_sql = Queries("clients")

QUO_FIELDS = ("firstname", "lastname", "phone", "email")
"""What Quo knows of a client: it hears of a change of these, and of no other."""
COLUMNS = (
    *QUO_FIELDS, *ADDRESS, "mapaddress", *SECOND_ADDRESS, "secondary_address_notes", "emergency_contact_name",
    "emergency_contact_number", "notes", "appointment_length", "primary_clinic_id", "active", "status",
    "driver_gender_requirement", "preferred_driver", "profile_status",
)  # fmt: skip
_SECOND_LABELS = {
    "secondary_civic_address": "Secondary civic address",
    "secondary_city": "Secondary city",
    "secondary_province": "Secondary province",
    "secondary_postal_code": "Secondary postal code",
}


@dataclass(frozen=True, slots=True)
class Client:
    """A client's record. Coordinates are there once a map service has been asked where the address lies."""

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
    mapaddress: str | None
    secondary_civic_address: str | None
    secondary_city: str | None
    secondary_province: str | None
    secondary_postal_code: str | None
    secondary_address_notes: str | None
    emergency_contact_name: str | None
    emergency_contact_number: str | None
    notes: str | None
    appointment_length: int
    primary_clinic_id: UUID | None
    active: bool
    status: str
    driver_gender_requirement: str | None
    preferred_driver: UUID | None
    profile_status: str
    home_latitude: float | None
    home_longitude: float | None
    home_precision: str | None
    secondary_latitude: float | None
    secondary_longitude: float | None
    openphone_contact_id: str | None
    version: int

    @property
    def label(self) -> str:
        return f"{self.full_name} ({self.knumber})"

    @property
    def address(self) -> Address:
        return Address(line=self.civicaddress, city=self.city, province=self.prov, postal_code=self.postalcode)

    @property
    def home(self) -> Point | None:
        """Where the address lies, once a map service has been asked."""
        return point(self.home_latitude, self.home_longitude)

    @property
    def second_address(self) -> Address | None:
        if self.secondary_civic_address is None:
            return None
        return Address(
            line=self.secondary_civic_address,
            city=self.secondary_city or "",
            province=self.secondary_province or "",
            postal_code=self.secondary_postal_code or "",
        )

    @property
    def second_home(self) -> Point | None:
        return point(self.secondary_latitude, self.secondary_longitude)

    @property
    def contact(self) -> Contact:
        return Contact(first_name=self.firstname, last_name=self.lastname, phone=self.phone, email=self.email)


async def insert(tx: Tx, form: NewClient, by: Actor) -> UUID:
    """Saves a new client.

    Raises: Conflict naming the K number when it is taken (K numbers are never used again); Rejected for a clinic or driver nobody
    knows.
    """
    await _know_all(tx, form)
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


async def update(tx: Tx, form: ClientChange) -> Changed[Client]:
    """Changes what the form gives, and nothing else. The client is locked from here to the commit.

    Raises: NotFound; Conflict when somebody else has saved since the form was opened, or for another K number; Rejected for half
    a second address, or a clinic or driver nobody knows; Forbidden for archiving without the right to.
    """
    before = await _locked(tx, form)
    await check_fresh(tx, form.version, before.version, ("client", before.id, before.label))
    _keep_knumber(form, before)
    wanted = {name: value for name, value in only(form.given, COLUMNS).items() if value != getattr(before, name)}
    _whole_second_address(wanted, before)
    await _know_all(tx, form)
    if not wanted:
        return Changed(before, before)
    await tx.run(_sql.update, {"id": before.id, "changes": jsonb(wanted)})
    return Changed(before, await get(tx, before.id))


async def _locked(tx: Tx, form: ClientChange) -> Client:
    named = {"id": form.id, "knumber": None if form.id else form.original or form.knumber}
    found = await tx.one(_sql.lock, named)
    if found is None:
        raise NotFound("There is no such client", "Nobody has this number", "Go back to the list", code="client.unknown")
    return await get(tx, UUID(str(found["id"])))


def _keep_knumber(form: ClientChange, client: Client) -> None:
    if form.knumber and form.knumber != client.knumber:
        kept = Conflict(
            "A K number stays as it was saved",
            f"{client.full_name} is {client.knumber}; trips and invoices go by it",
            "Leave the number, or add a new client under the other one",
            code="client.knumber_fixed",
        )
        kept.fields = {"kNumber": f"{kept.what}."}
        raise kept


def _whole_second_address(wanted: Row, before: Client) -> None:
    """Once begun, the second address is given whole; what the form leaves out may be stored already."""
    second = {name: wanted.get(name, getattr(before, name)) for name in SECOND_ADDRESS}
    if any(second.values()):
        missing = {name: f"{_SECOND_LABELS[name]} is required" for name, value in second.items() if not value}
        if missing:
            raise faulty(missing)


async def _know_all(tx: Tx, form: NewClient) -> None:
    """Raises: Rejected, with all of them, for what the form names and nobody knows."""
    named = {
        "clinic": form.primary_clinic_id,
        "driver": form.preferred_driver,
        "clinics": form.selected_clinic_ids,
    }
    known = await tx.one(_sql.look_up, named) or {}
    faults = {
        "primaryClinicId": ("clinic", "Primary clinic must be chosen from the list"),
        "preferred_driver": ("driver", "Preferred driver must be chosen from the list"),
        "selectedClinicIds": ("clinics", "Clinics must be chosen from the list"),
    }
    unknown = {field: text for field, (name, text) in faults.items() if not known[name]}
    if unknown:
        raise faulty(unknown)


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


async def put_second_home(db: Db, client: Client, found: Found) -> None:
    """The same of the second address."""
    address = client.second_address
    if address is not None:
        where = {"latitude": found.point.latitude, "longitude": found.point.longitude, "precision": found.precision}
        await db.run(_sql.put_second_home, {"id": client.id, **where, **address.model_dump()})


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


async def trips(db: Db, client_id: UUID) -> list[Row]:
    """The client's trips, those to come first, then the last ones; none that were archived."""
    return await db.all(_sql.trips, {"id": client_id})


async def changes(db: Db, client_id: UUID) -> list[Row]:
    """Who saved what, newest first: the entries of the audit log that the reader may see. Only names of fields, no values."""
    return await db.all(_sql.changes, {"id": client_id})


async def for_old_pages(db: Db, *, active_only: bool) -> list[Row]:
    """All clients with what the portal's earlier pages read of them, by last and first name."""
    return await db.all(_sql.for_old_pages, {"active_only": active_only})


async def drive_times(db: Db, client_id: UUID) -> list[Row]:
    """Nearest driver first; those without an answer last, with the reason."""
    return await db.all(_sql.drive_times, {"id": client_id})


def point(latitude: float | None, longitude: float | None) -> Point | None:
    """A place on the map; None where nobody has been asked yet."""
    return None if latitude is None or longitude is None else Point(latitude=latitude, longitude=longitude)
