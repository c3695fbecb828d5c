"""Google Calendar v3, calendars: who may do what in which, sharing, and the errors of the whole service.

Source: external service notes 4. Only the data owner may delete a calendar; a calendar nobody shared with you does not exist.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from zoneinfo import available_timezones

from starlette.responses import JSONResponse, Response

from backhaul.sandbox.faults import Fault
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused, Window

ROLES = ("freeBusyReader", "reader", "writer", "owner")


def error(code: int, reason: str, message: str, domain: str = "global") -> Response:
    return JSONResponse(
        {"error": {"code": code, "message": message, "errors": [{"domain": domain, "reason": reason, "message": message}]}}, code
    )


def refused(code: int, reason: str, message: str) -> Refused:
    return Refused(error(code, reason, message))


def object_of(ask: Ask) -> dict[str, object]:
    try:
        body = ask.json()
    except ValueError as unreadable:
        raise refused(400, "parseError", "Parse Error") from unreadable
    if not isinstance(body, dict):
        raise refused(400, "parseError", "Parse Error")
    return body


def page_of(ask: Ask, kind: str, items: Sequence[Mapping[str, object]]) -> Response:
    """A list's page: `maxResults` up to 250 (100), `pageToken` the number of items already given."""
    wish, token = ask.query.get("maxResults", "100"), ask.query.get("pageToken", "0")
    if not (wish.isascii() and wish.isdigit() and token.isascii() and token.isdigit()):
        raise refused(400, "invalid", "Invalid value for maxResults or pageToken.")
    start = int(token)
    end = start + max(1, min(int(wish), 250))
    more = {"nextPageToken": str(end)} if end < len(items) else {}
    return JSONResponse({"kind": kind, "etag": '"0"', "items": list(items[start:end])} | more)


class User:
    """Whom the token acts as. `service_account`: itself, so it may invite nobody."""

    def __init__(self, email: str, *, service_account: bool) -> None:
        self.email = email
        self.service_account = service_account


class CalendarReception:
    """Every Calendar call passes here: a live token, 600 requests a minute for each user, and a calendar one may use."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._window = Window(600, 60, clock)

    def admit(self, ask: Ask) -> User:
        token = self._store.get("token", ask.headers.get("Authorization", "").removeprefix("Bearer "))
        if token is None or not isinstance(token["until"], int | float) or token["until"] <= self._clock().timestamp():
            raise refused(401, "authError", "Invalid Credentials")
        user = User(str(token["user"]), service_account=bool(token["own"]))
        if not self._window.admits(user.email):
            raise Refused(_rate_limited())
        return user

    def calendar(self, ask: Ask, user: User, *, role: str) -> dict[str, object]:
        """The calendar in the path, when the user has at least that role in it."""
        key = ask.params["calendar"]
        calendar = self._store.get("calendar", key)
        granted = self._store.get("acl", f"{key}/user:{user.email}")
        ask.notes.update(calendar=key)
        if calendar is None or granted is None:
            raise refused(404, "notFound", "Not Found")
        if ROLES.index(str(granted["role"])) < ROLES.index(role):
            raise refused(403, "requiredAccessLevel", f"You need to have {role} access to this calendar.")
        return calendar


class GoogleCalendars:
    service = "calendar"
    label = "Google Calendar"

    def __init__(self, store: Store, reception: CalendarReception) -> None:
        self._store = store
        self._reception = reception

    def calls(self) -> Sequence[Call]:
        one = "/calendar/v3/calendars/{calendar}"
        return [
            Call("POST", "/calendar/v3/calendars", self._insert),
            Call("GET", one, self._get),
            Call("PATCH", one, self._patch),
            Call("DELETE", one, self._delete),
            Call("POST", f"{one}/acl", self._share),
            Call("DELETE", f"{one}/acl/{{rule}}", self._unshare),
            Call("GET", "/calendar/v3/users/me/calendarList", self._list),
        ]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return CALENDAR_REFUSALS

    def _insert(self, ask: Ask) -> Response:
        user = self._reception.admit(ask)
        calendar = _named({}, object_of(ask))
        if not calendar.get("summary"):
            raise refused(400, "required", "Missing title.")
        key = f"{secrets.token_hex(16)}@group.calendar.google.com"
        calendar = {
            "kind": "calendar#calendar",
            "etag": _etag(),
            "id": key,
            "timeZone": "UTC",
            "dataOwner": user.email,
        } | calendar
        self._store.put("calendar", key, calendar)
        self._grant(key, user.email, "owner")
        ask.notes.update(calendar=key)
        return JSONResponse(calendar)

    def _get(self, ask: Ask) -> Response:
        return JSONResponse(self._reception.calendar(ask, self._reception.admit(ask), role="reader"))

    def _patch(self, ask: Ask) -> Response:
        before = self._reception.calendar(ask, self._reception.admit(ask), role="owner")
        calendar = _named(before, object_of(ask)) | {"etag": _etag()}
        self._store.put("calendar", str(calendar["id"]), calendar)
        return JSONResponse(calendar)

    def _delete(self, ask: Ask) -> Response:
        user = self._reception.admit(ask)
        calendar = self._reception.calendar(ask, user, role="owner")
        if calendar["dataOwner"] != user.email:
            raise refused(403, "insufficientPermissions", "Only the data owner may delete a calendar.")
        self._store.remove("calendar", str(calendar["id"]))
        return Response(status_code=204)

    def _share(self, ask: Ask) -> Response:
        calendar = self._reception.calendar(ask, self._reception.admit(ask), role="owner")
        rule = object_of(ask)
        scope, role = rule.get("scope"), str(rule.get("role"))
        if not isinstance(scope, dict) or scope.get("type") != "user" or "@" not in str(scope.get("value")):
            raise refused(400, "invalid", "Invalid scope value: this stand-in shares with users only.")
        if role not in ROLES:
            raise refused(400, "invalid", f"Invalid role: {role}")
        return JSONResponse(self._grant(str(calendar["id"]), str(scope["value"]), role))

    def _unshare(self, ask: Ask) -> Response:
        calendar = self._reception.calendar(ask, self._reception.admit(ask), role="owner")
        key = f"{calendar['id']}/{ask.params['rule']}"
        if self._store.get("acl", key) is None:
            raise refused(404, "notFound", "Not Found")
        self._store.remove("acl", key)
        return Response(status_code=204)

    def _list(self, ask: Ask) -> Response:
        user = self._reception.admit(ask)
        items = [
            calendar | {"kind": "calendar#calendarListEntry", "accessRole": granted["role"]}
            for calendar in self._store.find("calendar")
            if (granted := self._store.get("acl", f"{calendar['id']}/user:{user.email}"))
        ]
        return page_of(ask, "calendar#calendarList", items)

    def _grant(self, calendar: str, email: str, role: str) -> dict[str, object]:
        scope = {"type": "user", "value": email}
        rule: dict[str, object] = {
            "kind": "calendar#aclRule",
            "etag": _etag(),
            "id": f"user:{email}",
            "scope": scope,
            "role": role,
        }
        self._store.put("acl", f"{calendar}/user:{email}", rule, label=calendar)
        return rule


def _named(calendar: Mapping[str, object], wish: Mapping[str, object]) -> dict[str, object]:
    named = {name: wish[name] for name in ("summary", "description", "location", "timeZone") if name in wish}
    if any(not isinstance(value, str) for value in named.values()):
        raise refused(400, "invalid", "Invalid value: text expected.")
    if "timeZone" in named and named["timeZone"] not in available_timezones():
        raise refused(400, "invalid", "Invalid time zone.")
    return {**calendar, **named}


def _etag() -> str:
    return f'"{secrets.token_hex(8)}"'


def _rate_limited(fault: Fault | None = None) -> Response:
    response = error(429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits")
    if fault and fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _says(code: int, reason: str, message: str, domain: str = "global") -> Refusal:
    return lambda _: error(code, reason, message, domain)


CALENDAR_REFUSALS: Mapping[str, Refusal] = {
    "401": _says(401, "authError", "Invalid Credentials"),
    "402": _says(403, "quotaExceeded", "Calendar usage limits exceeded.", "usageLimits"),
    "403": _says(403, "insufficientPermissions", "Insufficient Permission"),
    "denied": _says(
        403, "forbiddenForServiceAccounts", "Service accounts cannot invite attendees without Domain-Wide Delegation."
    ),
    "404": _says(404, "notFound", "Not Found"),
    "409": _says(409, "conflict", "Conflict"),
    "410": _says(410, "deleted", "Resource has been deleted"),
    "412": _says(412, "conditionNotMet", "Precondition Failed"),
    "429": _rate_limited,
    "500": _says(500, "backendError", "Backend Error"),
    "503": _says(503, "backendError", "Backend Error"),
    "rateLimitExceeded": _says(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "userRateLimitExceeded": _says(403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits"),
    "quotaExceeded": _says(403, "quotaExceeded", "Calendar usage limits exceeded.", "usageLimits"),
    "forbiddenForServiceAccounts": _says(
        403, "forbiddenForServiceAccounts", "Service accounts cannot invite attendees without Domain-Wide Delegation."
    ),
}
