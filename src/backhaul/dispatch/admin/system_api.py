"""get-health, check-services, admin-dashboard: how the installation is, for administrators. Nothing of it is made up."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request

from backhaul.core.audit import AuditLog, Wanted
from backhaul.core.audit_api import Reading
from backhaul.core.http import Answer, Asking, person
from backhaul.core.store import Row
from backhaul.dispatch.admin import system
from backhaul.dispatch.admin.office_api import only
from backhaul.dispatch.checking import check_outside
from backhaul.dispatch.office import ADMINS, workflows
from backhaul.dispatch.settings import Settings
from backhaul.dispatch.wall_time import office

_LOOK_BACK = timedelta(days=7)
_LINES = 50


def system_endpoints() -> APIRouter:
    api = APIRouter(tags=["system"], default_response_class=Answer)

    @api.get("/webhook/get-health")
    async def get_health(request: Request, claims: Asking) -> Any:
        """Each service outside, the queue by lane, workers, schedules, and the settings in use with their source.

        It asks nobody outside: a service's state is what the last call of a worker found.
        """
        settings: Settings = request.app.state.settings
        async with person(request, claims) as (tx, who):
            only(who, ADMINS)
            await tx.as_service()
            return {"success": True, **await system.health(tx, settings, workflows.lanes)}

    @api.post("/webhook/check-services")
    async def check_services(request: Request, claims: Asking) -> Any:
        """Asks each service outside one harmless question, as `backhaul check` does. Google bills its like any other."""
        async with person(request, claims) as (_, who):
            only(who, ADMINS)
        checks = await check_outside(request.app.state.settings)
        return {"success": True, "checks": [asdict(one) for one in checks]}

    @api.get("/webhook/admin-dashboard")
    async def admin_dashboard(request: Request, reader: Reading) -> Any:
        """The settings in use, what went wrong lately, how much there is of everything, and who was refused what this week."""
        audit: AuditLog = request.app.state.audit_log
        settings: Settings = request.app.state.settings
        async with reader.open() as tx:
            now = (await tx.one(system.NOW) or {})["now"]
            wanted = Wanted(since=now - _LOOK_BACK, refused=True)
            refused = await audit.page(tx, wanted, limit=_LINES)
            await reader.note(tx, "view_audit_log", wanted)
            figures = await system.figures(tx)
            schedules = (await system.health(tx, settings, workflows.lanes))["schedules"]
            log = await system.log(tx, limit=_LINES)
        return {
            "success": True,
            "data": {
                "systemConfig": {row["name"]: f"{row['value']} ({row['source']})" for row in system.in_use(settings)},
                "systemLogs": [_line(row) for row in log],
                "databaseStats": _stats(figures, schedules),
                "securityAlerts": [_alert(entry) for entry in refused.entries],
            },
        }

    return api


def _line(row: Row) -> Row:
    failed = row["status"] == "failed"
    said = row["error_message"] if failed else ", ".join(f"{name}: {value}" for name, value in (row["result"] or {}).items())
    label = workflows.label(row["task_type"])
    return {
        "timestamp": row["timestamp"],
        "level": "error" if failed else "info",
        "message": f"{label}: {said or 'done'}",
        "source": row["entity_label"] or label,
    }


def _stats(figures: Row, schedules: list[Row]) -> Row:
    archive = next((row for row in schedules if row["task_type"] == "archive_old_tasks"), None)
    archived_at = archive and archive["last_at"]
    return {
        "Database": f"Postgres {figures['version']}, {_size(figures['bytes'])}",
        "Clients": figures["clients"],
        "Drivers": figures["drivers"],
        "Destinations": figures["destinations"],
        "Trips": figures["appointments"],
        "Invoices": figures["invoices"],
        "Users who may sign in": figures["users"],
        "Tasks in the ledger": figures["tasks"],
        "Tasks in the archive": figures["archived"],
        "Audit log": f"{figures['audit_entries']} entries, {_size(figures['audit_bytes'])}",
        "Last Archive": f"{office(archived_at):%Y-%m-%d %H:%M}" if archived_at else "not yet",
        "Last Backup": "Backups are not made by this product: see docs/operations.md",
    }


def _size(count: int) -> str:
    return f"{count / 2**20:.0f} MB" if count < 2**30 else f"{count / 2**30:.1f} GB"


def _alert(entry: Row) -> Row:
    who = entry["user_name_now"] or entry["user_name"]
    from_where = f" from {entry['ip_address']}" if entry["ip_address"] else ""
    said = f"{entry['action_label']}: {who}{from_where}. {entry['error_message']}"
    return {"id": entry["id"], "message": said, "timestamp": entry["created_at"]}
