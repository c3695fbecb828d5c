"""An event as we know it, and as Google Calendar has it.

Source: Google Calendar API, Events (`id`, `start`, `reminders`, `extendedProperties`, `visibility`).
"""

from __future__ import annotations

import hashlib
from base64 import b32hexencode
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator


def event_id(appointment_id: UUID, calendar_id: str, generation: int) -> str:
    """The event's id, the same whenever it is asked for: 32 characters of `0`–`9`, `a`–`v`, as Google wants them.

    generation: 0 at first; one more whenever `put_event` says that the id is spent.
    """
    name = f"{appointment_id}/{generation}/{calendar_id}"
    return b32hexencode(hashlib.sha256(name.encode()).digest()[:20]).decode("ascii").lower()


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("it is not a time zone like America/Halifax")
    return name


Zone = Annotated[str, AfterValidator(_zone)]


class Event(BaseModel):
    """A trip in a driver's calendar.

    popups: minutes before. colour: Google's number, 1 to 11; None: the calendar's own. A cancelled trip is `tentative`, for
    `cancelled` means deleted there.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    appointment_id: UUID
    driver_id: UUID
    title: str = Field(min_length=1)
    description: str = ""
    location: str = ""
    starts: AwareDatetime
    ends: AwareDatetime
    zone: Zone = "America/Halifax"
    popups: tuple[Annotated[int, Field(ge=0, le=40320)], ...] = Field(default=(60, 5), max_length=5)
    status: Literal["confirmed", "tentative"] = "confirmed"
    colour: Annotated[int, Field(ge=1, le=11)] | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends - self.starts < timedelta(seconds=1):  # Google takes whole seconds
            raise ValueError("it must end after it starts")
        return self


class _Stored(BaseModel):
    """Of a deleted event Google promises the id alone."""

    id: str
    status: str = "confirmed"
    etag: str = "*"


STORED = TypeAdapter(_Stored)


def new(event: Event, key: str) -> dict[str, Any]:
    """The whole event to insert."""
    return {"id": key, **_without_nulls(changed(event))}


def changed(event: Event) -> dict[str, Any]:
    """The whole event to send to what is there already: a null clears what an earlier state had and this has not."""
    return {
        "summary": event.title,
        "description": event.description,
        "location": event.location,
        "start": _moment(event.starts, event.zone),
        "end": _moment(event.ends, event.zone),
        "status": event.status,
        "colorId": None if event.colour is None else str(event.colour),
        # The title names a person: it is for those who may change the calendar, not for all who may see it.
        "visibility": "private",
        "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": minutes} for minutes in event.popups]},
        "extendedProperties": {"private": {"appointment": str(event.appointment_id), "driver": str(event.driver_id)}},
    }


def _moment(at: datetime, zone: str) -> dict[str, str | None]:
    return {"dateTime": at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds"), "timeZone": zone, "date": None}


def _without_nulls(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value for name, value in body.items() if value is not None
    }
