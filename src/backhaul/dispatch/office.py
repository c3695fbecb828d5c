"""The office: its people's roles, the outside it works with, and all its workflows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from backhaul.core.workflow import Workflows
from backhaul.outside.google_calendar import Event, KeptCalendar, Outcome
from backhaul.outside.mail import Message
from backhaul.outside.maps import Maps
from backhaul.outside.quo import Contact, Kept
from backhaul.outside.quo_messages import Sent

ADMINS = frozenset({"admin"})
LEAD = ADMINS | {"supervisor"}
STAFF = LEAD | {"booking_agent"}
EVERYBODY = STAFF | {"driver", "client"}
OFFICE_TIME = ZoneInfo("America/Halifax")


class Contacts(Protocol):
    """The telephone system's contacts (Quo)."""

    async def put_contact(self, contact: Contact, *, external_id: str, contact_id: str | None = None) -> Kept: ...
    @property
    def keeps_notes(self) -> bool: ...
    async def put_note(self, contact_id: str, text: str | None, *, mark: str) -> None: ...
    async def knows(self, external_id: str) -> bool: ...
    async def aclose(self) -> None: ...


class Texts(Protocol):
    """Text messages (Quo). Nothing there knows a repeat: a task sends by `dispatch.texting.send_once`, and not by `send`."""

    async def send(self, text: str, to: str) -> Sent: ...
    async def sent(self, text: str, to: str, *, since: datetime) -> list[Sent]: ...
    async def status(self, message_id: str) -> str: ...
    async def sender_id(self) -> str: ...
    async def aclose(self) -> None: ...


class Notices(Protocol):
    """Where the office is told things that are nobody's own (Slack)."""

    async def post(self, text: str) -> None: ...
    async def aclose(self) -> None: ...


class Calendars(Protocol):
    """The drivers' calendars (Google Calendar)."""

    async def put_event(self, calendar_id: str, event_id: str, event: Event) -> Outcome: ...
    async def patch_event(self, calendar_id: str, event_id: str, event: Event) -> Outcome: ...
    async def delete_event(self, calendar_id: str, event_id: str) -> bool: ...
    async def put_calendar(self, marker: str, summary: str, *, share_with: str | None = None) -> KeptCalendar: ...
    async def share_calendar(self, calendar_id: str, email: str, *, tell: bool = False, new: bool = False) -> None: ...
    async def unshare_calendar(self, calendar_id: str, email: str) -> bool: ...
    async def rename_calendar(self, calendar_id: str, summary: str, *, ours: str) -> bool: ...
    async def knows(self, marker: str) -> bool: ...
    async def aclose(self) -> None: ...


class Mail(Protocol):
    """Mail to one person. `greet`: would one be taken?"""

    async def send(self, message: Message) -> None: ...
    async def greet(self) -> None: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The outside, as background steps see it.

    None: texts, when no number to send from is set; notices, when no channel is; calendars, without their key.
    portal_url: where people reach our own pages, for links that are sent to them; without a slash at the end.
    """

    maps: Maps
    quo: Contacts
    mail: Mail
    portal_url: str
    notices: Notices | None = None
    texts: Texts | None = None
    calendars: Calendars | None = None


workflows: Workflows[Office] = Workflows()
workflow = workflows.workflow
