"""The daily archive: what is settled and a week old moves away, what nobody has dealt with stays, and Slack may hear of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from backhaul.core.errors import Misconfigured, RateLimited
from backhaul.core.store import Actor
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.dispatch.office import OFFICE_TIME, Office
from backhaul.dispatch.workflows import archive
from backhaul.dispatch.working import _SCHEDULE
from tests.fakes import PORTAL, FakeMail, FakeMaps, FakeQuo, FakeSlack


def made(database: Database, status: str, owner: UUID) -> UUID:
    task: UUID = database.value("select create_background_task('client', gen_random_uuid(), 'Jane', 'sync_quo', %s)", owner)
    if status != "pending":
        database.all("select start_background_task(%s)", task)
    if status == "completed":
        database.all("select complete_background_task(%s)", task)
    if status in ("failed", "dismissed"):
        database.all("select fail_background_task(%s, 'It broke.')", task)
    if status == "dismissed":
        database.all("select dismiss_background_task(%s, %s)", task, owner)
    return task


def archive_now(database: Database) -> UUID:
    task: UUID = database.value(
        "select create_background_task('schedule', gen_random_uuid(), 'Daily archive', 'archive_old_tasks')"
    )
    return task


async def test_what_is_settled_for_a_week_moves_and_what_nobody_dealt_with_stays(
    office: TestOffice[Office], database: Database, clock: Clock, agent: Actor, slack: FakeSlack
) -> None:
    old = {status: made(database, status, agent.id) for status in ("completed", "dismissed", "failed")}
    clock.advance(days=7, seconds=1)
    young = made(database, "completed", agent.id)
    task = archive_now(database)
    assert await office.work() == ["completed"]
    gone = {row["id"] for row in database.all("select id from background_tasks_archive")}
    assert gone == {old["completed"], old["dismissed"]}
    assert {row["id"] for row in database.all("select id from background_tasks")} == {old["failed"], young, task}
    assert office.task("archive_old_tasks")["result"] == {"archived": 2}
    assert len(slack.posts) == 1
    assert "archived 2 finished tasks" in slack.posts[0]


async def test_several_batches_are_moved_one_after_the_other(
    office: TestOffice[Office], database: Database, clock: Clock, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "BATCH", 2)
    for _ in range(5):
        made(database, "completed", agent.id)
    clock.advance(days=8)
    archive_now(database)
    await office.work()
    assert office.task("archive_old_tasks")["result"] == {"archived": 5}


async def test_without_a_channel_nobody_is_told_and_the_archive_is_done(
    office: TestOffice[Office], database: Database, maps: FakeMaps, quo: FakeQuo, mail: FakeMail
) -> None:
    office.outside = Office(maps=maps, quo=quo, mail=mail, portal_url=PORTAL)
    office.worker = office.new_worker()
    archive_now(database)
    assert await office.work() == ["completed"]


async def test_slack_out_of_reach_delays_only_the_message_and_nothing_is_archived_or_told_twice(
    office: TestOffice[Office], database: Database, clock: Clock, agent: Actor, slack: FakeSlack
) -> None:
    made(database, "completed", agent.id)
    clock.advance(days=8)
    archive_now(database)
    slack.fails(at=1, error=RateLimited("Slack", retry_after=30))
    assert await office.work() == ["again"]
    assert database.value("select count(*) from background_tasks_archive") == 1
    assert await office.work(after_s=30) == ["completed"]
    assert office.task("archive_old_tasks")["result"] == {"archived": 1}
    assert len(slack.posts) == 1


async def test_a_dead_webhook_is_told_to_supervisors_and_costs_no_archive(
    office: TestOffice[Office], database: Database, clock: Clock, agent: Actor, slack: FakeSlack
) -> None:
    made(database, "completed", agent.id)
    clock.advance(days=8)
    archive_now(database)
    slack.fails(
        error=Misconfigured("Slack", "Slack does not know this webhook", "It was removed", "Make a new one", code="slack.404")
    )
    await office.work()
    failed = office.task("archive_old_tasks")
    assert (failed["status"], failed["error_code"], failed["created_by"]) == ("failed", "slack.404", None)
    assert database.value("select count(*) from background_tasks_archive") == 1


async def test_the_schedule_asks_for_it_each_day_at_three_office_time(
    office: TestOffice[Office], database: Database, clock: Clock, slack: FakeSlack
) -> None:
    """The clock stands at 10:00 in Halifax: today's time has passed, so it begins tomorrow."""
    await office.store.call(
        _SCHEDULE,
        {"name": "daily archive", "task": "archive_old_tasks", "label": "Daily archive", "at": "03:00", "zone": OFFICE_TIME.key},
    )
    assert clock.now.astimezone(OFFICE_TIME).hour == 10
    assert database.value("select private.run_schedules()") == 0
    clock.advance(hours=16, minutes=59)
    assert database.value("select private.run_schedules()") == 0
    clock.advance(minutes=1)
    assert clock.now.astimezone(OFFICE_TIME).hour == 3
    assert [database.value("select private.run_schedules()") for _ in range(3)] == [1, 0, 0]
    assert await office.work() == ["completed"]
    clock.advance(hours=24)
    assert database.value("select private.run_schedules()") == 1
    assert len(slack.posts) == 1
