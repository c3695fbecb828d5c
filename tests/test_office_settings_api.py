"""The office's settings and the words of its messages, over HTTP: who reads and changes them, and what is written down."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from backhaul.core.store import Actor, Row
from backhaul.core.testing import Database
from backhaul.dispatch.admin.office_settings import USUAL
from tests.api_fixtures import Api, everyone, refused

UPDATE, TEMPLATE, PREVIEW = (
    f"/webhook/{name}" for name in ("update-office-settings", "update-message-template", "preview-message-template")
)
REMINDER = {"audience": "client", "kind": "reminder"}


async def settings(api: Api, by: Actor) -> dict[str, Row]:
    answer = await api.get("/webhook/get-office-settings", by=by)
    assert answer.status_code == 200, answer.text
    return {row["key"]: row for row in answer.json()["settings"]}


def entry(database: Database, action: str) -> Row:
    return database.one("select * from audit_logs where action = %s", action)


# ── Settings ──


async def test_a_new_office_has_the_usual_settings_and_each_says_what_it_is(api: Api, admin: Actor) -> None:
    told = await settings(api, admin)
    assert {key: row["value"] for key, row in told.items()} == USUAL
    assert {key: row["usual"] for key, row in told.items()} == USUAL
    assert all(row["description"] for row in told.values())


async def test_an_administrator_changes_some_and_what_changed_is_written_down(
    api: Api, admin: Actor, supervisor: Actor, database: Database
) -> None:
    answer = await api.post(
        UPDATE,
        {"business_name": " Rural  Rides ", "support_phone": "902-555-0100", "tax_rate": "15%", "reminder_hours_before": 24},
        by=admin,
    )
    assert answer.json()["message"] == "Settings saved."
    assert answer.json()["fields_updated"] == ["business_name", "support_phone", "tax_rate"]
    assert answer.json()["task_ids"] == {}
    told = await settings(api, supervisor)
    assert (told["business_name"]["value"], told["business_name"]["updated_by_name"]) == ("Rural Rides", "Ada Admin")
    assert told["support_phone"]["value"] == "+19025550100"
    assert told["sms_signature"]["updated_by_name"] is None
    written = entry(database, "update_settings")
    assert (written["user_id"], written["entity_type"]) == (admin.id, "office_settings")
    assert written["details"] == {
        "business_name": {"from": "Dispatch office", "to": "Rural Rides"},
        "support_phone": {"from": None, "to": "+19025550100"},
        "tax_rate": {"from": 0.14, "to": 0.15},
    }


async def test_settings_that_are_so_already_leave_no_entry(api: Api, admin: Actor, database: Database) -> None:
    answer = await api.post(UPDATE, {"business_name": "Dispatch office", "reminders_on": True}, by=admin)
    assert answer.json()["message"] == "Everything is as it was; there was nothing to change."
    assert database.all("select * from audit_logs where action = 'update_settings'") == []


@pytest.mark.parametrize(
    ("given", "field", "fault"),
    [
        ({"business_name": ""}, "business_name", "Business name is required"),
        ({"support_phone": "12"}, "support_phone", "Support phone must be in format 902-555-0123"),
        (
            {"reminder_hours_before": 73},
            "reminder_hours_before",
            "Hours before the pickup must be a whole number from 1 to 72",
        ),
        (
            {"reminder_window_end": "07:00"},
            "reminder_window_end",
            "Latest reminder must be later in the day than the earliest",
        ),
        ({"tax_rate": 14}, "tax_rate", "Tax rate must be a fraction from 0 to 1, like 0.14"),
        ({"default_rate": "1e9"}, "default_rate", "Default rate must be an amount in dollars, like 85.50"),
    ],
)
async def test_a_wrong_setting_is_told_at_its_field_and_nothing_is_saved(
    api: Api, admin: Actor, given: dict[str, Any], field: str, fault: str
) -> None:
    body = refused(await api.post(UPDATE, {"invoice_due_days": 10, **given}, by=admin), 400, "validation")
    assert body["fields"] == {field: fault}
    assert (await settings(api, admin))["invoice_due_days"]["value"] == 30


async def test_both_ends_of_the_hours_may_be_moved_past_each_other(api: Api, admin: Actor) -> None:
    answer = await api.post(UPDATE, {"reminder_window_start": "21:00", "reminder_window_end": "22:30"}, by=admin)
    assert answer.status_code == 200, answer.text


def test_two_who_move_one_end_each_are_stopped_at_the_commit(database: Database) -> None:
    with pytest.raises(psycopg.Error, match="the window for reminders ends before it begins"):
        database.all("update office_settings set value = '\"07:30\"' where key = 'reminder_window_end'")


async def test_the_portals_name_for_it_tells_no_key_or_password(api: Api, admin: Actor, supervisor: Actor) -> None:
    for who in (admin, supervisor):
        body = (await api.get("/webhook/get-app-config", by=who)).json()
        assert body["config"] == USUAL
        assert {row["key"] for row in body["data"]} == set(USUAL)


@pytest.mark.parametrize("role", ["booking_agent", "driver", "client"])
async def test_others_neither_read_nor_change_them(api: Api, role: str) -> None:
    who = everyone(api.database)[role]
    refused(await api.get("/webhook/get-office-settings", by=who), 403)
    refused(await api.post(UPDATE, {"business_name": "Mine"}, by=who), 403)
    refused(await api.post(TEMPLATE, {**REMINDER, "body": "Mine"}, by=who), 403)
    assert api.database.value("select count(*) from audit_logs where action <> 'permission_denied'") == 0


# ── The words ──


async def test_an_administrator_writes_the_words_and_goes_back_to_the_usual_ones(
    api: Api, admin: Actor, database: Database
) -> None:
    answer = (await api.post(TEMPLATE, {**REMINDER, "body": "Ride {date}, {pickup_time} 🚐"}, by=admin)).json()
    assert answer["message"] == "The next message says the new words."
    assert answer["template"]["preview"] == {
        "text": "Ride Tuesday 1 December, 9:30 am 🚐", "length": 34, "count": 1, "left": 35, "odd": ["🚐"],
    }  # fmt: skip
    written = entry(database, "update_template")
    assert written["details"]["body"]["to"] == "Ride {date}, {pickup_time} 🚐"
    assert written["details"]["kind"] == "reminder"
    back = (await api.post(TEMPLATE, REMINDER, by=admin)).json()
    assert back["message"] == "It says the usual words."
    assert back["template"]["body"] == back["template"]["usual_body"]
    listed = (await api.get("/webhook/get-message-templates", by=admin)).json()
    assert len(listed["templates"]) == 9
    assert "pickup_time" in listed["placeholders"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("Your ride to {clinic}", "Text cannot name {clinic}; it can name {client_first_name}"),
        ("Hello {", "Text has a brace that is not closed"),
        ("x" * 401, "Text must have between 1 and 400 characters"),
    ],
)
async def test_words_that_cannot_be_filled_in_are_refused_by_preview_and_save_alike(
    api: Api, admin: Actor, body: str, fault: str
) -> None:
    for path in (PREVIEW, TEMPLATE):
        said = refused(await api.post(path, {**REMINDER, "body": body}, by=admin), 400, "validation")
        assert said["fields"]["body"].startswith(fault)


async def test_a_preview_saves_nothing_and_counts_the_texts(api: Api, admin: Actor, database: Database) -> None:
    plain = (await api.post(PREVIEW, {**REMINDER, "body": "x" * 161}, by=admin)).json()["preview"]
    curly = (await api.post(PREVIEW, {**REMINDER, "body": "x" * 71 + "’"}, by=admin)).json()["preview"]
    usual = (await api.post(PREVIEW, REMINDER, by=admin)).json()["preview"]
    assert (plain["count"], curly["count"], curly["odd"]) == (2, 2, ["’"])
    assert usual["text"] == "Reminder: your ride is Tuesday 1 December, pickup 9:30 am. Dispatch office"
    assert database.value("select count(*) from message_templates where body <> usual_body") == 0
    assert database.value("select count(*) from audit_logs") == 0
