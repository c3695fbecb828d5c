"""Quo (formerly OpenPhone): the office's contacts, so that a ringing phone shows who calls; and notes on them.

Quo keeps duplicates: the external id is a key to look up by, not a unique one. So whoever creates looks first, and only
one worker at a time may do so for one client (the caller's duty).

Its two surfaces keep the same contacts and know the same ids: quo_v1 and quo_dated are the same port, chosen by one setting.
Appointments are nothing that Quo knows. What it can hold of one is a note on the client's contact (put_note), and only
the dated surface has notes; on v1 a contact can be kept up to date, and no more. (v1's custom fields hold one value per contact,
and only people make them, in the app.)
Source: Quo docs, External contacts; Rate limits (10 requests a second per key).
"""

from __future__ import annotations

import httpx
from pydantic import BaseModel, ConfigDict

from backhaul.core.errors import Gone, Misconfigured, Transient
from backhaul.core.outbound import Limits
from backhaul.outside.quo_contact import CLASH, Contact, Surface
from backhaul.outside.quo_dated import DatedContacts
from backhaul.outside.quo_line import DATED, QUO_URL, SERVICE, line
from backhaul.outside.quo_notes import Notes
from backhaul.outside.quo_v1 import ContactsV1

__all__ = ["DATED", "QUO_URL", "Contact", "Kept", "Quo"]


class Kept(BaseModel):
    """Where the contact now is. created: by this call, and not found there."""

    model_config = ConfigDict(frozen=True)

    contact_id: str
    created: bool


class Quo:
    """api: "v1", or DATED."""

    service = SERVICE

    def __init__(
        self,
        key: str,
        *,
        limits: Limits,
        api: str = "v1",
        base_url: str = QUO_URL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        dated = api == DATED
        self._outbound = line(key, limits=limits, base_url=base_url, transport=transport, dated=dated)
        self._contacts: Surface = DatedContacts(self._outbound) if dated else ContactsV1(self._outbound)
        self._notes = Notes(self._outbound) if dated else None

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
            return Kept(contact_id=await self._contacts.create(contact, external_id), created=True)
        except Transient as problem:
            if problem.code == CLASH and (kept := await self._adopt(contact, external_id)):
                return kept
            raise

    @property
    def keeps_notes(self) -> bool:
        """Whether put_note can do anything: on the dated surface."""
        return self._notes is not None

    async def put_note(self, contact_id: str, text: str | None, *, mark: str) -> None:
        """The contact has one note with this mark, saying `text`, when this returns; with None it has none. Safe to repeat.

        mark: names what the note is about and ends it, e.g. "[trip 4711]". Anybody in the workspace may read it.

        Raises: as put_contact; Gone when the contact is no longer there; Misconfigured where there are no notes.
        """
        if self._notes is None:
            raise Misconfigured(
                SERVICE,
                "Quo's v1 surface keeps no notes",
                "Only its dated surface does",
                f"Set quo_api (BACKHAUL_QUO_API) to {DATED}",
                everybodys=False,
                code="quo.no_notes",
            )
        await self._notes.put(contact_id, text, mark=mark)

    async def knows(self, external_id: str) -> bool:
        """Whether a contact with our id is there. A harmless question, so also the one that asks whether Quo answers at all."""
        found = await self._contacts.find(external_id, about=None, most=1)
        return any(known.external_id == external_id for known in found)

    async def aclose(self) -> None:
        await self._outbound.aclose()

    async def _update(self, contact_id: str, contact: Contact, external_id: str) -> Kept | None:
        """None if it is no longer there."""
        try:
            await self._contacts.update(contact_id, contact, external_id)
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
        found = await self._contacts.find(external_id, about=contact.model_dump())
        ours = sorted((known for known in found if known.external_id == external_id), key=lambda known: known.created_at)
        if found and not ours:
            # To adopt one of these would overwrite a stranger, and to create might make a second contact.
            raise self._outbound.unreadable("Looking a contact up by our id, it returned only contacts of others")
        return [known.id for known in ours]
