"""change-password and reset-password: passwords over the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from backhaul.core.accounts import Accounts
from backhaul.core.doors import PUBLIC, limited
from backhaul.core.errors import Rejected
from backhaul.core.http import ACCESS_TOKEN, Answer, caller, claims_of, limited_claims_of
from backhaul.core.passwords import LONGEST
from backhaul.core.session_api import admitted, person_of

_Secret = Annotated[SecretStr, Field(max_length=1024)]
_Token = Annotated[str, StringConstraints(strip_whitespace=True, max_length=512)]
_EMPTY = SecretStr("")


def _any(*names: str) -> Any:
    """A password by whichever of its names the caller's page knows."""
    return Field(default=_EMPTY, validation_alias=AliasChoices(*names))


class PasswordChange(BaseModel):
    """Whose it is says the token; a username in the body chooses nothing. A confirmation counts only where it is sent."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    current: _Secret = _any("currentPassword", "current_password", "old_password")
    new: _Secret = _any("newPassword", "new_password")
    confirm: _Secret | None = Field(default=None, validation_alias=AliasChoices("confirmPassword", "confirm_password"))
    use_cookie: bool = False


class PasswordReset(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    token: _Token = ""
    new: _Secret = _any("newPassword", "new_password")
    confirm: _Secret | None = Field(default=None, validation_alias=AliasChoices("confirmPassword", "confirm_password"))


class LinkToken(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    token: _Token = ""


def account_endpoints() -> APIRouter:
    api = APIRouter(tags=["account"], default_response_class=Answer)

    @api.get("/webhook/password-rules", dependencies=[Depends(limited(PUBLIC))])
    async def password_rules(request: Request) -> Any:
        """What a new password must be, for pages to say before it is typed."""
        accounts: Accounts = request.app.state.accounts
        return {"success": True, "least": accounts.rules.least, "most": LONGEST, "composed": accounts.rules.composed}

    @api.post("/webhook/change-password")
    async def change_password(request: Request, body: PasswordChange, _: Annotated[object, Depends(ACCESS_TOKEN)]) -> Answer:
        """Replaces the caller's password, by a full token or by the limited one of a password somebody else has made.

        Every other session of theirs ends; this one goes on with the tokens of the answer.
        """
        by = limited_claims_of(request) or await claims_of(request, None)
        _whole(body.current, body.new, body.confirm)
        accounts: Accounts = request.app.state.accounts
        changed = await accounts.change_password(
            by, body.current.get_secret_value(), body.new.get_secret_value(), caller(request)
        )
        told = {"must_change_password": False, "user": person_of(changed), "timestamp": datetime.now(UTC)}
        return admitted(request, changed, "Password changed successfully", told, use_cookie=body.use_cookie)

    @api.post("/webhook/check-reset-link")
    async def check_reset_link(request: Request, body: LinkToken) -> Any:
        """Whose password a link resets, while it is good."""
        accounts: Accounts = request.app.state.accounts
        owner = await accounts.who_may_reset(body.token, caller(request))
        return {"success": True, "username": owner["username"], "fullName": owner["full_name"]}

    @api.post("/webhook/reset-password")
    async def reset_password(request: Request, body: PasswordReset) -> Any:
        """Sets a new password by a link that was sent to the person; all their sessions end."""
        _whole(None, body.new, body.confirm)
        accounts: Accounts = request.app.state.accounts
        username = await accounts.reset_password(body.token, body.new.get_secret_value(), caller(request))
        return {"success": True, "message": "Password changed successfully", "username": username}

    return api


def _whole(current: SecretStr | None, new: SecretStr, confirm: SecretStr | None) -> None:
    """Raises: Rejected for what is missing, and for a confirmation that differs."""
    fields: dict[str, str] = {}
    if current is not None and not current.get_secret_value():
        fields["currentPassword"] = "Current password is required"
    if not new.get_secret_value():
        fields["newPassword"] = "New password is required"
    elif confirm is not None and confirm != new:
        fields["confirmPassword"] = "New passwords do not match"
    if fields:
        problem = Rejected("Validation failed: " + "; ".join(fields.values()), faults=list(fields.values()), code="validation")
        problem.fields = fields
        raise problem
