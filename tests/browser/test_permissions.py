"""The copy of the roles' table that the pages carry is the database's own: what a page hides is what the server would refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.browser.conftest import People
from tests.browser.portal import Portal

# How the pages spell what the database grants. A permission of either that is not here fails the test.
SPELT: Mapping[str, str] = {
    "canDeleteClients": "delete_clients",
    "canDeleteAppointments": "delete_appointments",
    "canSetTripStatus": "set_trip_status",
    "canHardDeleteAppointments": "hard_delete_appointments",
    "canManageDrivers": "manage_drivers",
    "canManageUsers": "manage_users",
    "canManageSystemConfig": "manage_system_config",
    "canAssignDrivers": "assign_drivers",
    "canViewDrivers": "view_drivers",
    "canViewReports": "view_reports",
    "canViewCosts": "view_costs",
    "canManageDestinations": "manage_destinations",
    "canSeeAllFailedTasks": "see_all_failed_tasks",
    "canReadAuditLog": "read_audit_log",
}
# What belongs to a driver or client, whom no administrator is: their "all" does not mean it.
OF_THEIR_OWN = {"view_own_appointments", "manage_own_schedule"}


async def test_pages_and_database_grant_each_role_the_same_permissions_and_pages(person: People, portal: Portal) -> None:
    stranger = await person()
    await stranger.open("dashboard.html")
    table: dict[str, dict[str, Any]] = await stranger.page.evaluate("ROLE_PERMISSIONS")
    with portal.database() as database:
        granted = dict(
            database.execute("select role, array_agg(permission) from private.role_permissions group by role").fetchall()
        )
        pages = dict(database.execute("select role, array_agg(page) from private.role_pages group by role").fetchall())
    assert table.keys() == granted.keys() == pages.keys()
    every = {permission for permissions in granted.values() for permission in permissions}
    for role, row in table.items():
        flags = {name: value for name, value in row.items() if name not in ("pages", "features")}
        assert flags.keys() == SPELT.keys(), role
        assert {SPELT[name] for name, value in flags.items() if value} == set(granted[role]) & set(SPELT.values()), role
        features = every - OF_THEIR_OWN if row["features"] == ["all"] else set(row["features"])
        assert features <= set(granted[role]), role
        assert features | {SPELT[name] for name, value in flags.items() if value} == set(granted[role]), role
        assert sorted(row["pages"]) == sorted(pages[role]), role
