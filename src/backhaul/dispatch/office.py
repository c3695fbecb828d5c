"""The office: its people's roles, the outside it works with, and all its workflows."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from backhaul.core.workflow import Workflows
from backhaul.outside.mail import Message
from backhaul.outside.maps import Maps
from backhaul.outside.quo import Contact, Kept

ADMINS = frozenset({"admin"})
SUPERVISORS = ADMINS | {"supervisor"}
STAFF = SUPERVISORS | {"booking_agent"}
EVERYBODY = STAFF | {"driver", "client"}
OFFICE_TIME = ZoneInfo("America/Halifax")


class Contacts(Protocol):
    """The telephone system's contacts (Quo)."""

    async def put_contact(self, contact: Contact, *, external_id: str, contact_id: str | None = None) -> Kept: ...
    async def knows(self, external_id: str) -> bool: ...
    async def aclose(self) -> None: ...


class Notices(Protocol):
    """Where the office is told things that are nobody's own (Slack)."""

    async def post(self, text: str) -> None: ...
    async def aclose(self) -> None: ...


class Mail(Protocol):
    """Mail to one person. `greet`: would one be taken?"""

    async def send(self, message: Message) -> None: ...
    async def greet(self) -> None: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Office:
    """The outside, as background steps see it. notices: None when no channel is set.

    portal_url: where people reach our own pages, for links that are sent to them; without a slash at the end.
    """

    maps: Maps
    quo: Contacts
    notices: Notices | None = None
    _: KW_ONLY
    mail: Mail
    portal_url: str


workflows: Workflows[Office] = Workflows()
workflow = workflows.workflow
