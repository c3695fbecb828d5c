"""The lists of clients as the portal's earlier pages ask for them: whole, by name, under the names those pages know."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from backhaul.core.errors import Forbidden
from backhaul.core.http import Answer, Asking, person
from backhaul.core.tokens import Claims
from backhaul.dispatch.clients import clients
from backhaul.dispatch.office import STAFF


def client_list_endpoints() -> APIRouter:
    api = APIRouter(tags=["office"], default_response_class=Answer)

    @api.get("/webhook/get-active-clients")
    async def get_active_clients(request: Request, claims: Asking) -> Any:
        """All active clients. New pages ask get-clients, which answers page by page."""
        return await _listed(request, claims, active_only=True)

    @api.get("/webhook/get-all-clients")
    async def get_all_clients(request: Request, claims: Asking) -> Any:
        """All clients, archived ones too."""
        return await _listed(request, claims, active_only=False)

    for alias, endpoint in (("getActiveClients", get_active_clients), ("getAllClients", get_all_clients)):
        api.add_api_route(f"/webhook/{alias}", endpoint, methods=["GET"], name=alias, include_in_schema=False)
    return api


async def _listed(request: Request, claims: Claims, *, active_only: bool) -> dict[str, Any]:
    async with person(request, claims) as (tx, who):
        if who["role"] not in STAFF:
            raise Forbidden("Only the office's staff may see clients", "", "Ask the office", code="role")
        found = await clients.for_old_pages(tx, active_only=active_only)
    active = sum(client["active"] for client in found)
    return {
        "success": True,
        "message": f"{len(found)} clients",
        "clients": found,
        "count": len(found),
        "activeCount": active,
        "inactiveCount": len(found) - active,
        "syncedCount": sum(client["openphone_contact_id"] is not None for client in found),
    }
