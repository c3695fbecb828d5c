"""What the office's dashboard shows: the day in numbers and trips, what tomorrow still lacks, and how the reminders stand.

Prices are in none of it, whoever asks. Drivers and clients have their own trips instead (get-active-present-future-appointments).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request

from backhaul.core.errors import Forbidden
from backhaul.core.http import Answer, Asking, person
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.messages import messages
from backhaul.dispatch.office import STAFF
from backhaul.dispatch.trips import appointment_lists as lists
from backhaul.dispatch.wall_time import office_day

_sql = Queries("dashboard")

NEXT_REMINDERS = 5
MESSAGES_TO_LOOK_AT = 10


def dashboard_endpoints() -> APIRouter:
    api = APIRouter(tags=["appointments"], default_response_class=Answer)

    @api.get("/webhook/get-dashboard")
    async def get_dashboard(request: Request, claims: Asking) -> Any:
        """Today's trips by pickup, cancelled ones included; tomorrow's that nobody drives yet; numbers; reminders."""
        async with person(request, claims) as (tx, who):
            if who["role"] not in STAFF:
                raise Forbidden(
                    "You may not see this", "It is the office's dashboard", "Your own trips are on yours", code="role"
                )
            today = office_day((await lists.reader(tx)).now)
            tomorrow = today + timedelta(days=1)
            numbers = await lists.dashboard(tx, today)
            trips = await lists.between(tx, today, today)
            ahead = await lists.between(tx, tomorrow, tomorrow)
            reminders = await _reminders(tx)
        return {
            "success": True,
            "day": today,
            "tomorrow": tomorrow,
            "numbers": numbers,
            "trips": [lists.wire(row, costs=False) for row in trips],
            "tomorrow_unassigned": [lists.wire(row, costs=False) for row in ahead if row["operation_status"] == "pending"],
            "reminders": reminders | {"sent_today": numbers["reminders_sent"]},
        }

    return api


async def _reminders(db: Db) -> Row:
    """on: whether any are sent. waiting: how many of the coming days are still to be sent; next: the first of them."""
    wanted = await db.one(_sql.reminders_on) or {"wanted": False}
    soonest = await db.all(_sql.next_reminders, {"limit": NEXT_REMINDERS})
    return {
        "on": wanted["wanted"],
        "waiting": soonest[0]["waiting"] if soonest else 0,
        "next": [{name: value for name, value in row.items() if name != "waiting"} for row in soonest],
        "to_look_at": await messages.to_look_at(db, limit=MESSAGES_TO_LOOK_AT),
    }
