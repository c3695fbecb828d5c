"""Contacts on Quo's v1 surface: one document each, and a PATCH that replaces.

A telephone number, e-mail address or custom field that a PATCH leaves out is deleted. So whoever updates reads first, and sends
back everything that is not ours. Source: Quo docs, Create a contact; Update a contact by ID (v1).
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

from backhaul.core.outbound import Outbound
from backhaul.outside.quo_contact import NO_ID, OURS, SOURCE, Contact, Known, explain_by_id, explain_create, new_id
from backhaul.outside.quo_line import explain

CONTACTS = "/v1/contacts"


class ContactsV1:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def find(self, external_id: str, *, about: object, most: int = 50) -> list[Known]:
        params = {"externalIds": external_id, "maxResults": most}
        answer = await self._outbound.send("GET", CONTACTS, repeatable=True, params=params, about=about, explain=explain)
        found = self._outbound.read(answer, _MANY).data
        return [Known(record.id, record.external_id, record.created_at) for record in found]

    async def create(self, contact: Contact, external_id: str) -> str:
        body = _new(contact, external_id)
        answer = await self._outbound.send("POST", CONTACTS, repeatable=False, json=body, explain=explain_create)
        if (contact_id := new_id(answer)) is None:
            raise self._outbound.unknown(NO_ID)
        return contact_id

    async def update(self, contact_id: str, contact: Contact, external_id: str) -> None:
        path, about = f"{CONTACTS}/{quote(contact_id, safe='')}", contact.model_dump()
        answer = await self._outbound.send("GET", path, repeatable=True, about=about, explain=explain_by_id)
        merged = _merge(self._outbound.read(answer, _ONE).data, contact, external_id)
        await self._outbound.send("PATCH", path, repeatable=True, json=merged, about=about, explain=explain_by_id)


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Item(_Wire):
    """A telephone number or an e-mail address."""

    id: str | None = None
    name: str | None = None
    value: str | None = None


class _Custom(_Wire):
    """A custom field. Name and type belong to its definition and are not sent back."""

    id: str | None = None
    key: str
    value: Any = None


_Items = Annotated[list[_Item], BeforeValidator(lambda value: value or [])]
_Customs = Annotated[list[_Custom], BeforeValidator(lambda value: value or [])]


class _Fields(_Wire):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    phone_numbers: _Items = []
    emails: _Items = []


class _Record(_Wire):
    id: str
    external_id: str | None = None
    source: str | None = None
    source_url: str | None = None
    created_at: str = ""
    default_fields: _Fields = _Fields()
    custom_fields: _Customs = []


class _One(BaseModel):
    data: _Record


class _Many(BaseModel):
    data: list[_Record]


_ONE = TypeAdapter(_One)
_MANY = TypeAdapter(_Many)


def _new(contact: Contact, external_id: str) -> dict[str, Any]:
    """The whole contact to create."""
    fields = _Fields(
        first_name=contact.first_name,
        last_name=contact.last_name,
        phone_numbers=_merge_items([], contact.phone),
        emails=_merge_items([], contact.email),
    )
    return {"defaultFields": _as_json(fields), "externalId": external_id, "source": SOURCE}


def _merge(record: _Record, contact: Contact, external_id: str) -> dict[str, Any]:
    """The whole contact to send: theirs as it was read, with item ids, and ours as we know it now."""
    theirs = record.default_fields
    fields = theirs.model_copy(
        update={
            "first_name": contact.first_name,
            "last_name": contact.last_name or theirs.last_name,
            "phone_numbers": _merge_items(theirs.phone_numbers, contact.phone),
            "emails": _merge_items(theirs.emails, contact.email),
        }
    )
    body = {
        "externalId": external_id,
        "sourceUrl": record.source_url,
        # Quo refuses its own names for a source, though it returns them; a contact made by hand has one.
        "source": record.source if record.source and not _is_reserved(record.source) else None,
        "defaultFields": _as_json(fields),
        "customFields": [_as_json(custom) for custom in record.custom_fields if custom.value is not None],
    }
    return {name: value for name, value in body.items() if value is not None}


def _merge_items(items: list[_Item], value: str | None) -> list[_Item]:
    """Others' items as they are, and ours with `value`, under its old id. Not twice, if another item holds it already."""
    others = [item for item in items if item.name != OURS]
    if value is None or any(item.value == value for item in others):
        return others
    old_id = next((item.id for item in items if item.name == OURS), None)
    return [*others, _Item(id=old_id, name=OURS, value=value)]


def _is_reserved(source: str) -> bool:
    return source.startswith(("openphone", "csv")) or source in ("device", "zapier", "google-people", "other")


def _as_json(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True)
