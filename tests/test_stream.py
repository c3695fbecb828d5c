"""The event stream: open pages hear at once of what they may see, of nothing else, and are told when it ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from backhaul.core import stream as streams
from backhaul.core.store import Actor
from backhaul.core.tokens import Tokens
from tests.api_fixtures import Api, everyone, jane, refused, until
from tests.open_pages import SOON_S, opened

# ── What is heard ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_hears_of_each_change_of_their_own_task(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        task = api.failed(agent)
        failed = await page.hear_of(task, "failed")
        assert (failed["mine"], failed["error_message"], failed["task_label"]) == (True, "Quo did not answer.", "Sync to Quo")
        await api.post("/webhook/dismiss-task", {"task_id": str(task)}, by=agent)
        assert (await page.hear_task())["dismissed_at"] is not None
        await api.post("/webhook/undismiss-task", {"task_id": str(task)}, by=agent)
        assert (await page.hear_task())["dismissed_at"] is None
        await api.post("/webhook/retry-task", {"task_id": str(task)}, by=agent)
        await page.hear_of(task, "pending")
        api.database.all("select start_background_task(%s)", task)
        await page.hear_of(task, "processing")
        api.database.all("select complete_background_task(%s)", task)
        await page.hear_of(task, "completed")


async def test_a_saved_client_is_heard_of_as_two_waiting_tasks(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        ids = (await api.post("/webhook/add-client", jane(), by=agent)).json()["task_ids"]
        heard = [await page.hear_task(), await page.hear_task()]
        assert {task["id"] for task in heard} == set(ids.values())
        assert {task["status"] for task in heard} == {"pending"}


async def test_nobody_but_supervisors_hears_of_somebody_elses_task(api: Api, address: str, agent: Actor) -> None:
    for role, who in everyone(api.database).items():
        async with opened(address, api.token(who)) as page:
            other, own = api.failed(agent), api.failed(who)
            if role in ("supervisor", "admin"):
                theirs = await page.hear_task()
                while theirs["id"] != str(other):
                    theirs = await page.hear_task()
                assert (theirs["mine"], theirs["created_by_name"]) == (False, "Alex Agent")
            else:
                await page.hear_of(own, "failed")  # fails if it hears of the other, which happened before


async def test_a_role_that_changed_ends_the_page_of_the_old_one_at_once(
    api: Api, address: str, agent: Actor, supervisor: Actor
) -> None:
    async with opened(address, api.token(supervisor)) as page:
        api.database.all("update users set role = 'driver' where id = %s", supervisor.id)
        api.failed(agent)
        assert (await page.hear())[1]["reason"] == "ended"


async def test_the_role_of_now_decides_not_the_one_in_the_token(api: Api, address: str, agent: Actor, supervisor: Actor) -> None:
    forged = api.app.state.tokens.issue(agent.id, agent.session_id, "admin")
    async with opened(address, forged) as page:
        api.failed(supervisor)
        await page.hear_of(api.failed(agent), "failed")


async def test_a_task_that_belongs_to_nobody_is_heard_of_by_supervisors(api: Api, address: str, supervisor: Actor) -> None:
    async with opened(address, api.token(supervisor)) as page:
        task = api.database.value("select create_background_task('client', gen_random_uuid(), 'X', 'sync_quo')")
        data = await page.hear_of(task, "pending")
        assert (data["mine"], data["created_by_name"]) == (False, None)


async def test_what_rolls_back_is_never_heard_of(api: Api, address: str, agent: Actor) -> None:

    async with opened(address, api.token(agent)) as page:
        with psycopg.connect(api.database.dsn) as connection:
            connection.execute("select create_background_task('client', gen_random_uuid(), 'X', 'sync_quo', %s)", (agent.id,))
            connection.rollback()
        await page.hear_of(api.failed(agent), "failed")


async def test_many_changes_at_once_are_all_heard_of(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        made = api.database.all(
            "select create_background_task('client', gen_random_uuid(), 'X', 'sync_quo', %s)::text as id"
            " from generate_series(1, 300)",
            agent.id,
        )
        wanted, heard = {row["id"] for row in made}, set[str]()
        while heard < wanted:
            heard.add((await page.hear_task())["id"])
        assert heard == wanted


async def test_a_line_break_in_a_label_does_not_break_the_stream(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        label = "Jane\n\nevent: bye\ndata: {}\n\nRoe"
        assert (await page.hear_of(api.failed(agent, label=label), "failed"))["entity_label"] == label


# ── How it ends ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_ends_with_its_token(api: Api, address: str, agent: Actor) -> None:
    soon = Tokens(api.app.state.settings.jwt_secret, now=lambda: datetime.now(UTC) - timedelta(minutes=14, seconds=58))
    async with opened(address, soon.issue(agent.id, agent.session_id, agent.role)) as page:
        assert await page.hear() == ("bye", {"reason": "expired"})
        assert await page.hear() == ("end", None)


async def test_a_page_that_signed_out_hears_goodbye_in_place_of_the_next_event(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        await api.post("/webhook/logout", {}, by=agent)
        api.failed(agent)
        name, data = await page.hear()
        assert (name, data["reason"]) == ("bye", "ended")


async def test_a_page_that_signed_out_hears_goodbye_even_if_nothing_happens(
    api: Api, address: str, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_S", 0.1)
    async with opened(address, api.token(agent)) as page:
        assert await page.hear() == (":", None)
        await api.post("/webhook/logout", {}, by=agent)
        while (heard := await page.hear())[0] == ":":
            pass
        assert (heard[0], heard[1]["reason"]) == ("bye", "ended")


async def test_a_disabled_account_hears_nothing_more(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        api.database.all("update users set is_active = false where id = %s", agent.id)
        api.failed(agent)
        assert (await page.hear())[1]["reason"] == "ended"
    refused(await api.get("/events", by=agent), 401)


async def test_pages_hear_goodbye_when_the_server_stops(api: Api, address: str, agent: Actor, supervisor: Actor) -> None:
    async with opened(address, api.token(agent)) as one, opened(address, api.token(supervisor)) as other:
        api.app.state.stream.hang_up()
        assert await one.hear() == ("bye", {"reason": "shutdown"})
        assert await other.hear() == ("bye", {"reason": "shutdown"})


async def test_pages_are_sent_to_read_their_list_when_the_database_was_out_of_hearing(
    api: Api, address: str, agent: Actor
) -> None:
    async with opened(address, api.token(agent)) as page:
        hang_up_listeners(api)
        assert await page.hear() == ("bye", {"reason": "interrupted"})
    await until(lambda: api.app.state.stream.listening)
    async with opened(address, api.token(agent)) as page:
        await page.hear_of(api.failed(agent), "failed")


async def test_a_page_that_came_while_nobody_listened_is_sent_back_once_somebody_does(api: Api, agent: Actor) -> None:
    stream = streams.Stream(api.app.state.store, [])
    events = stream.events(api.app.state.tokens.read(api.token(agent)))
    assert b"hello" in await anext(events)
    await stream.open()
    async with asyncio.timeout(SOON_S):
        assert [b"interrupted" in event async for event in events] == [True]
    await stream.close()


async def test_a_notification_that_is_not_ours_is_passed_over(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)) as page:
        for payload in (
            "",
            "x",
            "[" * 5000,
            "[]",
            "7",
            "null",
            "{}",
            '{"id": 5, "created_by": null}',
            '{"id": "x", "created_by": "y"}',
        ):
            api.database.all("select pg_notify('background_tasks', %s)", payload)
        await page.hear_of(api.failed(agent), "failed")
        assert api.app.state.stream.listening


async def test_a_page_that_leaves_is_forgotten(api: Api, address: str, agent: Actor) -> None:
    async with opened(address, api.token(agent)):
        assert api.app.state.stream.open_pages == 1
    await until(lambda: api.app.state.stream.open_pages == 0)


def hang_up_listeners(api: Api) -> None:
    ended = api.database.all(
        "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%%' and datname = current_database()"
    )
    assert len(ended) == 1
