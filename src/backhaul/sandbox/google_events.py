"""Google Calendar v3, events: ids the caller chooses, which stay taken after a delete.

Source: external service notes 4.1. A deleted event is never revived here: it answers 403, as it does for some at Google.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, available_timezones

from starlette.responses import JSONResponse, Response

from backhaul.sandbox.google_calendar import CALENDAR_REFUSALS, CalendarReception, User, object_of, page_of, refused
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal

_ID = re.compile(r"[a-v0-9]{5,1024}")
_STATUSES = ("confirmed", "tentative", "cancelled")
_SET_BY_GOOGLE = ("id", "etag", "kind", "created", "updated", "creator", "organizer")


class GoogleEvents:
    service = "calendar"
    label = "Google Calendar"

    def __init__(self, store: Store, clock: Clock, reception: CalendarReception) -> None:
        self._store = store
        self._clock = clock
        self._reception = reception

    def calls(self) -> Sequence[Call]:
        all_, one = "/calendar/v3/calendars/{calendar}/events", "/calendar/v3/calendars/{calendar}/events/{event}"
        return [
            Call("POST", all_, self._insert),
            Call("GET", all_, self._list),
            Call("GET", one, self._get),
            Call("PATCH", one, self._patch),
            Call("PUT", one, self._replace),
            Call("DELETE", one, self._delete),
        ]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return CALENDAR_REFUSALS

    def _insert(self, ask: Ask) -> Response:
        calendar, user = self._enter(ask, role="writer")
        wish = object_of(ask)
        key = wish.get("id") or secrets.token_hex(13)
        if not isinstance(key, str) or not _ID.fullmatch(key):
            raise refused(400, "invalid", "Invalid resource id value.")
        if "id" in wish and "iCalUID" in wish:
            raise refused(400, "invalid", "Send either id or iCalUID.")
        ask.notes.update(event=key)
        if self._store.get("event", f"{calendar}/{key}"):
            raise refused(409, "duplicate", "The requested identifier already exists.")
        created = {"id": key, "created": self._now(), "creator": {"email": user.email}, "organizer": {"email": calendar}}
        return JSONResponse(self._keep(calendar, user, created, wish))

    def _get(self, ask: Ask) -> Response:
        calendar, _ = self._enter(ask, role="reader")
        return JSONResponse(self._stored(ask, calendar))

    def _patch(self, ask: Ask) -> Response:
        calendar, user = self._enter(ask, role="writer")
        before = self._changeable(ask, calendar)
        return JSONResponse(self._keep(calendar, user, before, _merged(before, object_of(ask))))

    def _replace(self, ask: Ask) -> Response:
        calendar, user = self._enter(ask, role="writer")
        before = self._changeable(ask, calendar)
        kept = {name: before[name] for name in _SET_BY_GOOGLE if name in before}
        return JSONResponse(self._keep(calendar, user, kept, object_of(ask)))

    def _delete(self, ask: Ask) -> Response:
        calendar, _ = self._enter(ask, role="writer")
        event = self._stored(ask, calendar)
        if event["status"] == "cancelled":
            raise refused(410, "deleted", "Resource has been deleted")
        _check_etag(ask, event)
        cancelled = event | {"status": "cancelled", "updated": self._now(), "etag": _etag()}
        self._store.put("event", f"{calendar}/{event['id']}", cancelled, label=calendar)
        return Response(status_code=204)

    def _list(self, ask: Ask) -> Response:
        calendar, _ = self._enter(ask, role="reader")
        wanted = [tuple(pair.split("=", 1)) for pair in ask.query.getlist("privateExtendedProperty")]
        if any(len(pair) != 2 for pair in wanted):
            raise refused(400, "invalid", "Invalid privateExtendedProperty: name=value expected.")
        deleted_too = ask.query.get("showDeleted") == "true"
        items = [
            event
            for event in self._store.find("event", label=calendar)
            if (deleted_too or event["status"] != "cancelled")
            and all(_private(event).get(name) == value for name, value in wanted)
        ]
        return page_of(ask, "calendar#events", items)

    def _enter(self, ask: Ask, *, role: str) -> tuple[str, User]:
        if ask.query.get("sendUpdates", "none") not in ("all", "externalOnly", "none"):
            raise refused(400, "invalid", "Invalid value for sendUpdates.")
        user = self._reception.admit(ask)
        return str(self._reception.calendar(ask, user, role=role)["id"]), user

    def _stored(self, ask: Ask, calendar: str) -> dict[str, object]:
        ask.notes.update(event=ask.params["event"])
        event = self._store.get("event", f"{calendar}/{ask.params['event']}")
        if event is None:
            raise refused(404, "notFound", "Not Found")
        return event

    def _changeable(self, ask: Ask, calendar: str) -> dict[str, object]:
        event = self._stored(ask, calendar)
        _check_etag(ask, event)
        if event["status"] == "cancelled":
            raise refused(403, "forbidden", "A deleted event cannot be changed.")
        return event

    def _keep(self, calendar: str, user: User, kept: Mapping[str, object], wish: Mapping[str, object]) -> dict[str, object]:
        own = {name: value for name, value in wish.items() if name not in _SET_BY_GOOGLE and value is not None}
        event = {"status": "confirmed", **own, **{name: kept[name] for name in _SET_BY_GOOGLE if name in kept}}
        if event["status"] not in _STATUSES:
            raise refused(400, "invalid", "Invalid value for status.")
        if own.get("attendees") and user.service_account:
            raise refused(
                403, "forbiddenForServiceAccounts", "Service accounts cannot invite attendees without Domain-Wide Delegation."
            )
        if _instant(event, "end") <= _instant(event, "start"):
            raise refused(400, "timeRangeEmpty", "The specified time range is empty.")
        event |= {"kind": "calendar#event", "updated": self._now(), "etag": _etag()}
        self._store.put("event", f"{calendar}/{event['id']}", event, label=calendar)
        return event

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(event: Mapping[str, object], name: str) -> datetime:
    """A start or end as an instant: `dateTime` with an offset or a `timeZone`, or a whole-day `date`."""
    value = event.get(name)
    if not isinstance(value, dict) or not (value.get("dateTime") or value.get("date")):
        raise refused(400, "required", f"Missing {name} time.")
    zone = value.get("timeZone")
    if zone is not None and zone not in available_timezones():
        raise refused(400, "invalid", "Invalid time zone.")
    try:
        if day := value.get("date"):
            return datetime.combine(date.fromisoformat(str(day)), datetime.min.time(), UTC)
        instant = datetime.fromisoformat(str(value["dateTime"]))
    except ValueError as unreadable:
        raise refused(400, "invalid", f"Invalid value for {name}.") from unreadable
    if instant.tzinfo is None and zone is None:
        raise refused(400, "required", f"Missing time zone definition for {name} time.")
    return instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(str(zone)))


def _merged(before: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """JSON merge: objects inside are merged too, null removes."""
    merged = dict(before)
    for name, value in patch.items():
        old = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merged(old if isinstance(old, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _check_etag(ask: Ask, event: Mapping[str, object]) -> None:
    if ask.headers.get("If-Match", event["etag"]) not in (event["etag"], "*"):
        raise refused(412, "conditionNotMet", "Precondition Failed")


def _private(event: Mapping[str, object]) -> Mapping[str, object]:
    properties = event.get("extendedProperties")
    private = properties.get("private") if isinstance(properties, dict) else None
    return private if isinstance(private, dict) else {}


def _etag() -> str:
    return f'"{secrets.token_hex(8)}"'
