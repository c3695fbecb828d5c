"""Destinations: the clinics people are driven to, and what may be done with one.

Travel times belong to a destination's id, so a rename loses none; an address that changes loses them all, by trigger.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, ValidationError

from backhaul.core.errors import Conflict, NotFound
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx, jsonb
from backhaul.dispatch import forms
from backhaul.dispatch.changes import Changed, check_version, must_have_changed, only
from backhaul.dispatch.forms import Change, Email, Form, also, needed, text
from backhaul.outside.maps import Address, Found, Point

_sql = Queries("destinations")

ADDRESS = ("address", "city", "province", "postal_code")
"""When one of these changes, travel times to that place are forgotten, and are to be measured anew."""


class Contact(Form):
    """Somebody to ask for at a clinic."""

    name: Annotated[str, text("Contact name", required=True, longest=100)] = also("name")
    phone: Annotated[str | None, text("Contact phone", longest=40)] = also("phone")
    email: Email = also("email")
    type: Annotated[str, forms.choice("Contact type", "main", "billing", "scheduling", "other", default="main")] = also("type")


def _contacts(value: object) -> list[dict[str, Any]]:
    """A list of contacts, or one as JSON text, as some pages send it."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("Contacts must be a list") from None
    if value is None or value == "":
        return []
    if not isinstance(value, list) or len(value) > 20 or not all(isinstance(one, Mapping) for one in value):
        raise ValueError("Contacts must be a list of at most 20")
    try:
        return [Contact.model_validate(one).model_dump() for one in value]
    except ValidationError as error:
        raise ValueError("; ".join(forms.rejected(error, Contact).faults)) from None


class NewDestination(Form):
    name: Annotated[str, text("Name", required=True, longest=150)] = also("name", "clinic_name")
    address: Annotated[str, text("Address", required=True)] = also("address")
    city: Annotated[str, text("City", required=True, longest=100)] = also("city")
    province: Annotated[str, forms.province(required=True)] = also("province")
    postal_code: Annotated[str, forms.postal_code(required=True)] = also("postal_code", "postalCode")
    phone: Annotated[str | None, text("Phone", longest=40)] = also("phone")
    email: Email = also("email")
    contacts: Annotated[list[dict[str, Any]], BeforeValidator(_contacts)] = also("contacts")
    notes: Annotated[str | None, text("Notes", longest=5000, lines=True)] = also("notes")
    active: Annotated[bool, forms.yes_or_no("Active", default=True)] = also("active")


class DestinationChange(NewDestination, Change):
    """A change of one destination: what is left out stays as it is, null takes it away."""

    id: Annotated[UUID, forms.record_id("Destination", required=True)] = needed("id", "destination_id")
    version: Annotated[int | None, forms.whole_number("Version", least=1, most=999_999_999)] = also("version")


@dataclass(frozen=True, slots=True)
class Destination:
    """The whole record. precision: of its point, exact or approximate; None until it is placed."""

    id: UUID
    name: str
    address: str
    city: str | None
    province: str | None
    postal_code: str | None
    phone: str | None
    email: str | None
    contacts: list[dict[str, Any]]
    notes: str | None
    active: bool
    latitude: float | None
    longitude: float | None
    precision: str | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def label(self) -> str:
        return self.name

    @property
    def place(self) -> Address:
        return Address(line=self.address, city=self.city or "", province=self.province or "", postal_code=self.postal_code or "")

    @property
    def point(self) -> Point | None:
        if self.latitude is None or self.longitude is None:
            return None
        return Point(latitude=self.latitude, longitude=self.longitude)


async def insert(tx: Tx, form: NewDestination) -> Destination:
    """Raises: Conflict when a destination has that name; Forbidden."""
    saved = await tx.one(_sql.insert, form.model_dump() | {"contacts": jsonb(form.contacts)})
    if saved is None:
        raise await _name_taken(tx, form.name)
    return await get(tx, saved["id"])


async def update(tx: Tx, form: DestinationChange) -> Changed[Destination]:
    """Changes what the form gives, and nothing else. The record is locked from here to the commit.

    Raises: NotFound; Conflict when it was changed meanwhile, or another has that name; Forbidden.
    """
    await tx.one(_sql.lock, {"id": form.id})
    before = await get(tx, form.id)
    check_version(form.given.get("version"), before.version, "this destination")
    given = only(form.given, NewDestination.model_fields)
    if given.get("name", before.name).lower() != before.name.lower() and await tx.one(_sql.holder_of_name, given):
        raise await _name_taken(tx, given["name"])
    must_have_changed(await tx.run(_sql.update, {"id": form.id, "changes": jsonb(given)}), "destinations")
    return Changed(before, await get(tx, form.id))


async def get(db: Db, destination_id: UUID) -> Destination:
    """Raises: NotFound."""
    found = await db.one(_sql.by_id, {"id": destination_id}, into=Destination)
    if found is None:
        raise NotFound("There is no such destination", "The record does not exist", "Reload the list", code="destination.unknown")
    return found


async def put_place(db: Db, destination: Destination, found: Found) -> None:
    """Keeps where it lies; not if the address has changed since it was asked about."""
    await db.run(
        _sql.put_place,
        {
            "id": destination.id,
            "latitude": found.point.latitude,
            "longitude": found.point.longitude,
            "precision": found.precision,
            **destination.place.model_dump(),
        },
    )


async def all_of_them(db: Db, *, q: str | None = None, active: bool | None = None) -> list[Row]:
    """By name, each with the number of trips still to come."""
    term = (q or "").strip()
    escaped = term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await db.all(_sql.all, {"q": f"%{escaped}%" if term else None, "active": active})


async def _name_taken(tx: Tx, name: str) -> Conflict:
    holder = await tx.one(_sql.holder_of_name, {"name": name})
    why = "It is there but not active" if holder and not holder["active"] else "It is on the list"
    taken = Conflict(
        "A destination has this name already", why, "Use another name, or open that one", code="destination.name_taken"
    )
    taken.fields = {"name": f"{taken.what}. {why}."}
    return taken
