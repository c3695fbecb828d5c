"""get-all-users, get-booking-agent-list, get-linkable, get-mail-route: what looking after users reads. Changes are workflows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from backhaul.core.errors import Forbidden
from backhaul.core.http import Answer, Asking, person
from backhaul.core.store import Row
from backhaul.dispatch.accounts import linking, users
from backhaul.dispatch.office import ADMINS, LEAD
from backhaul.dispatch.settings import Settings


def user_endpoints() -> APIRouter:
    api = APIRouter(tags=["users"], default_response_class=Answer)

    @api.get("/webhook/get-all-users")
    async def get_all_users(request: Request, claims: Asking) -> Any:
        """Every account by name, active or not; a bare list, as the portal's pages know it. For administrators."""
        async with person(request, claims) as (tx, _):
            return await users.everybody(tx)

    @api.get("/webhook/get-booking-agents")
    @api.get("/webhook/get-booking-agent-list")
    async def get_booking_agent_list(request: Request, claims: Asking) -> Any:
        """Who may look after a booking: every active booking agent, supervisor and administrator. For the latter two."""
        async with person(request, claims) as (tx, who):
            if who["role"] not in LEAD:
                raise Forbidden("Only supervisors choose who looks after a booking", "", "Ask a supervisor", code="role")
            return {"success": True, "booking_agents": await users.bookers(tx)}

    @api.get("/webhook/get-linkable")
    async def get_linkable(
        request: Request,
        claims: Asking,
        role: Literal["driver", "client"],
        q: Annotated[str, Query(max_length=100, description="A part of a name, K number or e-mail")] = "",
    ) -> Any:
        """The drivers, or clients, that an account may be linked to, each with the account that it is linked to already."""
        async with person(request, claims) as (tx, who):
            _admins_only(who)
            return {"success": True, "people": await linking.candidates(tx, role, q)}

    @api.get("/webhook/get-mail-route")
    async def get_mail_route(request: Request, claims: Asking) -> Any:
        """Whether mails really go out, or where they lie instead, so that a page promises no mail which nobody will get."""
        settings: Settings = request.app.state.settings
        async with person(request, claims) as (_, who):
            _admins_only(who)
        kept_in = settings.mails_kept_in
        return {"success": True, "sends": kept_in is None, "kept_in": kept_in, "stand_ins": settings["stand_ins"] is not None}

    return api


def _admins_only(who: Row) -> None:
    if who["role"] not in ADMINS:
        raise Forbidden("Only administrators may see this", "", "Ask an administrator", code="role")
