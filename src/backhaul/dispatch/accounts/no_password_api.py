"""forgot-password and create-first-admin: for those who have no password any more, or not yet."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from backhaul.core.account_api import LinkToken
from backhaul.core.accounts import Accounts, FirstAdmin
from backhaul.core.doors import RESET, RESET_OF
from backhaul.core.errors import Rejected
from backhaul.core.http import Answer, caller
from backhaul.core.sessions import digest
from backhaul.dispatch.api import described, read_form
from backhaul.dispatch.forms import Form, RequiredEmail, text
from backhaul.dispatch.workflows.forgot_password import ask_for_reset_link

_SENT = "If an account exists with that email, a password reset link has been sent."
_BEAT_S = 0.25


class Forgotten(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)
    username: Annotated[str, StringConstraints(strip_whitespace=True, max_length=320)] = ""


class FirstAdminForm(Form):
    """The first administrator, who signs in with the e-mail address."""

    token: Annotated[str, Field(max_length=512)] = ""
    full_name: Annotated[str, text("Full name", required=True)] = Field(
        default="", validation_alias=AliasChoices("fullName", "full_name")
    )
    email: RequiredEmail = Field(default="", validation_alias=AliasChoices("email", "username"))
    new_password: Annotated[SecretStr, Field(max_length=1024)] = Field(
        default=SecretStr(""), validation_alias=AliasChoices("newPassword", "new_password")
    )
    confirm_password: Annotated[SecretStr, Field(max_length=1024)] | None = Field(
        default=None, validation_alias=AliasChoices("confirmPassword", "confirm_password")
    )

    @field_validator("new_password")
    @classmethod
    def _given(cls, typed: SecretStr) -> SecretStr:
        if not typed.get_secret_value():
            raise ValueError("New password is required")
        return typed

    @field_validator("confirm_password")
    @classmethod
    def _same(cls, typed: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if typed is not None and "new_password" in info.data and typed != info.data["new_password"]:
            raise ValueError("New passwords do not match")
        return typed


def no_password_endpoints() -> APIRouter:
    api = APIRouter(tags=["account"], default_response_class=Answer)

    @api.post("/webhook/forgot-password")
    async def forgot_password(request: Request, body: Forgotten) -> Any:
        """Has a link to choose a new password sent to the account's e-mail address.

        The same answer at the same beat of the clock whether there is such an account or not: neither words nor time tell.
        """
        began = time.monotonic()
        if not body.username:
            raise Rejected("E-mail is required", code="validation")
        store, come_from = request.app.state.store, caller(request)
        await RESET.knock(store, come_from.ip)
        await RESET_OF.knock(store, digest(body.username.lower()).hex())  # the name itself is nobody's business there
        await ask_for_reset_link(store, body.username, come_from)
        await asyncio.sleep(until_beat(time.monotonic() - began))
        return {"success": True, "message": _SENT}

    @api.post("/webhook/check-setup-link")
    async def check_setup_link(request: Request, body: LinkToken) -> Any:
        """Whether a link still makes the first administrator."""
        accounts: Accounts = request.app.state.accounts
        await accounts.check_setup_link(body.token, caller(request))
        return {"success": True}

    @api.post("/webhook/create-first-admin", openapi_extra=described(FirstAdminForm))
    async def create_first_admin(request: Request) -> Any:
        """Makes the first administrator, by the link that the first start printed. When there is one, the link is dead."""
        form = await read_form(request, FirstAdminForm)
        accounts: Accounts = request.app.state.accounts
        who = FirstAdmin(form.email, form.full_name, form.new_password.get_secret_value())
        await accounts.create_first_admin(form.token, who, caller(request))
        return {"success": True, "message": "Administrator created. You can sign in now.", "username": form.email}

    return api


def until_beat(spent_s: float) -> float:
    """Seconds to wait, so that answers come at whole quarters of a second: what took a little longer does not show."""
    return _BEAT_S - spent_s % _BEAT_S
