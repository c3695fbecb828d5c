"""What is refused, and how it is said: every error leaves as one envelope.

`message` is at the top, because that is what pages show; 401 is for a missing or expired token only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from prometheus_client import Counter
from psycopg_pool import PoolTimeout
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from backhaul.core.errors import Forbidden, Problem, Rejected, TooMany, Unauthenticated
from backhaul.core.faults import NOT_AN_OBJECT, NOT_JSON, in_words
from backhaul.core.http import Answer, caller_ip

_AUDIT = b"""
select private.write_audit('permission_denied', null, null, %(user)s,
                           jsonb_build_object('endpoint', %(endpoint)s::text, 'code', %(code)s::text),
                           %(ip)s, %(agent)s, %(refused)s)
"""
_log = structlog.get_logger(__name__)
_REFUSALS = Counter("backhaul_refusals_total", "Requests refused, by the code of the problem", ["code"])


class Refusal(BaseModel):
    """Why something was not done.

    `message` is for people; `code` groups refusals of one cause; `fields` says what is wrong with which field.
    """

    success: bool = False
    message: str
    code: str
    what: str
    why: str
    todo: str
    errors: list[str] | None = None
    fields: dict[str, str] | None = None
    statusCode: int  # noqa: N815  (the name the portal's pages know)
    request_id: str
    timestamp: datetime


# For the description of a router's endpoints: what they answer when they do not do what was asked.
REFUSED: dict[int | str, dict[str, Any]] = {
    "default": {"description": "Refused: the status says how, the body why", "model": Refusal}
}


def answer_errors(app: FastAPI) -> None:
    """Every error leaves as the envelope: {success, message, code, what, why, todo, errors, fields, request_id, timestamp}."""

    @app.exception_handler(Problem)
    async def refuse(request: Request, problem: Problem) -> Response:
        if isinstance(problem, Forbidden):
            await _note(request, problem)
        return refusal(request, problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [in_words(_where(fault["loc"]), fault) for fault in error.errors()]
        if faults and faults[0] in (NOT_JSON, NOT_AN_OBJECT):
            return refusal(
                request, Rejected(faults[0], "", "Send a JSON object, with content-type application/json", code="json")
            )
        return refusal(request, Rejected("Validation failed: " + "; ".join(faults), faults=faults, code="validation"))

    @app.exception_handler(HTTPException)
    async def refused_by_framework(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, Problem):  # ours, met while the framework read the body
            return refusal(request, error.__cause__)
        return refusal(request, _framework_problem(request, error), headers=dict(error.headers or {}))

    @app.exception_handler(psycopg.DataError)
    @app.exception_handler(UnicodeEncodeError)
    async def unkeepable(request: Request, error: Exception) -> Response:
        _log.warning("value refused by the database", why=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))
        return refusal(
            request,
            Rejected(
                "The request holds a value that cannot be kept",
                "A character or number in it is none that a database can store",
                "Type it again by hand",
                code="validation",
            ),
        )

    @app.exception_handler(psycopg.OperationalError)
    @app.exception_handler(PoolTimeout)
    async def no_database(request: Request, error: Exception) -> Response:
        _log.error("no database", why=type(error).__name__)
        problem = Problem(
            "The database cannot be reached",
            "It is restarting, or too busy",
            "It may not have been saved. Try again in a moment: the same click saves once",
            code="database",
        )
        problem.status = 503
        return refusal(request, problem, headers={"retry-after": "2"})


async def _note(request: Request, problem: Forbidden) -> None:
    """Writes down that somebody who is signed in tried what they may not do; a stranger's refusals are not anybody's."""
    claims = getattr(request.state, "claims", None)
    if claims is None:
        return
    asked = {
        "user": claims.user_id,
        "endpoint": getattr(request.scope.get("route"), "path", "other"),
        "code": problem.code,
        "ip": caller_ip(request),
        "agent": request.headers.get("user-agent"),
        "refused": problem.what,
    }
    await request.app.state.store.call(_AUDIT, asked)


def _where(loc: tuple[int | str, ...]) -> str:
    """The field a fault is about, without the part of the request it came in."""
    return ".".join(str(part) for part in loc[1:])


def _framework_problem(request: Request, error: HTTPException) -> Problem:
    match error.status_code:
        case 400:
            problem = Problem(NOT_JSON, "", "Send a JSON object in UTF-8", code="json")
        case 404:
            problem = Problem(
                "There is nothing here", "No endpoint or page has this address", "Look at /docs", code="no_endpoint"
            )
        case 405:
            takes = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow") or "GET"
            problem = Problem(f"{request.method} does not work here", f"It takes {takes}", "Look at /docs", code="method")
        case _:
            problem = Problem(str(error.detail), code="http")
    problem.status = error.status_code
    return problem


def refusal(request: Request, problem: Problem, *, headers: dict[str, str] | None = None) -> Response:
    """A problem as the answer to a request."""
    _REFUSALS.labels(problem.code).inc()
    faults = problem.faults if isinstance(problem, Rejected) else []
    body = {
        "success": False,
        "message": problem.message if not faults else problem.what,
        "code": problem.code,
        "what": problem.what,
        "why": problem.why,
        "todo": problem.todo,
        **({"errors": faults} if faults else {}),
        **({"fields": problem.fields} if problem.fields else {}),
        "statusCode": problem.status,
        "request_id": request.scope.get("request_id"),
        "timestamp": datetime.now(UTC),
    }
    extra = dict(headers or {})
    if isinstance(problem, TooMany):
        extra["retry-after"] = str(max(1, round(problem.retry_after)))
    if isinstance(problem, Unauthenticated):
        extra["www-authenticate"] = "Bearer"
    return Answer(body, problem.status, extra)
