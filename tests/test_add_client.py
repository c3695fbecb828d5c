"""add-client: what the caller, Google Maps and Quo may rely on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from backhaul.core.errors import Conflict, Forbidden, Misconfigured, RateLimited, Unauthenticated
from backhaul.core.store import Actor
from backhaul.core.testing import Database, TestOffice
from backhaul.dispatch.clients.forms import NewClient
from backhaul.dispatch.office import Office
from backhaul.dispatch.workflows.add_client import add_client
from tests.fakes import FakeMaps, FakeQuo


def jane(**changed: Any) -> NewClient:
    typed = {
        "kNumber": "K1234567", "firstName": "Jane", "lastName": "Roe", "phone": "902-555-0123", "email": "jane@example.test",
        "civicAddress": "1 High St", "city": "Halifax", "province": "NS", "postalCode": "B3H 1A1",
    }  # fmt: skip
    return NewClient.model_validate(typed | changed)


@pytest.fixture
def drivers(database: Database) -> dict[str, UUID]:
    """Ana, Ben and Cem, each with a place on the map."""
    return {
        name: database.value(
            "insert into drivers (first_name, last_name, email, home_address, home_city, home_latitude, home_longitude)"
            " values (%s, 'Driver', %s, '1 Main St', 'Truro', 45.36, -63.28) returning id",
            name,
            f"{name}@example.test",
        )
        for name in ("Ana", "Ben", "Cem")
    }


async def test_caller_is_answered_before_maps_or_quo_is_asked(
    office: TestOffice[Office], agent: Actor, maps: FakeMaps, quo: FakeQuo
) -> None:
    reply = await office.submit(add_client, jane(), by=agent, key="click-1")
    assert reply.message == "Client saved. Drive times and Quo sync processing in background."
    assert office.tasks("pending") == ["calculate_drive_times", "sync_quo"]
    assert maps.asked == []
    assert quo.contacts == {}


async def test_record_audit_entry_and_tasks_belong_together(office: TestOffice[Office], agent: Actor, database: Database) -> None:
    reply = await office.submit(add_client, jane(), by=agent)
    entry = database.one("select * from audit_logs")
    assert (entry["action"], entry["entity_id"], entry["user_name"]) == (
        "create_client",
        UUID(reply.body["client_id"]),
        "Alex Agent",
    )
    tasks = database.all("select distinct audit_log_id, created_by, entity_label from background_tasks")
    assert tasks == [{"audit_log_id": entry["id"], "created_by": agent.id, "entity_label": "Jane Roe (K1234567)"}]


async def test_second_click_with_the_same_key_saves_nothing_new(office: TestOffice[Office], agent: Actor) -> None:
    first = await office.submit(add_client, jane(), by=agent, key="click-1")
    again = await office.submit(add_client, jane(), by=agent, key="click-1")
    assert again.repeated
    assert again.body == first.body
    assert len(office.tasks("pending")) == 2


async def test_a_key_used_for_something_else_is_refused(office: TestOffice[Office], agent: Actor) -> None:
    await office.submit(add_client, jane(), by=agent, key="click-1")
    with pytest.raises(Conflict, match="already used for something else"):
        await office.submit(add_client, jane(firstName="Joan"), by=agent, key="click-1")


async def test_a_taken_k_number_is_named_and_leaves_nothing_behind(
    office: TestOffice[Office], agent: Actor, database: Database
) -> None:
    await office.submit(add_client, jane(), by=agent)
    with pytest.raises(Conflict, match="K1234567") as refused:
        await office.submit(add_client, jane(firstName="John", kNumber="k1234567"), by=agent, key="click-2")
    assert "Jane Roe" in refused.value.why
    assert database.value("select count(*) from clients") == 1
    assert database.value("select count(*) from audit_logs") == 1
    assert database.value("select count(*) from private.clicks") == 0


@pytest.mark.parametrize("role", ["driver", "client"])
async def test_only_staff_may_add_a_client(office: TestOffice[Office], database: Database, role: str) -> None:
    with pytest.raises(Forbidden):
        await office.submit(add_client, jane(), by=database.person(role))
    assert database.value("select count(*) from clients") == 0


async def test_a_disabled_account_saves_nothing_though_its_token_still_runs(
    office: TestOffice[Office], agent: Actor, database: Database
) -> None:
    database.all("update users set is_active = false where id = %s", agent.id)
    with pytest.raises(Unauthenticated, match="disabled"):
        await office.submit(add_client, jane(), by=agent)


async def test_drive_times_and_contact_are_there_when_the_work_is_done(
    office: TestOffice[Office], agent: Actor, database: Database, drivers: dict[str, UUID], quo: FakeQuo
) -> None:
    reply = await office.submit(add_client, jane(), by=agent)
    assert sorted(await office.work()) == ["completed", "completed"]
    times = database.all("select driver_id, duration_minutes from client_drive_times order by duration_minutes, driver_id")
    assert {row["driver_id"] for row in times} == set(drivers.values())
    assert office.task("calculate_drive_times")["result"] == {"drive_times_calculated": 3, "without_answer": 0}
    external_id = f"client:{reply.body['client_id']}"
    assert quo.contacts[external_id].phone == "+19025550123"
    assert database.value("select openphone_contact_id from clients") == f"QC-{external_id}"


async def test_without_drivers_the_drive_times_are_done_and_nobody_is_asked(
    office: TestOffice[Office], agent: Actor, maps: FakeMaps
) -> None:
    await office.submit(add_client, jane(), by=agent)
    await office.work()
    assert office.task("calculate_drive_times")["result"]["drive_times_calculated"] == 0
    assert maps.asked == []
    assert maps.located == []


async def test_retry_asks_maps_only_for_batches_not_yet_measured(
    office: TestOffice[Office], agent: Actor, drivers: dict[str, UUID], maps: FakeMaps
) -> None:
    maps.fails(at=2, error=RateLimited("Google Maps", retry_after=60))
    await office.submit(add_client, jane(), by=agent, key="click-1")
    await office.work()
    assert office.tasks("pending") == ["calculate_drive_times"]
    await office.work(after_s=59)
    assert len(maps.asked) == 2
    await office.work(after_s=1)
    ana, ben, cem = drivers.values()
    assert maps.asked == [[ana, ben], [cem], [cem]]
    assert len(maps.located) == 1
    assert office.tasks("completed") == ["calculate_drive_times", "sync_quo"]


async def test_a_driver_without_a_road_or_an_address_is_recorded_with_the_reason(
    office: TestOffice[Office], agent: Actor, database: Database, drivers: dict[str, UUID], maps: FakeMaps
) -> None:
    maps.no_road = {drivers["Ben"]}
    maps.unknown = {"Nowhere"}
    dee = database.value(
        "insert into drivers (first_name, last_name, email, home_address, home_city)"
        " values ('Dee', 'D', 'd@x.test', '9 Lost Rd', 'Nowhere') returning id"
    )
    await office.submit(add_client, jane(), by=agent)
    await office.work()
    reasons = {row["driver_id"]: row["error"] for row in database.all("select driver_id, error from client_drive_times")}
    assert reasons[drivers["Ana"]] is None
    assert "no road" in reasons[drivers["Ben"]]
    assert "does not know this address" in reasons[dee]
    assert office.task("calculate_drive_times")["result"] == {"drive_times_calculated": 2, "without_answer": 2}


@pytest.mark.usefixtures("drivers")
async def test_an_unknown_address_fails_at_once_and_says_what_to_correct(
    office: TestOffice[Office], agent: Actor, maps: FakeMaps
) -> None:
    maps.unknown = {"Nowhere"}
    await office.submit(add_client, jane(city="Nowhere"), by=agent)
    await office.work()
    failed = office.task("calculate_drive_times")
    assert failed["status"] == "failed"
    assert failed["attempt"] == 1
    assert failed["error_message"] == "Google Maps does not know this address. Street, city or postal code may be misspelt."
    assert failed["error_hint"] == "Correct the address"
    assert office.task("sync_quo")["status"] == "completed"


@pytest.mark.usefixtures("drivers")
async def test_an_approximate_address_is_kept_and_marked_for_a_person_to_confirm(
    office: TestOffice[Office], agent: Actor, database: Database, maps: FakeMaps
) -> None:
    maps.vague = {"Halifax"}
    await office.submit(add_client, jane(), by=agent)
    await office.work()
    assert database.value("select home_precision from clients") == "approximate"


async def test_a_lost_answer_from_quo_is_looked_up_and_no_second_contact_made(
    office: TestOffice[Office], agent: Actor, quo: FakeQuo
) -> None:
    quo.loses_answers = 1
    await office.submit(add_client, jane(), by=agent)
    await office.work()
    assert office.task("sync_quo")["status"] == "pending"
    await office.work(after_s=3)
    assert len(quo.contacts) == 1
    assert office.task("sync_quo")["result"]["created"] is False


async def test_a_refused_key_is_told_at_once_and_retried_by_hand(
    office: TestOffice[Office], agent: Actor, quo: FakeQuo, database: Database
) -> None:
    quo.fails(
        error=Misconfigured(
            "Quo", "Quo does not accept our key", "It was deleted or mistyped", "A Quo owner makes a new one", code="quo.401"
        )
    )
    await office.submit(add_client, jane(), by=agent)
    await office.work()
    failed = office.task("sync_quo")
    assert (failed["status"], failed["error_code"], failed["attempt"]) == ("failed", "quo.401", 1)
    quo.works()
    database.one("select * from retry_background_task(%s)", failed["id"])
    await office.work()
    assert office.task("sync_quo")["status"] == "completed"


async def test_after_all_tries_a_person_hears_of_an_outage(
    office: TestOffice[Office], agent: Actor, maps: FakeMaps, drivers: dict[str, UUID]
) -> None:
    maps.fails(error=RateLimited("Google Maps", retry_after=1))
    await office.submit(add_client, jane(), by=agent)
    for _ in range(10):
        await office.work(after_s=60)
    failed = office.task("calculate_drive_times")
    assert (failed["status"], failed["attempt"], failed["failures"]) == ("failed", 5, 5)
    assert failed["error_message"] == "Google Maps asked us to slow down. Too many requests in a short time."


async def test_a_contact_id_that_was_kept_meanwhile_does_not_make_the_step_ask_quo_again(
    office: TestOffice[Office], agent: Actor, quo: FakeQuo, database: Database
) -> None:
    """As when a worker dies between the record of the contact's id and the end of the task."""
    reply = await office.submit(add_client, jane(), by=agent)
    first = await office.worker.work_on(UUID(reply.body["task_ids"]["sync_quo"]))
    assert first == "completed"
    again = database.value(
        "select create_background_task('client', %s, 'Jane Roe', 'sync_quo', once_key => 'again')", UUID(reply.body["client_id"])
    )
    database.all(
        "insert into background_task_steps (task_id, label, args_hash, answer, attempt)"
        " select %s, label, args_hash, answer, attempt from background_task_steps where label = 'put contact'",
        again,
    )
    await office.work()
    assert quo.calls == 1
