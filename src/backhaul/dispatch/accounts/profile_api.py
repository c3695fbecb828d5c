"""get-profile: what the profile page shows. What it changes are workflows: update_user_profile.py, sign_out_elsewhere.py."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from backhaul.core.accounts import Accounts
from backhaul.core.http import Answer, Asking, person
from backhaul.core.passwords import LONGEST
from backhaul.dispatch.accounts import profile


def profile_endpoints() -> APIRouter:
    api = APIRouter(tags=["account"], default_response_class=Answer)

    @api.get("/webhook/get-profile")
    async def get_profile(request: Request, claims: Asking) -> Any:
        """One's own record, what a new password must be, and where one is signed in."""
        async with person(request, claims) as (tx, _):
            me = await profile.mine(tx)
            sessions = await profile.open_sessions(tx, claims.session_id)
        accounts: Accounts = request.app.state.accounts
        rules = {"least": accounts.rules.least, "most": LONGEST, "composed": accounts.rules.composed}
        return {"success": True, "user": me, "password_rules": rules, "sessions": sessions}

    return api
