"""The office's wall time, whatever zone a browser or server is in: moments, days and hours as people write them.

Two nights a year a wall time means nothing, or two moments: the hour that the clocks skip, and the one they repeat. Such a time
is told back kindly and never guessed at; whoever means one of two writes its offset behind it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pydantic import BeforeValidator

from backhaul.dispatch.forms import Missing
from backhaul.dispatch.office import OFFICE_TIME

_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?) ?(Z|[+-]\d{2}:?\d{2})?", re.ASCII | re.IGNORECASE
)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):?([0-5]\d)(?::[0-5]\d)?", re.ASCII)
_CENTURY = (2000, 2100)


def read_moment(written: str, label: str = "Time") -> datetime:
    """An instant, in UTC. With an offset or Z it is what it says; without, the office's wall time.

    Raises: ValueError, in words for whoever wrote it: malformed, no such day, skipped by the clocks, or repeated by them.
    """
    match = _MOMENT.fullmatch(written.strip())
    if match is None:
        raise ValueError(f"{label} must be a date and time, like 2026-12-01 09:30")
    day, clock, offset = match.groups()
    try:
        wall = datetime.fromisoformat(f"{day}T{clock if clock[2] == ':' else '0' + clock}")
    except ValueError:
        raise ValueError(f"{label}: there is no such day or hour") from None
    if not _CENTURY[0] <= wall.year < _CENTURY[1]:
        raise ValueError(f"{label} must be in this century")
    if offset is None:
        return office_moment(wall, label)
    zone = "+00:00" if offset.upper() == "Z" else offset
    try:
        return datetime.fromisoformat(f"{wall.isoformat()}{zone}").astimezone(UTC)
    except ValueError:
        raise ValueError(f"{label} has an offset that does not exist") from None


def office_moment(wall: datetime, label: str = "Time") -> datetime:
    """The instant of one wall time at the office, in UTC. wall: without a zone. Raises: ValueError on the two nights."""
    first, second = (wall.replace(tzinfo=OFFICE_TIME, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    spoken = f"{_clock(wall)} on {wall.day} {wall:%B %Y}"
    if first > second:  # a gap: neither reading comes back as what was written
        later = office(first)
        raise ValueError(f"{label}: there is no {spoken}, because the clocks go forward. {_clock(later)} is an hour later")
    one, two = (_offset(office(moment)) for moment in (first, second))
    raise ValueError(
        f"{label}: {spoken} comes twice, because the clocks go back. Write {one} behind it for the first, {two} for the second"
    )


def check_wall_time(wall: datetime, label: str) -> None:
    """For a time of which no offset is kept. Raises: ValueError where it means nothing, or two moments."""
    if len({wall.replace(tzinfo=OFFICE_TIME, fold=fold).astimezone(UTC) for fold in (0, 1)}) > 1:
        spoken = f"{_clock(wall)} on {wall.day} {wall:%B %Y}"
        raise ValueError(f"{label}: {spoken} is in the hour in which the clocks change; choose a time before or after it")


def office(moment: datetime) -> datetime:
    """The same instant as the office's clocks show it."""
    return moment.astimezone(OFFICE_TIME)


def office_day(moment: datetime) -> date:
    return office(moment).date()


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _clock(wall: datetime) -> str:
    return f"{wall.hour}:{wall.minute:02}"


def _offset(wall: datetime) -> str:
    return f"{wall:%z}"[:3] + ":" + f"{wall:%z}"[3:5]


# ── Kinds of fields ──


def moment(label: str, *, required: bool = False) -> Any:
    """An instant; kept in UTC."""

    def check(value: object) -> datetime | None:
        if value is None or value == "":
            if required:
                raise ValueError(f"{label} is required")
            return None
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        return read_moment(value if isinstance(value, str) else "", label)

    return BeforeValidator(check)


def day(label: str, *, required: bool = False) -> Any:
    """A calendar day at the office, YYYY-MM-DD."""

    def check(value: object) -> date | None:
        if value is None or value == "":
            if required:
                raise ValueError(f"{label} is required")
            return None
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            told = date.fromisoformat(value.strip()) if isinstance(value, str) else None
        except ValueError:
            told = None
        if told is None or not _CENTURY[0] <= told.year < _CENTURY[1]:
            raise ValueError(f"{label} must be a day, like 2026-12-01")
        return told

    return BeforeValidator(check)


def clock(label: str) -> Any:
    """A time of day, HH:MM."""
    return BeforeValidator(lambda value: read_clock(value, label))


def read_clock(value: object, label: str) -> time | None:
    """A time of day as people write it; nothing means none. Raises: ValueError."""
    if value is Missing.FIELD:
        raise ValueError(f"{label} is required")
    if value is None or value == "":
        return None
    if isinstance(value, time):
        return value
    match = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{label} must be a time of day, like 09:30")
    return time(int(match[1]), int(match[2]))
