"""What the office decides for itself, as it is read: its settings, and the words of its text messages. Changes are workflows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import APIRouter, Request

from backhaul.core.errors import Forbidden
from backhaul.core.http import Answer, Asking, person
from backhaul.core.store import Row
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.api import described, read_form
from backhaul.dispatch.messages import messages
from backhaul.dispatch.messages.messages import PLACEHOLDERS, TemplateChange
from backhaul.dispatch.office import ADMINS, LEAD


def office_words_endpoints() -> APIRouter:
    api = APIRouter(tags=["office settings"], default_response_class=Answer)

    @api.get("/webhook/get-office-settings")
    async def get_office_settings(request: Request, claims: Asking) -> Any:
        """Each setting with its value, the usual one, and who changed it last. For supervisors and administrators."""
        async with person(request, claims) as (tx, who):
            only(who, LEAD)
            return {"success": True, "settings": await office_settings.visible(tx)}

    @api.get("/webhook/get-app-config")
    async def get_app_config(request: Request, claims: Asking) -> Any:
        """The same by their names alone, as the portal's pages ask for them. Keys and passwords are never among them."""
        async with person(request, claims) as (tx, who):
            only(who, LEAD)
            rows = await office_settings.visible(tx)
        columns = ("key", "value", "description", "updated_at")
        data = [{column: row[column] for column in columns} for row in rows]
        return {"success": True, "config": {row["key"]: row["value"] for row in rows}, "data": data}

    @api.get("/webhook/get-message-templates")
    async def get_message_templates(request: Request, claims: Asking) -> Any:
        """What each kind of text message says, filled in for somebody who does not exist. For administrators."""
        async with person(request, claims) as (tx, who):
            only(who, ADMINS)
            told = [await messages.told(tx, one) for one in await messages.templates(tx)]
        return {"success": True, "templates": told, "placeholders": PLACEHOLDERS, "longest": messages.LONGEST}

    @api.post("/webhook/preview-message-template", openapi_extra=described(TemplateChange))
    async def preview_message_template(request: Request, claims: Asking) -> Any:
        """What such words would come to, and how many texts that is. Nothing is saved. For administrators."""
        async with person(request, claims) as (tx, who):
            only(who, ADMINS)
            form = await read_form(request, TemplateChange)
            body = form.body
            if body is None:
                body = next((one.usual_body for one in await messages.templates(tx) if one.is_for(form)), "")
            return {"success": True, "preview": await messages.shown(tx, body)}

    return api


def only(who: Row, roles: Collection[str]) -> None:
    """Raises: Forbidden."""
    if who["role"] not in roles:
        raise Forbidden(
            "You may not see this",
            f"It takes one of these roles: {', '.join(sorted(roles))}",
            "Ask an administrator",
            code="role",
        )
