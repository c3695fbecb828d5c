"""What Google Calendar's refusals mean, and the texts a person reads. Judged by status and reason together.

Source: Google Calendar API, Handle API errors; client-library issues on what a calendar answers just after it was made.
"""

from __future__ import annotations

from dataclasses import dataclass

from backhaul.core.answer import Answer
from backhaul.core.errors import Gone, Misconfigured, OutsideProblem, RateLimited, Transient, Unplaceable

SERVICE = "Google Calendar"
LANE = "calendar"  # the name of its limit, and the first half of every code
NO_CALENDAR, NO_EVENT, DELETED = "calendar.not_found", "calendar.no_event", "calendar.deleted"


class Taken(OutsideProblem):
    """An event with our id is there already, or was."""


class Paused(Misconfigured):
    """Every further call may lengthen the pause."""

    leave_s = 3600.0


def explain(answer: Answer) -> OutsideProblem | None:
    """Where a 404 is about the calendar."""
    return _problem(_CAUSES.get((answer.status, reason(answer))), answer)


def explain_insert(answer: Answer) -> OutsideProblem | None:
    return _problem(_DUPLICATE, answer) if _is(answer, 409, "duplicate") else explain(answer)


def explain_event(answer: Answer) -> OutsideProblem | None:
    """Where a 404 is about an event, or about its calendar; Google does not say which."""
    return _problem(_NO_EVENT, answer) if _is(answer, 404, "notFound") else explain(answer)


def explain_share_of_new(answer: Answer) -> OutsideProblem | None:
    """A calendar made a moment ago may not be known everywhere yet, nor that it is ours."""
    if _is(answer, 404, "notFound") or _is(answer, 403, "requiredAccessLevel"):
        return not_yet("The new calendar cannot be shared yet")
    return explain(answer)


def not_yet(what: str) -> Transient:
    return Transient(SERVICE, what, "It was made a moment ago", _BY_ITSELF, code="calendar.not_yet")


def reason(answer: Answer) -> str:
    errors = _error(answer).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return _text(first.get("reason")) if isinstance(first, dict) else ""


def said(answer: Answer) -> str:
    """Google's own message and reason."""
    return " · ".join(part for part in (_text(_error(answer).get("message")), reason(answer)) if part)


@dataclass(frozen=True, slots=True)
class _Cause:
    """`why` is empty where only Google's own words can tell."""

    error: type[OutsideProblem]
    code: str
    what: str
    why: str
    todo: str


_BY_ITSELF = "Nothing to do; it is tried again by itself"
_AGAIN = "Save the trip again; it is then entered anew"

_SLOW = _Cause(RateLimited, "calendar.rate_limited", "", "", "")  # its words are the error's own
_TOKEN = _Cause(
    Misconfigured,
    "calendar.token",
    "Google Calendar does not accept our access token",
    "A fresh one was refused as well",
    "Ask the Workspace administrator to check the service account and what it was granted",
)
_PAUSED = _Cause(
    Paused,
    "calendar.quota",
    "Google Calendar has put this account in a pause",
    "Too many calendars, events or guests in a short time",
    "Wait some hours; do not keep trying",
)
_GUESTS = _Cause(
    Misconfigured,
    "calendar.guests",
    "Google does not let this account invite guests",
    "Domain-wide delegation is missing",
    "The Workspace administrator must grant it; the event itself can be saved without guests",
)
_GRANTED_TOO_LITTLE = _Cause(
    Misconfigured,
    "calendar.permissions",
    "Google Calendar does not let us do this",
    "",
    "The Workspace administrator must check what the service account was granted, and whose the calendar is",
)
# About one calendar or event: to call it misconfigured would put all calendars on hold.
_READ_ONLY = _Cause(
    Unplaceable,
    "calendar.read_only",
    "Google Calendar does not let us change this calendar",
    "",
    "Its owner must share it with us for making changes; or create a new one",
)
_NO_CALENDAR = _Cause(
    Gone,
    NO_CALENDAR,
    "The driver's calendar was not found",
    "It was deleted, or is no longer shared with us",
    "Share it again or create a new one",
)
_NO_EVENT = _Cause(
    Gone,
    NO_EVENT,
    "The event is not in the driver's calendar",
    "It was never entered, or the calendar itself was deleted",
    _AGAIN,
)
_DELETED = _Cause(Gone, DELETED, "The event is no longer in the driver's calendar", "Somebody deleted it there", _AGAIN)
_DUPLICATE = _Cause(Taken, "calendar.duplicate", "The event is in the driver's calendar already", "", "")
_BUSY = _Cause(Transient, "calendar.conflict", "Google Calendar was busy with the same entry", "", _BY_ITSELF)
_CHANGED = _Cause(
    Transient, "calendar.changed", "The event was changed there at the same moment", "Somebody else changed it", _BY_ITSELF
)

_CAUSES = {
    (401, "authError"): _TOKEN,
    (403, "rateLimitExceeded"): _SLOW,
    (403, "userRateLimitExceeded"): _SLOW,
    (403, "quotaExceeded"): _PAUSED,
    (403, "forbiddenForServiceAccounts"): _GUESTS,
    (403, "insufficientPermissions"): _GRANTED_TOO_LITTLE,
    (403, "forbidden"): _READ_ONLY,
    (403, "forbiddenForNonOrganizer"): _READ_ONLY,
    (403, "requiredAccessLevel"): _READ_ONLY,
    (404, "notFound"): _NO_CALENDAR,
    (409, "conflict"): _BUSY,
    (410, "deleted"): _DELETED,
    (412, "conditionNotMet"): _CHANGED,
}


def _problem(cause: _Cause | None, answer: Answer) -> OutsideProblem | None:
    if cause is None:
        return None
    if cause is _SLOW:
        return RateLimited(SERVICE, retry_after=answer.retry_after, code=cause.code)
    why = cause.why or f'It answered {answer.status}: "{answer.quote(said(answer))}"'
    return cause.error(SERVICE, cause.what, why, cause.todo, code=cause.code)


def _is(answer: Answer, status: int, word: str) -> bool:
    return answer.status == status and reason(answer) == word


def _error(answer: Answer) -> dict[str, object]:
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
