"""Quo's contacts, v1: `externalId` finds, but never forbids a second contact of the same name, and PATCH replaces whole lists.

Source: external service notes 3.2. A PATCH that does not name the phones, e-mails or custom fields deletes them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Annotated, Literal

from pydantic import StringConstraints
from starlette.responses import JSONResponse, Response

from backhaul.sandbox.quo import (
    ExternalId,
    PhoneNumber,
    QuoBody,
    Reception,
    Source,
    SourceUrl,
    Text,
    page,
    problem,
    read,
    refusals,
)
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused

_CUSTOM_FIELD = {"name": "K number", "key": "knumber", "type": "string"}
_BAD = "0800400"


class QuoContacts:
    service = "quo"
    label = "Quo contacts"

    def __init__(self, store: Store, clock: Clock, reception: Reception) -> None:
        self._store = store
        self._clock = clock
        self._reception = reception

    def calls(self) -> Sequence[Call]:
        return [
            Call("POST", "/v1/contacts", self._create),
            Call("GET", "/v1/contacts", self._list),
            Call("GET", "/v1/contacts/{id}", self._read),
            Call("PATCH", "/v1/contacts/{id}", self._update),
            Call("DELETE", "/v1/contacts/{id}", self._delete),
            Call("GET", "/v1/contact-custom-fields", self._custom_fields),
        ]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return refusals("0800")

    def _create(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        wish = read(ask, _NewContact, _BAD)
        contact: dict[str, object] = {
            "id": uuid.uuid4().hex[:24],
            "externalId": wish.external_id,
            "source": wish.source or "public-api",
            "sourceUrl": wish.source_url,
            "createdByUserId": wish.created_by_user_id or "USstandin",
            "createdAt": self._now(),
        }
        return self._keep(ask, contact, wish, status=201)

    def _update(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        contact = self._stored(ask)
        wish = read(ask, _ContactUpdate, _BAD)
        named = wish.model_dump(include={"external_id", "source", "source_url"}, exclude_unset=True, by_alias=True)
        return self._keep(ask, contact | named, wish, status=200)

    def _keep(self, ask: Ask, contact: dict[str, object], wish: _ContactUpdate, *, status: int) -> Response:
        before = contact.get("defaultFields")
        scalars = {
            name: before.get(name) if isinstance(before, dict) else None for name in ("firstName", "lastName", "company", "role")
        }
        fields = wish.default_fields.model_dump(exclude={"phone_numbers", "emails"}, exclude_unset=True, by_alias=True)
        lists = {"phoneNumbers": _kept(wish.default_fields.phone_numbers), "emails": _kept(wish.default_fields.emails)}
        custom = [_CUSTOM_FIELD | item for item in _kept(wish.custom_fields)]
        contact |= {"defaultFields": scalars | fields | lists, "customFields": custom, "updatedAt": self._now()}
        external = str(contact["externalId"] or "")
        self._store.put("contact", str(contact["id"]), contact, label=external)
        ask.notes.update(contact=contact["id"], external_id=external)
        return JSONResponse({"data": contact}, status_code=status)

    def _list(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        wanted, sources = ask.query.getlist("externalIds"), ask.query.getlist("sources")
        ask.notes.update(external_ids=wanted)
        if wanted:
            found = [contact for external in dict.fromkeys(wanted) for contact in self._store.find("contact", label=external)]
        else:
            found = self._store.find("contact")
        return page(ask, [contact for contact in found if not sources or contact["source"] in sources], _BAD, most=50)

    def _read(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        return JSONResponse({"data": self._stored(ask)})

    def _delete(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        self._store.remove("contact", str(self._stored(ask)["id"]))
        return Response(status_code=204)

    def _custom_fields(self, ask: Ask) -> Response:
        self._reception.admit(ask)
        return JSONResponse({"data": [_CUSTOM_FIELD]})

    def _stored(self, ask: Ask) -> dict[str, object]:
        contact = self._store.get("contact", ask.params["id"])
        ask.notes.update(contact=ask.params["id"])
        if contact is None:
            raise Refused(problem(404, "0800404", "Contact not found."))
        return contact

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Item(QuoBody):
    id: str | None = None


class _Phone(_Item):
    name: Text
    value: PhoneNumber


class _Email(_Item):
    name: Text
    value: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class _CustomValue(_Item):
    key: Literal["knumber"]
    value: object = None


class _Fields(QuoBody):
    first_name: Text | None = None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    phone_numbers: Sequence[_Phone] = ()
    emails: Sequence[_Email] = ()


class _NewFields(_Fields):
    first_name: Text


class _ContactUpdate(QuoBody):
    default_fields: _Fields = _Fields()
    custom_fields: Sequence[_CustomValue] = ()
    external_id: ExternalId | None = None
    source: Source | None = None
    source_url: SourceUrl | None = None


class _NewContact(_ContactUpdate):
    default_fields: _NewFields
    created_by_user_id: str | None = None


def _kept(items: Sequence[_Item]) -> list[dict[str, object]]:
    """Items as stored: one that came with its id keeps it."""
    return [item.model_dump() | {"id": item.id or uuid.uuid4().hex[:12]} for item in items]
