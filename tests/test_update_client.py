"""update-client: what is saved, what follows and what does not, and who is told when two people save at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from backhaul.core.errors import OutcomeUnknown
from backhaul.core.store import Actor
from backhaul.core.testing import Database, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, jane, refused
from tests.fakes import FakeMaps, FakeQuo

SECOND = {
    "secondary_civic_address": "2 Low St",
    "secondary_city": "Truro",
    "secondary_province": "NS",
    "secondary_postal_code": "B2N 1K4",
}
Change = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def clinics(database: Database) -> dict[str, UUID]:
    """Amherst, Bridgewater and Canso, placed on the map; and a closed one."""
    made = {
        name: database.value(
            "insert into destinations (name, address, city, latitude, longitude, active)"
            " values (%s, '1 Main St', %s, 45, -63, %s) returning id",
            name,
            name,
            name != "Closed",
        )
        for name in ("Amherst", "Bridgewater", "Canso", "Closed")
    }
    database.all(
        "insert into drivers (first_name, last_name, email, home_address, home_city, home_latitude, home_longitude)"
        " values ('Ana', 'A', 'a@x.test', '1 Main St', 'Truro', 45.36, -63.28)"
    )
    return made


@pytest.fixture
async def client(api: Api, agent: Actor, clinics: dict[str, UUID], maps: FakeMaps, quo: FakeQuo) -> UUID:
    """Jane Roe, saved, with all her work done and nothing remembered of it."""
    saved = (await api.post("/webhook/add-client", jane(), by=agent)).json()
    assert saved["task_ids"].keys() == {"calculate_drive_times", "calculate_clinic_travel_times", "sync_quo"}
    await work(api)
    maps.asked.clear()
    maps.asked_to.clear()
    maps.located.clear()
    quo.calls = 0
    return UUID(saved["client_id"])


@pytest.fixture
def change(api: Api, agent: Actor, client: UUID) -> Change:
    async def send(by: Actor = agent, **fields: Any) -> dict[str, Any]:
        answer = await api.post("/webhook/update-client", {"id": str(client)} | fields, by=by)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    return send


async def work(api: Api) -> dict[str, str]:
    """Works until nothing is due; how each task ended, by type."""
    ended: dict[str, str] = {}
    while due := api.database.all(
        "select id, task_type from background_tasks where status = 'pending' and run_after <= task_now() order by task_type"
    ):
        for task in due:
            ended[task["task_type"]] = await api.app.state.worker.work_on(task["id"])
    return ended


def later(database: Database) -> None:
    database.all("update testing.clock set now = now + interval '1 minute'")


def times(database: Database) -> dict[tuple[str, str], int | None]:
    rows = database.all(
        "select d.name, x.place, x.duration_minutes from client_clinic_times x join destinations d on d.id = x.destination_id"
    )
    return {(row["name"], row["place"]): row["duration_minutes"] for row in rows}


# ── What follows, and what does not ─────────────────────────────────────────────────────────────────────────────────


async def test_a_change_of_notes_is_saved_and_nobody_outside_hears_of_it(change: Change, database: Database) -> None:
    said = await change(notes="Rings the bell twice")
    assert said["message"] == "Client updated successfully"
    assert (said["travelTimesRecalculated"], said["task_ids"], said["data"]["backgroundTasks"]) == (False, {}, {})
    assert said["data"]["fieldsUpdated"] == ["notes"]
    assert database.value("select notes from clients") == "Rings the bell twice"


@pytest.mark.parametrize(
    ("fields", "tasks"),
    [
        ({"firstName": "Joan"}, {"sync_quo"}),
        ({"phone": "902-555-0199"}, {"sync_quo"}),
        ({"email": None}, {"sync_quo"}),
        ({"city": "Truro"}, {"calculate_drive_times", "calculate_clinic_travel_times"}),
        ({"city": "Truro", "recalculateTravelTimes": False}, set()),
        (SECOND, {"calculate_clinic_travel_times"}),
        ({"appointmentLength": 60, "mapAddress": "behind the church", "emergencyContactName": "Ed"}, set()),
        ({"status": "inactive"}, set()),
    ],
)
async def test_each_task_follows_only_what_concerns_it(change: Change, fields: dict[str, Any], tasks: set[str]) -> None:
    said = await change(**fields)
    assert said["task_ids"].keys() == said["data"]["backgroundTasks"].keys() == tasks
    assert said["travelTimesRecalculated"] is bool(tasks - {"sync_quo"})
    assert said["data"]["addressChanged"] is bool({"city", *SECOND} & fields.keys())


async def test_what_is_sent_as_it_is_stored_changes_nothing_and_says_so(
    api: Api, agent: Actor, client: UUID, database: Database
) -> None:
    """As the portal's earlier page does: everything echoed back, by the K number."""
    version = database.value("select version from clients where id = %s", client)
    audits = database.value("select count(*) from audit_logs")
    for spelling in ("update-client", "update-client-destinations", "updateClient"):
        answer = await api.post(f"/webhook/{spelling}", jane() | {"recalculateTravelTimes": True}, by=agent, key=spelling)
        assert answer.json()["message"] == "Nothing to save: Jane Roe is as before."
        again = await api.post(f"/webhook/{spelling}", jane() | {"recalculateTravelTimes": True}, by=agent, key=spelling)
        assert again.json() == answer.json()
    assert database.value("select count(*) from audit_logs") == audits
    assert database.value("select version from clients") == version
    assert database.value("select count(*) from background_tasks where status = 'pending'") == 0


async def test_both_spellings_of_the_wire_are_the_same_change(api: Api, agent: Actor, client: UUID) -> None:
    camel = {"kNumber": "k1234567", "clientData": {"civicAddress": "3 New St", "appointmentLength": 45}}
    lower = {"knumber": "K1234567", "clientData": {"civicaddress": "3 New St", "appointment_length": "45"}}
    first = (await api.post("/webhook/update-client", camel, by=agent)).json()
    assert first["data"]["fieldsUpdated"] == ["civicaddress", "appointment_length"]
    assert (await api.post("/webhook/update-client", lower, by=agent)).json()["data"]["fieldsUpdated"] == []


# ── Clinic travel times ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_client_gets_a_rounded_time_to_every_active_clinic(client: UUID, database: Database) -> None:
    # raw 10 and 11 minutes in each batch of two: plus five, up to the next five
    assert times(database) == {("Amherst", "primary"): 15, ("Bridgewater", "primary"): 20, ("Canso", "primary"): 15}
    kept = database.one("select distinct source, calculated_at = task_now() as fresh from client_clinic_times")
    assert kept == {"source": "Google Maps", "fresh": True}


async def test_only_the_clinics_asked_for_are_measured_and_the_others_keep_theirs(
    change: Change, api: Api, clinics: dict[str, UUID], maps: FakeMaps, database: Database
) -> None:
    said = await change(selectedClinicIds=[str(clinics["Closed"]), str(clinics["Amherst"])])
    assert said["task_ids"].keys() == {"calculate_clinic_travel_times"}
    await work(api)
    assert maps.asked_to == [[clinics["Closed"]]]
    assert times(database).keys() == {(name, "primary") for name in clinics}
    assert (await change(selectedClinicIds=[str(clinics["Closed"])]))["message"].startswith("Nothing to save")


async def test_a_new_primary_clinic_without_a_time_is_measured(
    change: Change, api: Api, clinics: dict[str, UUID], maps: FakeMaps
) -> None:
    assert (await change(primaryClinicId=str(clinics["Amherst"])))["task_ids"] == {}
    await change(primaryClinicId=str(clinics["Closed"]))
    await work(api)
    assert maps.asked_to == [[clinics["Closed"]]]


async def test_a_new_address_forgets_the_old_times_and_measures_those_clinics_again(
    change: Change, api: Api, clinics: dict[str, UUID], database: Database, maps: FakeMaps
) -> None:
    await change(city="Truro", selectedClinicIds=[str(clinics["Closed"])])
    assert times(database) == {}
    await work(api)
    assert times(database).keys() == {(name, "primary") for name in clinics}
    assert maps.located == ["1 High St, Truro, NS B3H 1A1"]  # the second task finds it placed


async def test_a_second_address_is_measured_beside_the_first_and_goes_with_its_times(
    change: Change, api: Api, database: Database, maps: FakeMaps
) -> None:
    await change(**SECOND)
    await work(api)
    assert len(times(database)) == 6
    assert database.value("select secondary_precision from clients") == "exact"
    said = await change(**dict.fromkeys(SECOND))
    assert said["task_ids"] == {}
    assert {place for _, place in times(database)} == {"primary"}


async def test_what_is_asked_for_while_a_task_waits_joins_it_and_nothing_is_lost(
    change: Change, api: Api, clinics: dict[str, UUID], maps: FakeMaps, database: Database
) -> None:
    database.all("delete from client_clinic_times")
    await change(selectedClinicIds=[str(clinics["Amherst"])])
    await change(selectedClinicIds=[str(clinics["Canso"])])
    assert database.value("select count(*) from background_tasks where status = 'pending'") == 1
    await work(api)
    assert times(database).keys() == {("Amherst", "primary"), ("Canso", "primary")}
    assert len(maps.asked_to) == 1
    assert database.value("select count(*) from clinic_times_wanted") == 0


async def test_a_clinic_asked_for_again_while_it_is_measured_is_measured_once_more(
    change: Change, api: Api, client: UUID, clinics: dict[str, UUID], maps: FakeMaps, database: Database
) -> None:
    await change(city="Truro")
    (task,) = database.all(
        "select id from background_tasks where task_type = 'calculate_clinic_travel_times' and status = 'pending'"
    )
    measure = maps.minutes_to

    async def moves_meanwhile(*asked: Any) -> Any:
        maps.minutes_to = measure  # type: ignore[method-assign]  # the fake's own, put back
        await change(city="Digby")
        return await measure(*asked)

    maps.minutes_to = moves_meanwhile  # type: ignore[method-assign]  # only this fake, and only once
    await api.app.state.worker.work_on(task["id"])
    assert database.value("select count(*) from clinic_times_wanted") == 3
    assert (await work(api))["calculate_clinic_travel_times"] == "completed"
    assert database.value("select count(*) from clinic_times_wanted") == 0
    assert maps.located[-1] == "1 High St, Digby, NS B3H 1A1"


async def test_a_clinic_without_a_road_or_an_address_says_why_and_the_rest_have_theirs(
    change: Change, api: Api, clinics: dict[str, UUID], maps: FakeMaps, database: Database
) -> None:
    maps.no_road, maps.unknown = {clinics["Amherst"]}, {"Lost"}
    database.all("insert into destinations (name, address, city) values ('Lost', '9 Lost Rd', 'Lost')")
    await change(city="Truro")
    await work(api)
    errors = {
        row["name"]: row["error"]
        for row in database.all(
            "select d.name, x.error from client_clinic_times x join destinations d on d.id = x.destination_id"
        )
    }
    assert "no road" in errors["Amherst"]
    assert errors["Lost"] == (
        "The clinic's own address: Google Maps does not know this address. Street, city or postal code may be misspelt."
    )
    assert errors["Bridgewater"] is None
    results = database.all("select result from background_tasks where task_type = 'calculate_clinic_travel_times'")
    assert {"travel_times_calculated": 2, "without_answer": 2} in [row["result"] for row in results]


async def test_an_unknown_second_address_is_told_as_that_and_the_first_keeps_its_times(
    change: Change, api: Api, maps: FakeMaps, database: Database
) -> None:
    maps.unknown = {"Nowhere"}
    await change(**(SECOND | {"secondary_city": "Nowhere"}))
    assert (await work(api))["calculate_clinic_travel_times"] == "failed"
    failed = database.one("select error_message, error_hint from background_tasks where status = 'failed'")
    assert failed["error_message"].startswith("Google Maps does not know this address: it is the client's second one.")
    assert {place for _, place in times(database)} == {"primary"}
    later(database)
    await change(secondary_city="Truro")
    await work(api)
    assert len(times(database)) == 6
    assert database.value("select count(*) from background_tasks where status = 'failed' and superseded_by is null") == 0


async def test_a_worker_that_died_after_measuring_does_not_have_it_measured_and_paid_again(
    change: Change, api: Api, maps: FakeMaps, database: Database
) -> None:
    await change(city="Truro")
    task = database.value(
        "select id from background_tasks where task_type = 'calculate_clinic_travel_times' and status = 'pending'"
    )
    maps.fails(at=2, error=OutcomeUnknown("Google Maps", "the second call is lost", "", ""))
    assert await api.app.state.worker.work_on(task) == "failed"
    database.one("select * from retry_background_task(%s)", task)
    assert await api.app.state.worker.work_on(task) == "completed"
    assert [len(batch) for batch in maps.asked_to] == [2, 1, 1]


# ── Quo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_changes_before_quo_is_asked_are_one_update_with_the_newest(
    change: Change, api: Api, quo: FakeQuo, client: UUID
) -> None:
    await change(firstName="Joan")
    await change(phone="902-555-0199")
    await work(api)
    assert quo.calls == 1
    contact = quo.contacts[f"client:{client}"]
    assert (contact.first_name, contact.phone) == ("Joan", "+19025550199")


async def test_an_update_whose_answer_was_lost_makes_no_second_contact(
    change: Change, office: TestOffice[Office], quo: FakeQuo
) -> None:
    quo.loses_answers = 1
    await change(lastName="Poe")
    await office.work()
    await office.work(after_s=5)
    assert len(quo.contacts) == 1
    assert office.tasks("failed") == []


# ── Refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_fault_is_told_at_once_and_nothing_is_saved(api: Api, agent: Actor, client: UUID, database: Database) -> None:
    wrong = {
        "kNumber": "K1234567", "clientData": {"firstName": "", "phone": "12", "postalCode": None, "secondary_city": "Truro",
        "secondary_province": ""}, "selectedClinicIds": [1], "version": "x",
    }  # fmt: skip
    said = refused(await api.post("/webhook/update-client", wrong, by=agent), 400, "validation")
    assert said["fields"] == {
        "firstName": "First name is required",
        "phone": "Phone must be in format 902-555-0123",
        "postalCode": "Postal code is required",
        "secondary_province": "Secondary province is required",
        "selectedClinicIds": "Clinics must be chosen from the list",
        "version": "Version must be a whole number from 1 to 999999999",
    }
    half = refused(await api.post("/webhook/update-client", {"id": str(client), "secondary_city": "Truro"}, by=agent), 400)
    assert half["fields"].keys() == {"secondary_civic_address", "secondary_province", "secondary_postal_code"}
    unknown = {
        "id": str(client),
        "primaryClinicId": str(uuid4()),
        "preferred_driver": str(uuid4()),
        "selectedClinicIds": [str(uuid4())],
    }
    said = refused(await api.post("/webhook/update-client", unknown, by=agent), 400)
    assert said["fields"].keys() == {"primaryClinicId", "preferred_driver", "selectedClinicIds"}
    assert database.value("select count(*) from audit_logs where action = 'update_client'") == 0


async def test_nobody_is_changed_without_being_named_and_nobody_who_is_not_there(api: Api, agent: Actor) -> None:
    said = refused(await api.post("/webhook/update-client", {"notes": "x"}, by=agent), 400)
    assert said["fields"] == {"kNumber": "K Number is required"}
    refused(await api.post("/webhook/update-client", {"kNumber": "K0000009", "notes": "x"}, by=agent), 404, "client.unknown")
    refused(await api.post("/webhook/update-client", {"id": str(uuid4()), "notes": "x"}, by=agent), 404, "client.unknown")


async def test_a_k_number_stays_as_it_was_saved(api: Api, agent: Actor, client: UUID, database: Database) -> None:
    for named in ({"id": str(client)}, {"originalKNumber": "K1234567"}):
        said = refused(
            await api.post("/webhook/update-client", named | {"kNumber": "K7654321"}, by=agent), 409, "client.knumber_fixed"
        )
        assert said["fields"] == {"kNumber": "A K number stays as it was saved."}
    assert database.value("select knumber from clients") == "K1234567"


async def test_a_form_that_others_have_saved_over_is_refused_with_who_when_and_what(
    api: Api, agent: Actor, supervisor: Actor, client: UUID, change: Change, database: Database
) -> None:
    version = (await api.get("/webhook/get-client", by=agent, id=client)).json()["client"]["version"]
    later(database)
    newer = (await change(by=supervisor, phone="902-555-0199", notes="Uses a walker", version=version))["data"]["client"][
        "version"
    ]
    mine = {"id": str(client), "city": "Truro", "version": version}
    said = refused(await api.post("/webhook/update-client", mine, by=agent), 409, "stale")
    assert said["what"] == "Jane Roe (K1234567) has been changed since you opened this form"
    assert said["why"] == "Sam Supervisor saved it on 23 November at 10:01 (phone, notes)"  # 14:01 UTC, in Halifax
    assert database.value("select city from clients") == "Halifax"
    later(database)
    assert (await change(city="Truro", version=newer))["data"]["addressChanged"] is True
    said = refused(await api.post("/webhook/update-client", mine, by=agent), 409, "stale")
    assert said["why"].startswith("You saved it yourself on 23 November")


async def test_of_two_who_save_the_same_version_at_once_one_is_told(
    api: Api, agent: Actor, supervisor: Actor, client: UUID, database: Database
) -> None:
    version = database.value("select version from clients")
    forms = ((agent, {"notes": "one"}), (supervisor, {"notes": "two"}))
    answers = await asyncio.gather(
        *(api.post("/webhook/update-client", {"id": str(client), "version": version} | form, by=who) for who, form in forms)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_what_tasks_fill_in_behind_the_scenes_does_not_make_a_form_stale(
    api: Api, change: Change, database: Database
) -> None:
    version = (await change(city="Truro"))["data"]["client"]["version"]
    await work(api)
    assert database.value("select home_latitude from clients") is not None
    await change(notes="still mine", version=version)


async def test_the_audit_log_names_the_fields_and_never_what_is_in_them(change: Change, database: Database, agent: Actor) -> None:
    await change(notes="Dialysis, Tuesdays", phone="902-555-0199")
    entry = database.one("select * from audit_logs where action = 'update_client'")
    assert entry["details"] == {"client_name": "Jane Roe", "knumber": "K1234567", "fields_updated": ["phone", "notes"]}
    assert (entry["user_id"], entry["entity_type"]) == (agent.id, "client")
    assert database.value("select audit_log_id from background_tasks where status = 'pending'") == entry["id"]


async def test_supervisors_archive_and_take_back_and_agents_only_rest_a_client(
    api: Api, change: Change, agent: Actor, supervisor: Actor, client: UUID, database: Database
) -> None:
    await change(status="inactive")
    assert database.value("select active from clients") is False
    await change(active=True)
    assert database.value("select status from clients") == "active"
    refused(await api.post("/webhook/update-client", {"id": str(client), "status": "archived"}, by=agent), 403)
    await change(by=supervisor, status="archived")
    refused(await api.post("/webhook/update-client", {"id": str(client), "status": "active"}, by=agent), 403)
    await change(by=supervisor, status="active")
    assert database.one("select status, active from clients") == {"status": "active", "active": True}
