"""Contacts on Quo's dated surface: names in the contact, each number and address a property of its own.

Its PATCH holds scalars only, and deletes nothing. A property has no key of ours: whoever writes one lists them first, then
changes the match or adds it; one added blind would be there twice after a lost answer.
Source: Quo docs, Contacts; Contact properties (version 2026-03-30).
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from backhaul.core.errors import Gone
from backhaul.core.outbound import Explain, Outbound
from backhaul.outside.quo_contact import NO_ID, OURS, SOURCE, Contact, Known, explain_by_id, explain_create, new_id
from backhaul.outside.quo_line import explain

CONTACTS = "/contacts"
PHONE, EMAIL = "phone-number", "email"

T = TypeVar("T", bound=BaseModel)


class DatedContacts:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def find(self, external_id: str, *, about: object, most: int = 50) -> list[Known]:
        params = {"externalId": external_id, "limit": most}
        answer = await self._outbound.send("GET", CONTACTS, repeatable=True, params=params, about=about, explain=explain)
        found = self._outbound.read(answer, _CONTACTS).data
        return [Known(record.id, record.external_id, record.created_at) for record in found]

    async def create(self, contact: Contact, external_id: str) -> str:
        """Should it end half-way, the next attempt finds the contact by our id and adds what is missing."""
        body, about = {**_scalars(contact, external_id), "source": SOURCE}, contact.model_dump()
        answer = await self._outbound.send("POST", CONTACTS, repeatable=False, json=body, about=about, explain=explain_create)
        if (contact_id := new_id(answer)) is None:
            raise self._outbound.unknown(NO_ID)
        await self._put_properties(contact_id, contact)
        return contact_id

    async def update(self, contact_id: str, contact: Contact, external_id: str) -> None:
        body, about = _scalars(contact, external_id), contact.model_dump()
        await self._outbound.send("PATCH", path_of(contact_id), repeatable=True, json=body, about=about, explain=explain_by_id)
        await self._put_properties(contact_id, contact)

    async def _put_properties(self, contact_id: str, contact: Contact) -> None:
        await self._put(contact_id, PHONE, contact.phone, contact)
        await self._put(contact_id, EMAIL, contact.email, contact)

    async def _put(self, contact_id: str, kind: str, value: str | None, contact: Contact) -> None:
        """Others' items stay as they are; ours says `value`, unless another says it already. Not twice, whatever was there."""
        path, about = f"{path_of(contact_id)}/properties", contact.model_dump()
        listed = await all_pages(self._outbound, path, _PROPERTIES, about=about, explain=explain_by_id, type=kind)
        items = [item for item in listed if item.type == kind]
        ours = [item for item in items if item.name == OURS]
        wanted = value is not None and all(item.value != value for item in items if item.name != OURS)
        kept = ours[0] if wanted and ours else None
        if wanted and kept is None:
            body = {"type": kind, "name": OURS, "value": value}
            await self._outbound.send("POST", path, repeatable=False, json=body, about=about, explain=explain_by_id)
        elif kept and kept.value != value:
            one = f"{path}/{quote(kept.id, safe='')}"
            await self._outbound.send("PATCH", one, repeatable=True, json={"value": value}, about=about, explain=explain_by_id)
        for item in ours:
            if item is not kept:
                await delete(self._outbound, f"{path}/{quote(item.id, safe='')}", about=about)


class Wire(BaseModel):
    """Fields arrive here without a new date: unknown ones are passed over."""

    model_config = ConfigDict(alias_generator=to_camel)


class Page(Wire, Generic[T]):
    data: list[T]
    next_cursor: str | None = None


class _Contact(Wire):
    id: str
    external_id: str | None = None
    created_at: str = ""


class _Property(Wire):
    id: str
    type: str
    name: str | None = None
    value: Any = None


_CONTACTS = TypeAdapter(Page[_Contact])
_PROPERTIES = TypeAdapter(Page[_Property])


def path_of(contact_id: str) -> str:
    return f"{CONTACTS}/{quote(contact_id, safe='')}"


async def all_pages(
    outbound: Outbound, path: str, shape: TypeAdapter[Page[T]], *, about: object, explain: Explain, **narrowed: str
) -> list[T]:
    """The whole of a list."""
    found: list[T] = []
    params: dict[str, object] = {"limit": 50, **narrowed}
    while True:
        answer = await outbound.send("GET", path, repeatable=True, params=params, about=about, explain=explain)
        page = outbound.read(answer, shape)
        found += page.data
        if not page.next_cursor or page.next_cursor == params.get("after"):
            return found
        params["after"] = page.next_cursor


async def delete(outbound: Outbound, path: str, *, about: object) -> None:
    """It is not there when this returns."""
    try:
        await outbound.send("DELETE", path, repeatable=True, about=about, explain=explain_by_id)
    except Gone:
        return


def _scalars(contact: Contact, external_id: str) -> dict[str, str]:
    """Only what we know: a null would clear what somebody has typed."""
    known = {"firstName": contact.first_name, "lastName": contact.last_name, "externalId": external_id}
    return {name: value for name, value in known.items() if value is not None}
