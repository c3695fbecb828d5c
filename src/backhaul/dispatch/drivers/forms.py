"""The forms of drivers and of their time off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, model_validator

from backhaul.dispatch import forms
from backhaul.dispatch.forms import Change, Form, Missing, RequiredEmail, also, needed, text
from backhaul.dispatch.wall_time import check_wall_time, clock, day, read_clock

WORKLOADS = {"minimal": 25, "light": 50, "normal": 100, "heavy": 150, "maximum": 200}
"""Percent of a usual week."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Week = dict[str, dict[str, Any]]


def _workload(value: object) -> int:
    """By its name or its percentage."""
    if value is None or value == "":
        return WORKLOADS["normal"]
    written = str(value).strip().lower().removesuffix("%") if not isinstance(value, bool) else ""
    percent = WORKLOADS.get(written, int(written) if written.isascii() and written.isdecimal() and len(written) < 4 else 0)
    if percent not in WORKLOADS.values():
        raise ValueError(f"Workload must be one of {', '.join(WORKLOADS)}")
    return percent


def _week(value: object) -> Week | None:
    """{monday: {available, start, end}, …}; a day left out is a day off. Nothing means the usual week."""
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping) or not all(isinstance(hours, Mapping) for hours in value.values()):
        raise ValueError("Weekly hours must be hours for each day")
    unknown = set(value) - set(WEEKDAYS)
    if unknown:
        raise ValueError("Weekly hours name a day that does not exist")
    return {weekday: _hours(weekday.capitalize(), value.get(weekday, {})) for weekday in WEEKDAYS}


def _hours(weekday: str, hours: Mapping[str, object]) -> dict[str, Any]:
    if hours.get("available") not in (True, "true"):
        return {"available": False, "start": None, "end": None}
    start, end = (read_clock(hours.get(name), f"{weekday}: {name}") for name in ("start", "end"))
    if start is None or end is None:
        raise ValueError(f"{weekday}: start and end are required")
    if start >= end:
        raise ValueError(f"{weekday}: the end must be after the start")
    return {"available": True, "start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}


class NewDriver(Form):
    """A driver. workload_percentage: 25, 50, 100, 150 or 200, or by name. weekly_hours: None means Monday to Friday, 8 to 4."""

    first_name: Annotated[str, text("First name", required=True, longest=100)] = also("first_name", "firstName")
    last_name: Annotated[str, text("Last name", required=True, longest=100)] = also("last_name", "lastName")
    email: RequiredEmail = also("email")
    phone: Annotated[str | None, forms.phone()] = also("phone")
    work_phone: Annotated[str | None, forms.phone("Work phone")] = also("work_phone", "workPhone")
    gender: Annotated[str | None, forms.choice("Gender", "male", "female", "non-binary", "other")] = also("gender")
    workload_percentage: Annotated[int, BeforeValidator(_workload)] = also(
        "workload_preference", "workload_percentage", "workloadPreference", "workloadPercentage"
    )
    preferred_calendar_type: Annotated[str, forms.choice("Calendar", "google", "outlook", "apple", "other", default="google")] = (
        also("preferred_calendar_type", "preferredCalendarType")
    )
    weekly_hours: Annotated[Week | None, BeforeValidator(_week)] = also("weekly_hours", "weeklyHours")
    vehicle_description: Annotated[str | None, text("Vehicle")] = also("vehicle_description", "vehicleDescription")
    notes: Annotated[str | None, text("Notes", longest=5000, lines=True)] = also("notes")
    home_address: Annotated[str | None, text("Home address")] = also("home_address", "homeAddress")
    home_city: Annotated[str | None, text("Home city", longest=100)] = also("home_city", "homeCity")
    home_province: Annotated[str | None, forms.province("Home province")] = also("home_province", "homeProvince")
    home_postal_code: Annotated[str | None, forms.postal_code("Home postal code")] = also("home_postal_code", "homePostalCode")
    active: Annotated[bool, forms.yes_or_no("Active", default=True)] = also("active")

    @model_validator(mode="before")
    @classmethod
    def _from_one_name(cls, sent: Any) -> Any:
        """Documents write one name; the last word of it is the last name."""
        if not isinstance(sent, Mapping):
            return sent
        whole = sent.get("driver_name") or sent.get("name")
        if not isinstance(whole, str) or {"first_name", "firstName", "last_name", "lastName"} & set(sent):
            return sent
        first, _, last = whole.strip().rpartition(" ")
        return {**sent, "first_name": first, "last_name": last}

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}"


class DriverChange(NewDriver, Change):
    """A change of one driver: what is left out stays as it is, null takes it away."""

    id: Annotated[UUID, forms.record_id("Driver", required=True)] = needed("id", "driver_id", "driverId")
    version: Annotated[int | None, forms.whole_number("Version", least=1, most=999_999_999)] = also("version")


class OneDriver(Form):
    id: Annotated[UUID, forms.record_id("Driver", required=True)] = also("id", "driver_id", "driverId")


_TIMES = {"all_day", "allDay", "start_time", "startTime", "end_time", "endTime"}


class _Stretch(Form):
    """One stretch, from the first day's start to the last day's end; all_day unless times are given."""

    entry_type: Annotated[str, forms.choice("Kind of entry", "time_off", "override_available", default="time_off")] = also(
        "entry_type", "entryType"
    )
    start_date: Annotated[date, day("Start date", required=True)] = also("start_date", "startDate")
    end_date: Annotated[date, day("End date", required=True)] = also("end_date", "endDate")
    all_day: Annotated[bool, forms.yes_or_no("All day", default=True)] = also("all_day", "allDay")
    start_time: Annotated[time | None, clock("Start time")] = also("start_time", "startTime")
    end_time: Annotated[time | None, clock("End time")] = also("end_time", "endTime")
    reason: Annotated[str | None, text("Reason", longest=500)] = also("reason")

    @model_validator(mode="before")
    @classmethod
    def _times_as_a_whole(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        if issubclass(cls, TimeOffChange) and not _TIMES & set(sent):
            return sent
        given = dict(sent)
        start, end = (given.get(f"{name}_time") or given.get(f"{name}Time") for name in ("start", "end"))
        told = given.get("all_day", given.get("allDay"))
        if told in (None, ""):
            given["all_day"] = told = not (start or end)
        if forms.is_yes(told):
            return given | {"start_time": None, "end_time": None}
        return given | {"start_time": start or Missing.FIELD, "end_time": end or Missing.FIELD}

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if (self.end_date, self.end_time or time.max) <= (self.start_date, self.start_time or time.min):
            raise ValueError("The end must be after the start")
        for day_of_it, clock_of_it, label in (
            (self.start_date, self.start_time, "Start time"),
            (self.end_date, self.end_time, "End time"),
        ):
            if clock_of_it is not None:
                check_wall_time(datetime.combine(day_of_it, clock_of_it), label)
        if (self.end_date - self.start_date).days > 366:
            raise ValueError("Time off can be no longer than a year")
        return self


class NewTimeOff(_Stretch):
    """When a driver is away (time_off), or there beyond the weekly hours (override_available). Days and times of the office."""

    driver_id: Annotated[UUID, forms.record_id("Driver", required=True)] = also("driver_id", "driverId")


class TimeOffChange(_Stretch):
    """The same entry: its days anew; kind, times and reason stay as they are where they are left out."""

    id: Annotated[UUID, forms.record_id("Entry", required=True)] = also("id")


class OneTimeOff(Form):
    id: Annotated[UUID, forms.record_id("Entry", required=True)] = also("id")
