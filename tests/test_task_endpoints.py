"""The endpoints through which people look after failures: what each role may see and do, and what is answered otherwise."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from backhaul.core.store import Actor
from backhaul.core.testing import Database
from tests.api_fixtures import SERVICE_KEY, Api, everyone, jane, refused
from tests.fakes import FakeQuo

FIELDS = {
    "id", "entity_type", "entity_id", "entity_label", "task_type", "task_label", "status", "error_message", "error_hint",
    "error_code", "created_at", "completed_at", "created_by", "dismissed_at", "attempt", "max_attempts",
}  # fmt: skip


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_people_see_their_own_failures_newest_first(api: Api, agent: Actor, supervisor: Actor) -> None:
    older = api.failed(agent, label="First")
    api.database.all("update testing.clock set now = now + interval '1 minute'")
    newer = api.failed(agent, label="Second")
    api.failed(supervisor, label="Somebody else's")
    said = (await api.get("/webhook/get-failed-tasks", by=agent)).json()
    assert said["success"] is True
    assert [task["id"] for task in said["data"]] == [str(newer), str(older)]
    assert said["data"][0].keys() >= FIELDS
    assert said["data"][0]["task_label"] == "Sync to Quo"
    assert said["data"][0]["created_at"].endswith("Z")


async def test_a_supervisor_has_only_their_own_failures_in_the_own_list(api: Api, agent: Actor, supervisor: Actor) -> None:
    api.failed(agent)
    assert (await api.get("/webhook/get-failed-tasks", by=supervisor)).json()["data"] == []


@pytest.mark.parametrize("path", ["get-all-failed-tasks", "get-failed-tasks-summary"])
async def test_only_supervisors_and_admins_see_everybodys_failures(api: Api, path: str) -> None:
    people = everyone(api.database)
    api.failed(people["booking_agent"])
    for role, who in people.items():
        answer = await api.get(f"/webhook/{path}", by=who)
        if role in ("supervisor", "admin"):
            assert answer.json()["success"] is True
        else:
            refused(answer, 403, "role")


async def test_everybodys_failures_carry_their_names(api: Api, agent: Actor, supervisor: Actor) -> None:
    api.failed(agent)
    data = (await api.get("/webhook/get-all-failed-tasks", by=supervisor)).json()["data"]
    assert [task["created_by_name"] for task in data] == ["Alex Agent"]


async def test_a_failure_that_belongs_to_nobody_is_seen_by_supervisors(api: Api, supervisor: Actor, database: Database) -> None:
    task = database.value("select create_background_task('client', gen_random_uuid(), 'Nobody', 'sync_quo')")
    database.all("select start_background_task(%s)", task)
    database.all("select fail_background_task(%s, 'It broke.')", task)
    data = (await api.get("/webhook/get-all-failed-tasks", by=supervisor)).json()["data"]
    assert [(one["id"], one["created_by_name"]) for one in data] == [(str(task), None)]


async def test_the_summary_counts_on_top_and_under_data_and_groups_by_cause(api: Api, agent: Actor, admin: Actor) -> None:
    for code in ("quo.401", "quo.401", "maps.not_found"):
        api.failed(agent, code=code)
    api.failed(admin, code="quo.401")
    said = (await api.get("/webhook/get-failed-tasks-summary", by=admin)).json()
    assert (said["total_failed"], said["users_with_failures"]) == (4, 2)
    assert said["data"]["total_failed"] == 4
    assert said["oldest_failure"] == said["newest_failure"]
    assert [(cause["error_code"], cause["count"]) for cause in said["by_cause"]] == [("quo.401", 3), ("maps.not_found", 1)]


async def test_the_summary_of_nothing_is_zero_and_not_an_error(api: Api, admin: Actor) -> None:
    said = (await api.get("/webhook/get-failed-tasks-summary", by=admin)).json()
    assert (said["total_failed"], said["oldest_failure"], said["by_cause"]) == (0, None, [])


async def test_a_task_is_shown_whole_with_its_attempts_steps_and_the_click_behind_it(
    api: Api, agent: Actor, quo: FakeQuo
) -> None:

    ids = (await api.post("/webhook/add-client", jane(), by=agent)).json()["task_ids"]
    await api.app.state.worker.work_on(UUID(ids["sync_quo"]))
    said = (await api.get("/webhook/get-task", by=agent, id=ids["sync_quo"])).json()
    assert said["task"]["status"] == "completed"
    assert said["task"]["result"]["created"] is True
    assert [attempt["outcome"] for attempt in said["attempts"]] == ["completed"]
    assert [step["label"] for step in said["steps"]] == ["put contact"]
    assert (said["audit"]["action"], said["audit"]["user_name"]) == ("create_client", "Alex Agent")


async def test_an_archived_task_is_still_shown_with_its_story(api: Api, agent: Actor, database: Database) -> None:
    task = api.failed(agent)
    database.all("select dismiss_background_task(%s, %s)", task, agent.id)
    database.all("update testing.clock set now = now + interval '8 days'")
    assert database.value("select archive_old_tasks()") == 1
    database.all("update user_sessions set expires_at = now() + interval '1 year', last_activity_at = task_now()")
    said = (await api.get("/webhook/get-task", by=agent, id=task)).json()
    assert said["task"]["archived_at"] is not None
    assert [attempt["outcome"] for attempt in said["attempts"]] == ["failed"]


async def test_somebody_elses_task_looks_exactly_like_one_that_does_not_exist(api: Api, agent: Actor, supervisor: Actor) -> None:
    task = api.failed(supervisor)
    theirs = refused(await api.get("/webhook/get-task", by=agent, id=task), 404, "task.unknown")
    nobodys = refused(await api.get("/webhook/get-task", by=agent, id=uuid4()), 404, "task.unknown")
    assert theirs["message"] == nobodys["message"]
    assert (await api.get("/webhook/get-task", by=supervisor, id=task)).status_code == 200


# ── Dismissing, taking back, retrying ───────────────────────────────────────────────────────────────────────────────


async def test_dismissing_hides_a_failure_and_taking_it_back_shows_it_again(api: Api, agent: Actor) -> None:
    task = api.failed(agent)
    said = (await api.post("/webhook/dismiss-task", {"task_id": str(task)}, by=agent)).json()
    assert (said["success"], said["task_id"]) == (True, str(task))
    assert (await api.get("/webhook/get-failed-tasks", by=agent)).json()["data"] == []
    again = refused(await api.post("/webhook/dismiss-task", {"task_id": str(task)}, by=agent), 409)
    assert "was dismissed" in again["message"]
    said = (await api.post("/webhook/undismiss-task", {"task_id": str(task)}, by=agent)).json()
    assert said["undismissed"] == 1
    assert len((await api.get("/webhook/get-failed-tasks", by=agent)).json()["data"]) == 1
    repeated = (await api.post("/webhook/undismiss-task", {"task_ids": [str(task)]}, by=agent)).json()
    assert repeated["undismissed"] == 0


@pytest.mark.parametrize("path", ["dismiss-task", "undismiss-task", "retry-task"])
async def test_somebody_elses_failure_is_not_there_for_an_agent_and_is_for_a_supervisor(api: Api, path: str) -> None:
    people = everyone(api.database)
    for role, who in people.items():
        task = api.failed(api.database.person("booking_agent"))
        if path == "undismiss-task":
            api.database.all("select dismiss_background_task(%s, created_by) from background_tasks where id = %s", task, task)
        before = api.database.one("select status, dismissed_at from background_tasks where id = %s", task)
        answer = await api.post(f"/webhook/{path}", {"task_id": str(task)}, by=who)
        if role in ("supervisor", "admin"):
            assert answer.status_code == 200, answer.text
        else:
            refused(answer, 404)
            assert api.database.one("select status, dismissed_at from background_tasks where id = %s", task) == before


@pytest.mark.parametrize("path", ["dismiss-task", "undismiss-task", "retry-task"])
async def test_an_unknown_task_is_a_404(api: Api, agent: Actor, path: str) -> None:
    refused(await api.post(f"/webhook/{path}", {"task_id": str(uuid4())}, by=agent), 404)


async def test_dismiss_all_means_ones_own_even_for_an_admin(api: Api, agent: Actor, admin: Actor) -> None:
    theirs, own = api.failed(agent), api.failed(admin)
    for body in (None, {}, {"everybody": False}):
        said = (await api.post("/webhook/dismiss-all-tasks", body, by=admin)).json()
        assert set(said["task_ids"]) <= {str(own)}
    assert api.database.value("select dismissed_at from background_tasks where id = %s", theirs) is None
    assert api.database.value("select dismissed_by from background_tasks where id = %s", own) == admin.id


async def test_everybodys_failures_are_dismissed_only_by_supervisors_who_say_so(
    api: Api, agent: Actor, supervisor: Actor
) -> None:
    tasks = {str(api.failed(agent)), str(api.failed(supervisor))}
    refused(await api.post("/webhook/dismiss-all-tasks", {"everybody": True}, by=agent), 403)
    said = (await api.post("/webhook/dismiss-all-tasks", {"everybody": True}, by=supervisor)).json()
    assert (said["dismissed"], set(said["task_ids"])) == (2, tasks)
    back = (await api.post("/webhook/undismiss-task", {"task_ids": said["task_ids"]}, by=supervisor)).json()
    assert back["undismissed"] == 2


async def test_taking_back_is_all_or_nothing_when_one_task_is_not_theirs(api: Api, agent: Actor, supervisor: Actor) -> None:
    own, other = api.failed(agent), api.failed(supervisor)
    api.database.all("select dismiss_background_task(id, created_by) from background_tasks")
    refused(await api.post("/webhook/undismiss-task", {"task_ids": [str(own), str(other)]}, by=agent), 404)
    assert api.database.value("select count(*) from background_tasks where dismissed_at is null") == 0


async def test_retry_makes_a_failure_due_again_once(api: Api, agent: Actor) -> None:
    task = api.failed(agent)
    said = (await api.post("/webhook/retry-task", {"task_id": str(task)}, by=agent)).json()
    assert said == {"success": True, "message": "Task retry started", "task_id": str(task)}
    assert api.status(task) == "pending"
    second = refused(await api.post("/webhook/retry-task", {"task_id": str(task)}, by=agent), 409, "task.not_failed")
    assert "It is waiting" in second["message"]


async def test_twin_dismissals_take_effect_once(api: Api, agent: Actor) -> None:

    task = api.failed(agent)
    answers = await asyncio.gather(*(api.post("/webhook/dismiss-task", {"task_id": str(task)}, by=agent) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert api.database.value("select count(*) from audit_logs where action = 'dismiss_task'") == 1


# ── Internal: process-* ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_named_task_is_run_for_whoever_has_the_service_key(api: Api, agent: Actor, quo: FakeQuo) -> None:

    ids = (await api.post("/webhook/add-client", jane(), by=agent)).json()["task_ids"]
    body = {"task_id": ids["sync_quo"], "entity_type": "client", "entity_id": str(uuid4())}
    said = (await api.post("/webhook/process-quo-sync", body, by=SERVICE_KEY)).json()
    assert (said["success"], said["outcome"]) == (True, "completed")
    assert len(quo.contacts) == 1
    refused(await api.post("/webhook/process-quo-sync", body, by=SERVICE_KEY), 409, "task.not_ours")
    assert quo.calls == 1
    said = (await api.post("/webhook/process-drive-times", {"task_id": ids["calculate_drive_times"]}, by=SERVICE_KEY)).json()
    assert said["outcome"] == "completed"


async def test_an_internal_endpoint_runs_no_task_of_another_kind(api: Api, agent: Actor) -> None:
    task = api.database.value("select create_background_task('client', gen_random_uuid(), 'Jane', 'sync_quo', %s)", agent.id)
    refused(await api.post("/webhook/process-drive-times", {"task_id": str(task)}, by=SERVICE_KEY), 409, "task.other")
    assert api.status(task) == "pending"
    refused(await api.post("/webhook/process-drive-times", {"task_id": str(uuid4())}, by=SERVICE_KEY), 404, "task.unknown")


async def test_internal_endpoints_take_the_service_key_and_nobodys_token(api: Api, admin: Actor) -> None:
    task = api.failed(admin)
    for by in (None, admin, "", SERVICE_KEY[:-1], SERVICE_KEY + "x", "ключ"):
        answer = await api.line.post(
            "/webhook/process-quo-sync",
            json={"task_id": str(task)},
            headers={} if by is None else {"authorization": f"Bearer {api.token(by) if isinstance(by, Actor) else by}".encode()},
        )
        refused(answer, 401, "service_key")
    assert api.status(task) == "failed"
