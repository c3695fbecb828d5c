"""user-login, refresh-token, logout, logout-all and the clock of inactivity, as the portal's pages call them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from backhaul.core import cookies
from backhaul.core.errors import Rejected, Unauthenticated
from backhaul.core.http import ACCESS_TOKEN, Answer, Asking, caller, claims_of, person
from backhaul.core.sessions import MustChange, Sessions, SignedIn
from backhaul.core.tokens import ACCESS_LIFE, LIMITED_LIFE

LONGEST_IDLE_MS = 7 * 86_400_000

_Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320)]
_NOTE_ACTIVITY = b"select private.note_activity(%(session)s, %(idle)s) as left_s"
_LIMIT = b"""
select extract(epoch from l.idle_for)::double precision as limit_s, extract(epoch from l.warn_before)::double precision as warn_s
  from private.inactivity_limits l where l.role = %(role)s
"""


class Credentials(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    username: _Line = ""
    password: Annotated[SecretStr, Field(max_length=1024)] = SecretStr("")
    use_cookie: Annotated[bool, Field(description="The refresh token goes into an HttpOnly cookie instead of the answer")] = False


class Renewal(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    refresh_token: Annotated[str, StringConstraints(max_length=512)] = ""
    session_id: Annotated[UUID | None, Field(description="The session the page believes to be in")] = None


class Activity(BaseModel):
    """The person's last input, reported by how long it is past: the page's own clock does not matter."""

    model_config = ConfigDict(extra="ignore")
    idle_ms: Annotated[int, Field(ge=0, le=LONGEST_IDLE_MS)] = 0


def session_endpoints() -> APIRouter:
    api = APIRouter(tags=["session"], default_response_class=Answer)
    _in_and_out(api)
    _clock(api)
    return api


def _in_and_out(api: APIRouter) -> None:
    @api.post("/webhook/user-login")
    async def user_login(request: Request, body: Credentials) -> Answer:
        """Signs in. The same answer for an unknown user and a wrong password; five wrong ones lock the name for a while."""
        if not body.username or not body.password.get_secret_value():
            raise Rejected("Username and password are required", code="validation")
        sessions: Sessions = request.app.state.sessions
        come = await sessions.sign_in(body.username, body.password.get_secret_value(), caller(request))
        who = {
            "userId": come.user_id,
            "username": come.username,
            "userRole": come.role,
            "fullName": come.full_name,
            "email": come.email,
        }
        if isinstance(come, MustChange):
            return Answer({**_limited(come.limited_token), **who})
        told = {"must_change_password": False, **who, "loginTime": datetime.now(UTC)}
        return admitted(request, come, "Login successful", told, use_cookie=body.use_cookie)

    @api.post("/webhook/refresh-token")
    async def refresh_token(request: Request, body: Renewal) -> Answer:
        """Exchanges a refresh token, of the body or the cookie, for the next pair.

        Two tabs may use the same one within ten seconds; later use ends the session. Renewal is no sign of a person: after
        the limit of inactivity it is refused.
        """
        kept = None if body.refresh_token else cookies.refresh_token_of(request)
        token = body.refresh_token or kept
        if not token:
            raise Rejected("Refresh token is required", code="validation")
        sessions: Sessions = request.app.state.sessions
        renewed = await sessions.renew(token, body.session_id, caller(request))
        told = {"refresh_expires_in": renewed.left_s, "user": person_of(renewed), "timestamp": datetime.now(UTC)}
        return admitted(request, renewed, "Token refreshed", told, use_cookie=kept is not None)

    @api.post("/webhook/logout")
    async def logout(request: Request, _: Annotated[object, Depends(ACCESS_TOKEN)]) -> Answer:
        """Ends this session, here and in every tab that shares it. With the access token or, once that is over, the cookie.

        Signing out twice, or of a session that has ended, is as good as once.
        """
        sessions: Sessions = request.app.state.sessions
        try:
            claims = await claims_of(request, None)
        except Unauthenticated:
            kept = cookies.refresh_token_of(request)
            if kept is None:
                raise
            await sessions.sign_out_by(kept, caller(request))
        else:
            await sessions.sign_out(claims.session_id, claims.user_id, caller(request))
        return _goodbye(request, {"success": True, "message": "Signed out"})

    @api.post("/webhook/logout-all")
    async def logout_all(request: Request, claims: Asking) -> Answer:
        """Ends every session of the person, on every device."""
        async with person(request, claims):
            pass  # whoever has been signed out already gets 401
        sessions: Sessions = request.app.state.sessions
        ended = await sessions.sign_out_everywhere(claims.user_id, caller(request))
        return _goodbye(request, {"success": True, "message": "Signed out everywhere", "sessions_ended": ended})


def _clock(api: APIRouter) -> None:
    @api.post("/webhook/update-activity")
    async def update_activity(request: Request, claims: Asking, body: Activity | None = None) -> Any:
        """Says that the person did something just now, or `idle_ms` ago.

        Nothing but this and a save moves the clock of inactivity.
        """
        idle = timedelta(milliseconds=body.idle_ms if body else 0)
        async with person(request, claims) as (tx, who):
            await tx.as_service()
            noted = await tx.one(_NOTE_ACTIVITY, {"session": claims.session_id, "idle": idle}) or who
            limit = await tx.one(_LIMIT, {"role": who["role"]}) or {}
        return {"success": True, "left_s": noted["left_s"], **limit}

    @api.get("/webhook/session-status")
    async def session_status(request: Request, claims: Asking) -> Any:
        """How long the session has still to live if nothing is done. Asking is no activity."""
        async with person(request, claims) as (tx, who):
            await tx.as_service()
            limit = await tx.one(_LIMIT, {"role": who["role"]}) or {}
        return {"success": True, "left_s": who["left_s"], **limit, "session_id": claims.session_id, "role": who["role"]}


def admitted(request: Request, signed_in: SignedIn, message: str, told: dict[str, Any], *, use_cookie: bool) -> Answer:
    """The answer to somebody who is in: the tokens, and the cookies of our own pages."""
    refresh = {} if use_cookie else {"refresh_token": signed_in.refresh_token}
    answer = Answer(
        {
            "success": True,
            "message": message,
            "access_token": signed_in.access_token,
            **refresh,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "session_id": signed_in.session_id,
            **told,
        }
    )
    if use_cookie:
        cookies.keep_refresh_token(request, answer, signed_in.refresh_token, signed_in.left_s)
    if signed_in.device is not None:
        cookies.keep_device(request, answer, signed_in.device)
    return answer


def person_of(signed_in: SignedIn) -> dict[str, Any]:
    """The person as pages read them beside new tokens."""
    return {
        "id": signed_in.user_id,
        "username": signed_in.username,
        "role": signed_in.role,
        "full_name": signed_in.full_name,
        "email": signed_in.email,
    }


def _limited(token: str) -> dict[str, Any]:
    return {
        "success": True,
        "message": "Your password must be changed first",
        "must_change_password": True,
        "limited_token": token,
        "token_type": "limited",
        "expires_in": int(LIMITED_LIFE.total_seconds()),
    }


def _goodbye(request: Request, body: dict[str, Any]) -> Answer:
    answer = Answer(body)
    cookies.drop_refresh_token(request, answer)
    return answer
