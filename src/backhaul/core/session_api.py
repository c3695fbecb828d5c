"""user-login, refresh-token and logout, as the portal's pages call them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from backhaul.core.errors import Rejected
from backhaul.core.http import Answer, Asking, caller_ip
from backhaul.core.sessions import ACCESS_LIFE, Sessions, SignedIn

_Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320)]


class Credentials(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    username: _Line = ""
    password: Annotated[SecretStr, Field(max_length=1024)] = SecretStr("")


class Renewal(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    refresh_token: Annotated[str, StringConstraints(max_length=512)] = ""


def session_endpoints() -> APIRouter:
    api = APIRouter(tags=["session"], default_response_class=Answer)

    @api.post("/webhook/user-login")
    async def user_login(request: Request, body: Credentials) -> Any:
        """Signs in. The same answer for an unknown user and a wrong password; five wrong ones lock the account for a while."""
        if not body.username or not body.password.get_secret_value():
            raise Rejected("Username and password are required", code="validation")
        sessions: Sessions = request.app.state.sessions
        signed_in = await sessions.sign_in(
            body.username,
            body.password.get_secret_value(),
            ip=caller_ip(request),
            user_agent=request.headers.get("user-agent"),
        )
        return {
            **_tokens(signed_in, "Login successful"),
            "must_change_password": False,
            "userId": signed_in.user_id,
            "username": signed_in.username,
            "userRole": signed_in.role,
            "fullName": signed_in.full_name,
            "email": signed_in.email,
            "loginTime": datetime.now(UTC),
        }

    @api.post("/webhook/refresh-token")
    async def refresh_token(request: Request, body: Renewal) -> Any:
        """Exchanges a refresh token for the next pair.

        Two tabs may use the same one within ten seconds; later use ends the session.
        """
        if not body.refresh_token:
            raise Rejected("Refresh token is required", code="validation")
        sessions: Sessions = request.app.state.sessions
        renewed = await sessions.renew(body.refresh_token)
        return {
            **_tokens(renewed, "Token refreshed"),
            "refresh_expires_in": renewed.left_s,
            "user": {
                "id": renewed.user_id,
                "username": renewed.username,
                "role": renewed.role,
                "full_name": renewed.full_name,
                "email": renewed.email,
            },
            "timestamp": datetime.now(UTC),
        }

    @api.post("/webhook/logout")
    async def logout(request: Request, claims: Asking) -> Any:
        """Ends this session, here and in every tab that shares it."""
        sessions: Sessions = request.app.state.sessions
        await sessions.sign_out(claims.session_id)
        return {"success": True, "message": "Signed out"}

    return api


def _tokens(signed_in: SignedIn, message: str) -> dict[str, Any]:
    return {
        "success": True,
        "message": message,
        "access_token": signed_in.access_token,
        "refresh_token": signed_in.refresh_token,
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LIFE.total_seconds()),
    }
