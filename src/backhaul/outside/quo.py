"""Quo (formerly OpenPhone), v1: the office's contacts, so that a ringing phone shows who calls.

Quo keeps duplicates: the external id is a key to look up by, not a unique one. So whoever creates looks first, and only
one worker at a time may do so for one client (the caller's duty). Quo's PATCH replaces: a telephone number left out is
deleted. So whoever updates reads first, and sends back everything that is not ours.
Source: Quo docs, External contacts; Update a contact by ID; Errors; Rate limits (10 requests a second per key).
"""

from __future__ import annotations

from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict

from backhaul.core.answer import Answer
from backhaul.core.errors import Gone, Misconfigured, OutsideProblem, Transient
from backhaul.core.outbound import Limits, Outbound
from backhaul.outside.quo_contact import MANY, ONE, Contact, merge, new

__all__ = ["Contact", "Kept", "Quo"]

SERVICE = "Quo"
QUO_URL = "https://api.quo.com"
CONTACTS = "/v1/contacts"


class Kept(BaseModel):
    """Where the contact now is. created: by this call, and not found there."""

    model_config = ConfigDict(frozen=True)

    contact_id: str
    created: bool


class Quo:
    service = SERVICE

    def __init__(
        self, key: str, *, limits: Limits, base_url: str = QUO_URL, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        key = key.strip()
        self._outbound = Outbound(
            SERVICE,
            base_url,
            limits=limits,
            limiter_key="quo",
            headers={"Authorization": key},  # the bare key: "Bearer" is answered by 401
            secrets=(key,),
            said=_said,
            transport=transport,
        )

    async def put_contact(self, contact: Contact, *, external_id: str, contact_id: str | None = None) -> Kept:
        """The contact is in Quo once, as we know it, when this returns. Safe to repeat, also after OutcomeUnknown.

        external_id: ours, 1 to 75 characters. contact_id: Quo's, if an earlier call returned one; if it is gone there,
        the contact is looked up and at last created again.

        Raises: Transient, RateLimited, OutcomeUnknown; Misconfigured on a refused key or an unpaid bill; Malformed.
        """
        if contact_id and (kept := await self._update(contact_id, contact, external_id)):
            return kept
        if kept := await self._adopt(contact, external_id):
            return kept
        try:
            return Kept(contact_id=await self._create(contact, external_id), created=True)
        except Transient as problem:
            if problem.code == _CLASH and (kept := await self._adopt(contact, external_id)):
                return kept
            raise

    async def knows(self, external_id: str) -> bool:
        """Whether a contact with our id is there. A harmless question, so also the one that asks whether Quo answers at all."""
        params = {"externalIds": external_id, "maxResults": 1}
        answer = await self._outbound.send("GET", CONTACTS, repeatable=True, params=params, explain=_explain)
        return any(record.external_id == external_id for record in self._outbound.read(answer, MANY).data)

    async def aclose(self) -> None:
        await self._outbound.aclose()

    async def _update(self, contact_id: str, contact: Contact, external_id: str) -> Kept | None:
        """None if it is no longer there."""
        path, about = f"{CONTACTS}/{quote(contact_id, safe='')}", contact.model_dump()
        try:
            answer = await self._outbound.send("GET", path, repeatable=True, about=about, explain=_explain_by_id)
            merged = merge(self._outbound.read(answer, ONE).data, contact, external_id)
            await self._outbound.send("PATCH", path, repeatable=True, json=merged, about=about, explain=_explain_by_id)
        except Gone:
            return None
        return Kept(contact_id=contact_id, created=False)

    async def _adopt(self, contact: Contact, external_id: str) -> Kept | None:
        """Updates the first contact with our external id that is still there; None if there is none."""
        for contact_id in await self._look_up(external_id, contact):
            if kept := await self._update(contact_id, contact, external_id):
                return kept
        return None

    async def _look_up(self, external_id: str, contact: Contact) -> list[str]:
        """Ids of all contacts with our external id, oldest first, since duplicates may have been made by hand or before us."""
        params = {"externalIds": external_id, "maxResults": 50}
        about = contact.model_dump()
        answer = await self._outbound.send("GET", CONTACTS, repeatable=True, params=params, about=about, explain=_explain)
        found = self._outbound.read(answer, MANY).data
        ours = sorted((record for record in found if record.external_id == external_id), key=lambda record: record.created_at)
        if found and not ours:
            # To adopt one of these would overwrite a stranger, and to create might make a second contact.
            raise self._outbound.unreadable("Looking a contact up by our id, it returned only contacts of others")
        return [record.id for record in ours]

    async def _create(self, contact: Contact, external_id: str) -> str:
        body = new(contact, external_id)
        answer = await self._outbound.send("POST", CONTACTS, repeatable=False, json=body, explain=_explain_create)
        match answer.json():
            case {"data": {"id": str(contact_id)}} if contact_id:
                return contact_id
        raise self._outbound.unknown("It answered yes, but did not say where the contact is")


_CLASH = "quo.409"


def _explain(answer: Answer) -> OutsideProblem | None:
    """HTTP status first, Quo's code second: its pages name one code per status, and others occur."""
    match answer.status, _field(answer, "code"):
        case 401, _:
            return Misconfigured(
                SERVICE,
                "Quo does not accept our key",
                "It was deleted or mistyped",
                "A Quo owner or admin makes a new one under Workspace Settings → API",
                code="quo.401",
            )
        case 402, _:
            return Misconfigured(
                SERVICE,
                "Quo's subscription or message credit has run out",
                "Billing",
                "The Quo account owner must renew or top up",
                code="quo.402",
            )
        case 400, "0206400":
            return Misconfigured(
                SERVICE,
                "Texts to US numbers are not yet allowed",
                "US carrier registration is not finished",
                "Complete it in Quo; Canadian numbers are not covered by this rule",
                code="quo.0206400",
            )
        case 403, "0204403":
            return Misconfigured(
                SERVICE,
                "The daily limit of texts is reached",
                "US carriers cap each sender per day",
                "Try tomorrow or ask Quo support for a higher cap",
                code="quo.0204403",
            )
    return None


def _explain_by_id(answer: Answer) -> OutsideProblem | None:
    if answer.status == 404:
        what, why = "The contact is no longer in Quo", "Somebody deleted it there"
        return Gone(SERVICE, what, why, "It will be created again", code="quo.404")
    return _explain(answer)


def _explain_create(answer: Answer) -> OutsideProblem | None:
    if answer.status == 409:
        # No page of Quo says when: perhaps another request creates the same contact just now.
        what, why = "Quo says that the contact clashes with another", "It answered 409, and has no contact with our id"
        return Transient(SERVICE, what, why, "It is tried again; if it goes on, look for the person in Quo", code=_CLASH)
    return _explain(answer)


def _said(answer: Answer) -> str:
    """Title, message, and which fields it found fault with; never their values."""
    body = answer.json()
    errors = body.get("errors") if isinstance(body, dict) else None
    listed = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    faults = [f"{error.get('path')}: {error.get('message')}" for error in listed[:3]]
    parts = [_field(answer, "title"), _field(answer, "message"), _field(answer, "code"), *faults]
    return " · ".join(dict.fromkeys(part for part in parts if part))


def _field(answer: Answer, name: str) -> str:
    body = answer.json()
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
