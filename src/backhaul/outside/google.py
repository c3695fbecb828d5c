"""What all Google Maps products say alike: their error words, and the texts a person reads.

Two dialects, read by one function. The older services answer `{"status": "REQUEST_DENIED", "error_message": …}`, often
under HTTP 200; the newer ones `{"error": {"code", "status", "message"}}`, which over streaming REST may sit in an array.
Source: Distance Matrix API (Legacy), Geocoding API and Routes API references; Google's own client accepts both forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from backhaul.core.answer import Answer
from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, RateLimited, Transient
from backhaul.core.outbound import Limits, Outbound

SERVICE = "Google Maps"
MAPS_URL = "https://maps.googleapis.com"
MATRIX_READ_S = 20.0

NOT_FOUND = (
    "Google Maps does not know this address. Street, city or postal code may be misspelt. "
    "Correct the address and save; the drive times are then calculated again."
)
TOO_LONG = "This drive is too long for Google Maps to measure. One place may be placed wrongly on the map. Check both addresses."
NO_TIME = "Google Maps found a road but gave no driving time. Its answer is incomplete. Save the record to ask again."
SILENT = "Google Maps gave no answer for this place. Its answer is incomplete. Save the record to ask again."


def line(
    base_url: str,
    key: str,
    limits: Limits,
    transport: httpx.AsyncBaseTransport | None,
    *,
    headers: Mapping[str, str] | None = None,
    read_s: float = 10.0,
) -> Outbound:
    return Outbound(
        SERVICE,
        base_url,
        limits=limits,
        limiter_key="maps",
        headers=headers,
        secrets=(key,),
        pause_s=60.0,  # its limits are per minute
        said=lambda answer: _complaint(answer)[2],
        transport=transport,
        read_s=read_s,
    )


def explain(answer: Answer) -> OutsideProblem | None:
    """Judged by the word whenever there is one, for the HTTP status has varied; then by the code, then by the status."""
    word, code, message = _complaint(answer)
    if word in ("OK", "ZERO_RESULTS"):
        return None
    cause = _BY_WORD.get(word) or _BY_STATUS.get(code or answer.status)
    if cause is None and answer.succeeded and (word or code):
        cause = _OURS
    return _problem(cause, answer, word or str(code or answer.status), message) if cause else None


def explain_rpc(code: int, message: str, answer: Answer) -> OutsideProblem | None:
    """The problem a google.rpc.Code stands for where it speaks of us or of Google; None where it speaks of one place."""
    cause = _BY_RPC_CODE.get(code)
    return _problem(cause, answer, f"rpc code {code}", message) if cause else None


def unmeasured(answer: Answer, word: str, message: str = "") -> str:
    """What to tell a person about a pair whose reason has no text of its own."""
    return f"Google Maps could not measure this drive. {_said(word, message, answer)}. Check both addresses."


@dataclass(frozen=True)
class _Cause:
    """`why` is empty where only Google's own words can tell."""

    error: type[OutsideProblem]
    code: str
    what: str
    why: str
    todo: str


_SLOW = _Cause(RateLimited, "maps.rate_limited", "", "", "")  # its words are the error's own
_DENIED = _Cause(
    Misconfigured,
    "maps.denied",
    "Google Maps refused our key",
    "The key is wrong, restricted, or the service is not switched on for it",
    "Ask the administrator; retrying will not help",
)
_STOPPED = _Cause(
    Misconfigured,
    "maps.daily_limit",
    "Google Maps has stopped for today",
    "Billing or a spending limit on the account",
    "Ask whoever pays the Google account",
)
_FAULT = _Cause(Transient, "maps.fault", "Google Maps had a fault", "", "Nothing to do; it is tried again by itself")
_OURS = _Cause(
    Malformed,
    "maps.bad_request",
    "Google Maps did not accept our request",
    "",
    "Report it to a developer; retrying will not help",
)

_BY_WORD = {
    "OVER_QUERY_LIMIT": _SLOW,
    "RESOURCE_EXHAUSTED": _SLOW,
    "REQUEST_DENIED": _DENIED,
    "UNAUTHENTICATED": _DENIED,
    "PERMISSION_DENIED": _DENIED,
    "API_KEY_INVALID": _DENIED,
    "OVER_DAILY_LIMIT": _STOPPED,
    "UNKNOWN_ERROR": _FAULT,
    "INTERNAL": _FAULT,
    "UNAVAILABLE": _FAULT,
    "DEADLINE_EXCEEDED": _FAULT,
    "INVALID_REQUEST": _OURS,
    "MAX_ELEMENTS_EXCEEDED": _OURS,
    "MAX_DIMENSIONS_EXCEEDED": _OURS,
    "INVALID_ARGUMENT": _OURS,
}
_BY_STATUS = {400: _OURS, 401: _DENIED, 403: _DENIED, 429: _SLOW, 500: _FAULT, 502: _FAULT, 503: _FAULT, 504: _FAULT}
_BY_RPC_CODE = {2: _FAULT, 4: _FAULT, 7: _DENIED, 8: _SLOW, 13: _FAULT, 14: _FAULT, 16: _DENIED}


def _problem(cause: _Cause, answer: Answer, word: str, message: object) -> OutsideProblem:
    if cause is _SLOW:
        return RateLimited(SERVICE, retry_after=answer.retry_after, code=cause.code)
    said = _said(word, message, answer)
    if cause is _FAULT and "Retry-After" in answer.headers:
        return RateLimited(SERVICE, retry_after=answer.retry_after, what=cause.what, why=said, todo=cause.todo, code=cause.code)
    problem = cause.error(SERVICE, cause.what, cause.why or said, cause.todo, code=cause.code)
    if cause.why:
        problem.add_note(said)  # which of the reasons it was, for whoever reads the traceback
    return problem


def _said(word: str, message: object, answer: Answer) -> str:
    return f'Google answered {answer.quote(word) or "nothing"}: "{answer.quote(message)}"'.removesuffix(': ""')


def _complaint(answer: Answer) -> tuple[str, int, Any]:
    """(status word, error code, message) of the body; blanks where it has none."""
    body = answer.json()
    parts = [part for part in (body if isinstance(body, list) else [body]) if isinstance(part, dict)]
    for part in parts:
        if "error" in part:
            error = part["error"] if isinstance(part["error"], dict) else {}
            code = _whole(error.get("code"))
            return _error_word(error) or ("" if code else "an error"), code, error.get("message")
    if isinstance(body, dict):
        return _text(body.get("status")), 0, body.get("error_message")
    return "", 0, None


def _error_word(error: dict[str, Any]) -> str:
    # A mistyped key is reported as 400 INVALID_ARGUMENT; only the reason tells it from a mistake of ours.
    details = error.get("details")
    reasons = [detail.get("reason") for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
    return "API_KEY_INVALID" if "API_KEY_INVALID" in reasons else _text(error.get("status"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
