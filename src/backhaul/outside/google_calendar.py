"""Google Calendar: the drivers' calendars, all owned by one person of the office, and the trips in them.

An event has an id that we choose, so entering it twice makes one. A calendar has not: whoever creates looks for our mark in
the descriptions first, and only one worker at a time may do so for one driver (the caller's duty).
A deleted event keeps its id for good; whoever enters it again needs another one.
Source: Google Calendar API v3: Events, Calendars, CalendarList, Acl; Usage limits (600 requests a minute for one user).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from backhaul.core.errors import Gone
from backhaul.core.outbound import Explain, Limits, Outbound
from backhaul.outside import google_calendar_errors as errors
from backhaul.outside.google_event import STORED, Event, changed, event_id, new
from backhaul.outside.google_token import TOKEN_URL, Key, ServiceAccount

__all__ = ["Event", "GoogleCalendar", "KeptCalendar", "Outcome", "event_id"]

CALENDAR_URL = "https://www.googleapis.com"
CALENDARS = "/calendar/v3/calendars"
CALENDAR_LIST = "/calendar/v3/users/me/calendarList"
# Google pauses an account that makes many calendars at once: each costs five seconds of the limit, so about 12 a minute at most.
CREATION_UNITS = 45
# For a reader Google hides what a private event is about; the driver must see it.
DRIVER_ROLE = "writer"
NOTE = "Kept by the dispatch office. Please leave the first line as it is: the calendar is found again by it."

Outcome = Literal["created", "changed", "spent"]
"""What became of an event. spent: nothing; an event of that id was deleted once, so ask again with the next generation's id."""


class KeptCalendar(BaseModel):
    """Where a driver's calendar is. created: by this call, and not found there."""

    model_config = ConfigDict(frozen=True)

    calendar_id: str
    created: bool


class GoogleCalendar:
    service = errors.SERVICE

    def __init__(
        self,
        key: Key,
        user: str,
        *,
        limits: Limits,
        base_url: str = CALENDAR_URL,
        token_url: str = TOKEN_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """user: the e-mail address of the person who owns the calendars, for whom the service account acts."""
        self._account = ServiceAccount(key, user, base_url=token_url, transport=transport, now=now)
        self._outbound = Outbound(
            errors.SERVICE,
            base_url,
            limits=limits,
            limiter_key=errors.LANE,
            pause_s=60.0,  # its limits are per minute
            said=errors.said,
            auth=self._account,
            transport=transport,
            now=now,
        )

    async def put_event(self, calendar_id: str, event_id: str, event: Event) -> Outcome:
        """The event is in the calendar once, as we know it, when this returns "created" or "changed". Safe to repeat.

        Raises: Transient, RateLimited; Gone without a calendar; Unplaceable on one we may not change; Misconfigured; Malformed.
        """
        try:
            await self._change("POST", f"{_calendar(calendar_id)}/events", new(event, event_id), explain=errors.explain_insert)
        except errors.Taken:
            try:
                return await self.patch_event(calendar_id, event_id, event)
            except Gone as gone:
                if gone.code == errors.NO_EVENT:  # an attempt before this one has just entered it
                    raise errors.not_yet("The event cannot be changed yet") from None
                raise
        return "created"

    async def patch_event(self, calendar_id: str, event_id: str, event: Event) -> Outcome:
        """The event that is there is as we know it when this returns "changed". Safe to repeat.

        Raises: Gone when it was never there; else as put_event.
        """
        path, about = _event(calendar_id, event_id), event.model_dump(mode="json")
        try:
            answer = await self._outbound.send("GET", path, repeatable=True, about=about, explain=errors.explain_event)
            stored = self._outbound.read(answer, STORED)
            if stored.status == "cancelled":
                return "spent"
            # Should it be deleted between the two calls, a change might bring it back to life, for some; the etag forbids.
            headers = {"If-Match": stored.etag}
            await self._change("PATCH", path, changed(event), headers=headers, explain=errors.explain_event)
        except Gone as gone:
            if gone.code == errors.DELETED:
                return "spent"
            raise
        return "changed"

    async def delete_event(self, calendar_id: str, event_id: str) -> bool:
        """The event is not in the calendar when this returns; whether this call took it out. Safe to repeat.

        Raises: Transient, RateLimited; Unplaceable on a calendar we may not change; Misconfigured; Malformed.
        """
        path, params = _event(calendar_id, event_id), _NOBODY_IS_TOLD
        try:
            answer = await self._outbound.send("DELETE", path, repeatable=True, params=params, explain=errors.explain)
        except Gone as gone:
            if gone.code in (errors.NO_CALENDAR, errors.DELETED):  # Google's own words; another 404 may be a proxy's
                return False
            raise
        if answer.body:
            raise self._outbound.unreadable("Asked to delete, it answered with a page")
        return True

    async def put_calendar(
        self, marker: str, summary: str, *, share_with: str | None = None, zone: str = "America/Halifax"
    ) -> KeptCalendar:
        """A calendar with our mark is there once, and shared, when this returns. Safe to repeat, also after OutcomeUnknown.

        marker: one word, "driver:<id>", kept in the description. summary: the name people see. share_with: an e-mail address.
        Of several with the mark, one and the same is taken each time.

        Raises: Transient, RateLimited, OutcomeUnknown; Misconfigured when told to pause, or refused; Unplaceable; Malformed.
        """
        found = await self._find(marker)
        kept = KeptCalendar(calendar_id=found or await self._create(marker, summary, zone), created=found is None)
        if share_with:
            explain = errors.explain_share_of_new if kept.created else errors.explain
            await self._share(kept.calendar_id, share_with, tell=False, explain=explain)
        return kept

    async def share_calendar(self, calendar_id: str, email: str, *, tell: bool = False, new: bool = False) -> None:
        """Whoever has that e-mail address may see the calendar and change it. Safe to repeat.

        tell: Google sends them a message with a link. Their own list does not show a calendar before they follow one.
        new: it was made a moment ago, so Google may not know it everywhere yet: Transient then, and not Gone.

        Raises: Transient, RateLimited; Gone without a calendar; Unplaceable on one that is not ours to share; Misconfigured;
        Malformed on an address that Google does not take.
        """
        await self._share(calendar_id, email, tell=tell, explain=errors.explain_share_of_new if new else errors.explain)

    async def unshare_calendar(self, calendar_id: str, email: str) -> bool:
        """That address may neither see nor change the calendar when this returns; whether this call ended it. Safe to repeat.

        Raises: Transient, RateLimited; Unplaceable on a calendar that is not ours to share; Misconfigured; Malformed.
        Source: Calendar API v3, Acl: delete; a rule's id is "user:<address>".
        """
        path = f"{_calendar(calendar_id)}/acl/{quote(f'user:{email}', safe='')}"
        try:
            answer = await self._outbound.send("DELETE", path, repeatable=True, explain=errors.explain)
        except Gone as gone:
            if gone.code in (errors.NO_CALENDAR, errors.DELETED):  # no such calendar, or nobody of that address in it
                return False
            raise
        if answer.body:
            raise self._outbound.unreadable("Asked to end the sharing, it answered with a page")
        return True

    async def rename_calendar(self, calendar_id: str, summary: str, *, ours: str) -> bool:
        """The calendar has that name when this returns, unless somebody gave it one by hand; whether this call gave it.

        Safe to repeat: the name is looked at first. ours: how the names that we give begin; any other was given by hand.

        Raises: Transient, RateLimited; Gone without a calendar; Unplaceable on one that is not ours to name; Misconfigured;
        Malformed.
        Source: Calendar API v3, Calendars: get, patch.
        """
        path = _calendar(calendar_id)
        answer = await self._outbound.send("GET", path, repeatable=True, explain=errors.explain)
        name = self._outbound.read(answer, _NAMED).summary
        if name == summary or not name.startswith(ours):
            return False
        answer = await self._outbound.send("PATCH", path, repeatable=True, json={"summary": summary}, explain=errors.explain)
        self._outbound.read(answer, _NAMED)  # a proxy's page is no calendar
        return True

    async def knows(self, marker: str) -> bool:
        """Whether a calendar with our mark is there. A harmless question, so also the one that asks whether Google answers."""
        return await self._find(marker) is not None

    async def aclose(self) -> None:
        await self._account.aclose()
        await self._outbound.aclose()

    async def _change(
        self, method: str, path: str, body: dict[str, Any], *, explain: Explain, headers: dict[str, str] | None = None
    ) -> None:
        answer = await self._outbound.send(
            method, path, repeatable=True, params=_NOBODY_IS_TOLD, json=body, headers=headers, explain=explain
        )
        self._outbound.read(answer, STORED)  # a proxy's page is no event

    async def _find(self, marker: str) -> str | None:
        """The calendar with our mark that we may change; one we own comes first."""
        if not re.fullmatch(r"\S+", marker):
            raise ValueError("a marker is one word: an empty one would be found everywhere")
        marked = re.compile(rf"(?<![\w:-]){re.escape(marker)}(?![\w:-])")  # driver:1 is not driver:12
        found = [
            (entry.access_role != "owner", entry.id)
            for entry in await self._calendars()
            if entry.access_role in ("owner", "writer") and marked.search(entry.description)
        ]
        return min(found)[1] if found else None

    async def _calendars(self) -> list[_Entry]:
        entries: list[_Entry] = []
        params = {"maxResults": "250", "showHidden": "true"}
        for _ in range(_MOST_PAGES):
            answer = await self._outbound.send("GET", CALENDAR_LIST, repeatable=True, params=params, explain=errors.explain)
            page = self._outbound.read(answer, _PAGE)
            entries += page.items
            if not page.next_page_token:
                return entries
            params["pageToken"] = page.next_page_token
        raise self._outbound.unreadable("Its list of calendars has no end")

    async def _create(self, marker: str, summary: str, zone: str) -> str:
        body = {"summary": summary, "description": f"{marker}\n{NOTE}", "timeZone": zone}
        answer = await self._outbound.send(
            "POST", CALENDARS, repeatable=False, units=CREATION_UNITS, json=body, explain=errors.explain
        )
        match answer.json():
            case {"id": str(calendar_id)} if calendar_id:
                return calendar_id
        raise self._outbound.unknown("It answered yes, but did not say where the calendar is")

    async def _share(self, calendar_id: str, email: str, *, tell: bool, explain: Explain) -> None:
        rule = {"role": DRIVER_ROLE, "scope": {"type": "user", "value": email}}
        params = {"sendNotifications": "true" if tell else "false"}
        path = f"{_calendar(calendar_id)}/acl"
        answer = await self._outbound.send("POST", path, repeatable=True, params=params, json=rule, explain=explain)
        self._outbound.read(answer, _RULE)


_NOBODY_IS_TOLD = {"sendUpdates": "none"}  # of guests; there are none
_MOST_PAGES = 40


class _Entry(BaseModel):
    id: str
    description: str = ""
    access_role: str = Field(default="", alias="accessRole")


class _Named(BaseModel):
    """`kind` is asked for, as of a list: any object may have a summary."""

    kind: Literal["calendar#calendar"]
    summary: str


class _Page(BaseModel):
    """`kind` is asked for since any other object would read as an empty list, and lead to a second calendar."""

    kind: Literal["calendar#calendarList"]
    items: list[_Entry] = []
    next_page_token: str = Field(default="", alias="nextPageToken")


class _Rule(BaseModel):
    id: str
    role: str


_NAMED = TypeAdapter(_Named)
_PAGE = TypeAdapter(_Page)
_RULE = TypeAdapter(_Rule)


def _calendar(calendar_id: str) -> str:
    return f"{CALENDARS}/{quote(calendar_id, safe='')}"


def _event(calendar_id: str, event_id: str) -> str:
    return f"{_calendar(calendar_id)}/events/{quote(event_id, safe='')}"
