"""The daily check of the audit log: what administrators and the office's channel may rely on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import psycopg
import pytest

from backhaul.core.errors import RateLimited, Unplaceable
from backhaul.core.store import Actor
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.dispatch.office import Office
from backhaul.dispatch.workflows.audit_check import verify_audit_log
from tests.api_fixtures import Api
from tests.fakes import FakeSlack
from tests.test_audit_log import seal, tampering, write
from tests.test_system_api import health

NAME = verify_audit_log.name


def check_now(database: Database) -> UUID:
    task: UUID = database.value("select create_background_task('schedule', gen_random_uuid(), 'Daily audit check', %s)", NAME)
    return task


async def test_a_whole_chain_is_noted_and_its_digest_goes_where_the_database_cannot_reach(
    office: TestOffice[Office], database: Database, agent: Actor, slack: FakeSlack
) -> None:
    write(database, agent, 3)
    seal(database)
    task = check_now(database)
    assert await office.work() == ["completed"]
    digest = database.value("select encode(digest, 'hex') from private.audit_seals")
    assert office.task(NAME)["result"] == {"entries": 3, "last_seal": 1, "digest": digest}
    (post,) = slack.posts
    assert "all is as it was sealed, 3 entries." in post
    assert f"Digest of seal 1: {digest} (check {task})" in post
    assert database.one("select entries, last_seal, why from private.audit_checks") == {"entries": 3, "last_seal": 1, "why": None}


async def test_a_tampered_entry_fails_the_task_with_its_number_and_no_name_and_the_channel_hears(
    office: TestOffice[Office], database: Database, agent: Actor, slack: FakeSlack
) -> None:
    entries = write(database, agent, 3)
    seal(database)
    with tampering(database) as owner:
        owner.execute("update audit_logs set details = '{}' where seq = %s", (entries[1],))
    task = check_now(database)
    assert await office.work() == ["failed"]
    failed = office.task(NAME)
    assert failed["error_message"] == (
        f"The audit log is not as it was sealed: the first broken entry is no. {entries[1]}. The entry was changed."
    )
    assert failed["error_code"] == "audit.broken"
    assert failed["error_hint"].startswith("Change nothing.")
    assert failed["created_by"] is None
    (post,) = slack.posts
    assert f"no. {entries[1]}" in post
    assert str(task) in post
    assert "Alex" not in post + failed["error_message"]


async def test_once_the_entry_is_as_it_was_a_retry_walks_anew_and_finds_the_chain_whole(
    office: TestOffice[Office], database: Database, agent: Actor, clock: Clock
) -> None:
    entries = write(database, agent, 2)
    seal(database)
    with tampering(database) as owner:
        owner.execute("create table before as select * from audit_logs where seq = %s", (entries[0],))
        owner.execute("update audit_logs set action = 'x' where seq = %s", (entries[0],))
    task = check_now(database)
    assert await office.work() == ["failed"]
    with tampering(database) as owner:
        owner.execute("update audit_logs a set action = b.action from before b where b.seq = a.seq")
    database.one("select * from retry_background_task(%s)", task)
    assert await office.work() == ["completed"]
    assert [row["broken_seq"] for row in database.all("select broken_seq from private.audit_checks order by check_no")] == [
        entries[0],
        None,
    ]


async def test_an_old_entry_that_was_whole_at_the_last_check_is_walked_again_and_so_is_the_end_that_was_cut_off(
    office: TestOffice[Office], database: Database, agent: Actor, clock: Clock
) -> None:
    entries = write(database, agent, 2)
    seal(database)
    later = write(database, agent, 1)
    seal(database)
    check_now(database)
    assert await office.work() == ["completed"]
    with tampering(database) as owner:
        owner.execute("delete from audit_logs where seq = %s", (later[0],))
        owner.execute("delete from private.audit_sealed where seq = %s", (later[0],))
        owner.execute("delete from private.audit_seals where seal_no = 2")
    check_now(database)
    assert await office.work() == ["failed"]
    assert "its end was cut off" in database.value("select why from private.audit_checks where why is not null")
    with tampering(database) as owner:
        owner.execute("update audit_logs set user_name = 'x' where seq = %s", (entries[0],))
    check_now(database)
    assert await office.work() == ["failed"]
    assert database.value("select max(broken_seq) from private.audit_checks") == entries[0]


@pytest.mark.parametrize("broken", [False, True])
async def test_a_channel_out_of_reach_neither_hides_a_broken_chain_nor_costs_a_whole_one_its_note(
    office: TestOffice[Office], database: Database, agent: Actor, slack: FakeSlack, broken: bool
) -> None:
    entries = write(database, agent, 1)
    seal(database)
    if broken:
        with tampering(database) as owner:
            owner.execute("delete from audit_logs where seq = %s", (entries[0],))
        slack.fails(error=Unplaceable("Slack", "Slack does not know this webhook", "", "", code="slack.404"))
        check_now(database)
        assert await office.work() == ["failed"]
        assert "The entry was removed. The office's channel could not be told" in office.task(NAME)["error_message"]
        return
    slack.fails(at=1, error=RateLimited("Slack", retry_after=30))
    check_now(database)
    assert await office.work() == ["again"]
    assert await office.work(after_s=30) == ["completed"]
    assert (len(slack.posts), database.value("select count(*) from private.audit_checks where why is null")) == (
        1,
        2,
    )  # walked anew


async def test_a_check_waits_for_nobody_who_writes(office: TestOffice[Office], database: Database, agent: Actor) -> None:
    """A writer that holds its entry open, and one that has the whole table for itself alone to write, hold no check up either."""
    write(database, agent, 2)
    seal(database)
    with psycopg.connect(database.dsn) as writer:
        writer.execute("lock table audit_logs, private.audit_sealed, private.audit_seals in share row exclusive mode")
        writer.execute("select private.write_audit('create_client', null, null, %s)", (agent.id,))
        check_now(database)
        assert await office.work() == ["completed"]
    assert database.value("select count(*) from audit_logs") >= 3


def test_what_a_check_found_is_kept_as_it_was_found(database: Database) -> None:
    database.all("insert into private.audit_checks (entries, why) values (1, 'It was changed.')")
    for statement in (b"update private.audit_checks set why = null", b"delete from private.audit_checks"):
        with psycopg.connect(database.dsn) as owner, pytest.raises(psycopg.Error, match="append-only"):
            owner.execute(statement)


async def test_health_says_when_the_chain_was_last_whole_and_what_broke_since(
    api: Api, admin: Actor, office: TestOffice[Office], database: Database, agent: Actor, clock: Clock
) -> None:
    assert (await health(api, admin))["audit"]["state"] == "unasked"
    entries = write(database, agent, 2)
    seal(database)
    check_now(database)
    await office.work()
    whole = clock.now
    told = (await health(api, admin))["audit"]
    assert (told["state"], datetime.fromisoformat(told["whole_at"])) == ("well", whole)
    with tampering(database) as owner:
        owner.execute("update audit_logs set action = 'x' where seq = %s", (entries[1],))
    clock.advance(minutes=5)
    check_now(database)
    await office.work()
    told = (await health(api, admin))["audit"]
    assert told["state"] == "unwell"
    assert f"Entry {entries[1]}: The entry was changed" in told["what"]
    assert datetime.fromisoformat(told["whole_at"]) == whole
