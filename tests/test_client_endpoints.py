"""add-client, get-clients and get-client over HTTP: what the clients page relies on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from backhaul.core.store import Actor
from tests.api_fixtures import Api, everyone, jane, refused
from tests.fakes import FakeMaps

NAMED = (
    ("Roe", "Jane"),
    ("roe", "Adam"),
    ("Áed", "Zoë"),
    ("Zed", "Al"),
    ("Öz", "İpek"),
    ("O'Neil", "Pat"),
    ("Roe", "Jane"),
    ("Ablé", "X"),
)


async def add(api: Api, by: Actor, n: int, last: str, first: str, **more: Any) -> str:
    answer = await api.post("/webhook/add-client", jane(kNumber=f"K{n:07}", firstName=first, lastName=last, **more), by=by)
    assert answer.status_code == 200, answer.text
    client_id: str = answer.json()["client_id"]
    return client_id


# ── add-client ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_saved_client_is_answered_in_the_words_of_the_contract(api: Api, agent: Actor) -> None:
    said = (await api.post("/webhook/add-client", jane(), by=agent)).json()
    assert said["success"] is True
    assert said["message"] == "Client saved. Drive times and Quo sync processing in background."
    assert said["task_ids"].keys() == {"calculate_drive_times", "sync_quo"}
    saved = api.database.one("select * from clients where id = %s", said["client_id"])
    assert (saved["knumber"], saved["email"], saved["postalcode"]) == ("K1234567", "jane@example.test", "B3H 1A1")
    assert (saved["phone"], saved["appointment_length"], saved["notes"]) == ("+19025550123", 90, None)
    assert str(api.database.value("select ip_address from audit_logs")) == "203.0.113.7"


async def test_only_staff_may_add_and_read_clients(api: Api) -> None:
    for n, (role, who) in enumerate(everyone(api.database).items()):
        answers = [
            await api.post("/webhook/add-client", jane(kNumber=f"K{n:07}"), by=who),
            await api.get("/webhook/get-clients", by=who),
            await api.get("/webhook/get-client", by=who, knumber="K0000000"),
        ]
        if role in ("driver", "client"):
            for answer in answers:
                refused(answer, 403)
        else:
            assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert api.database.value("select count(*) from clients") == 3


async def test_the_role_is_the_databases_not_the_tokens(api: Api, agent: Actor) -> None:
    token = api.token(Actor(agent.id, "admin", "", agent.session_id))
    refused(await api.get("/webhook/get-all-failed-tasks", by=token), 403)
    driver = api.database.person("driver")
    refused(await api.post("/webhook/add-client", jane(), by=api.token(Actor(driver.id, "admin", "", driver.session_id))), 403)


async def test_every_shape_the_pages_and_documents_use_saves_the_same_client(api: Api, agent: Actor) -> None:
    flat = {
        "knumber": "k0000001", "firstname": "Jane", "lastname": "Roe", "phone": "(902) 555 0123",
        "email": "JANE@example.test", "civicaddress": "1 High St", "city": "Halifax", "prov": "ns", "postalcode": "B3H-1A1",
        "appointment_length": "90",
    }  # fmt: skip
    snake = {"client_data": {
        "knumber": "K0000002", "first_name": " Jane ", "last_name": "Roe", "phone": "+1 902.555.0123",
        "email": "jane@example.test", "civic_address": "1  High St", "city": "Halifax", "province": "NS",
        "postal_code": "b3h 1a1", "appointment_length": 90, "emergency_contact_name": None, "active": None,
    }}  # fmt: skip
    for shape in (jane(kNumber="K0000000"), flat, snake, jane(kNumber="K0000003") | {"knumber": ""}):
        assert (await api.post("/webhook/add-client", shape, by=agent)).status_code == 200, shape
    rows = api.database.all(
        "select distinct firstname, lastname, phone, email, civicaddress, city, prov, postalcode, appointment_length, active"
        " from clients"
    )
    assert len(rows) == 1
    assert api.database.value("select count(*) from clients") == 4


async def test_a_number_inside_the_data_counts_when_the_one_outside_is_empty_and_the_other_way_round(
    api: Api, agent: Actor
) -> None:
    inside = jane(kNumber="") | {"clientData": jane()["clientData"] | {"kNumber": "K0000001"}}
    outside = jane(kNumber="K0000002") | {"clientData": jane()["clientData"] | {"kNumber": ""}}
    for shape in (inside, outside):
        assert (await api.post("/webhook/add-client", shape, by=agent)).status_code == 200


REQUIRED = {
    "kNumber": "K Number is required", "firstName": "First name is required", "lastName": "Last name is required",
    "phone": "Phone is required", "email": "E-mail is required", "civicAddress": "Civic address is required",
    "city": "City is required", "province": "Province is required", "postalCode": "Postal code is required",
}  # fmt: skip


async def test_every_fault_is_told_at_once_at_the_pages_own_field_names(api: Api, agent: Actor) -> None:
    for body in ({}, {"kNumber": "", "clientData": {}}, {"clientData": None}, {"knumber": " ", "first_name": "\t"}):
        said = refused(await api.post("/webhook/add-client", body, by=agent), 400, "validation")
        assert said["fields"] == REQUIRED
        assert said["errors"] == list(REQUIRED.values())
        assert said["message"] == "Validation failed: " + "; ".join(REQUIRED.values())


async def test_faults_are_told_at_the_pages_names_whatever_spelling_was_sent(api: Api, agent: Actor) -> None:
    wrong = {
        "knumber": "K12", "firstname": "\x07", "postal_code": "123", "prov": "ON", "phone": "555-0123", "email": "jane@",
        "civicaddress": 7, "city": True, "appointment_length": 5, "emergency_contact_number": "902", "secondary_city": "Truro",
    }  # fmt: skip
    said = refused(await api.post("/webhook/add-client", wrong, by=agent), 400)
    assert said["fields"] == {
        "kNumber": "K Number must be in format K1234567",
        "firstName": "First name holds characters that cannot be kept",
        "lastName": "Last name is required",
        "phone": "Phone must be in format 902-555-0123",
        "email": "E-mail must be a valid address, like jane@example.com",
        "city": "City must be text",
        "province": "Province must be one of NS, NB, PE, NL",
        "postalCode": "Postal code must be in format A1A 1A1",
        "appointmentLength": "Appointment length must be between 15 and 480 minutes",
        "emergencyContactNumber": "Emergency contact number must be in format 902-555-0123",
        "secondary_civic_address": "Secondary civic address is required",
        "secondary_province": "Secondary province is required",
        "secondary_postal_code": "Secondary postal code is required",
    }


async def test_faults_never_repeat_what_was_typed(api: Api, agent: Actor) -> None:
    secrets = {field: f"Xyzzy{n}" for n, field in enumerate(REQUIRED)} | {
        "primaryClinicId": "Xyzzy",
        "active": "Xyzzy",
        "appointmentLength": "Xyzzy",
    }
    assert "xyzzy" not in (await api.post("/webhook/add-client", {"clientData": secrets}, by=agent)).text.lower()


async def test_a_clinic_nobody_knows_is_a_fault_and_one_of_ours_is_kept(api: Api, agent: Actor) -> None:
    said = refused(await api.post("/webhook/add-client", jane(primaryClinicId=str(uuid4())), by=agent), 400)
    assert said["fields"] == {"primaryClinicId": "Primary clinic must be chosen from the list"}
    clinic = api.database.value("insert into destinations (name, address) values ('Truro Clinic', '1 Main St') returning id")
    assert (await api.post("/webhook/add-client", jane(primaryClinicId=str(clinic)), by=agent)).status_code == 200


async def test_a_whole_second_address_is_kept(api: Api, agent: Actor) -> None:
    second = {
        "secondary_civic_address": "2 Low St",
        "secondary_city": "Truro",
        "secondary_province": "NS",
        "secondary_postal_code": "B2N1K4",
    }
    client = await add(api, agent, 1, "Roe", "Jane", **second, secondary_address_notes="in summer")
    saved = (await api.get("/webhook/get-client", by=agent, id=client)).json()["client"]
    assert (saved["secondary_postal_code"], saved["secondary_address_notes"]) == ("B2N 1K4", "in summer")


async def test_a_taken_k_number_is_a_409_that_names_it_and_whose_it_is(api: Api, agent: Actor) -> None:
    await api.post("/webhook/add-client", jane(), by=agent)
    said = refused(
        await api.post("/webhook/add-client", jane(kNumber="k1234567", firstName="Joan"), by=agent), 409, "client.knumber_taken"
    )
    assert "K1234567" in said["message"]
    assert "Jane Roe" in said["message"]
    assert "K1234567" in said["fields"]["kNumber"]
    assert api.database.value("select count(*) from background_tasks") == 2


async def test_the_same_click_gets_the_same_answer_and_saves_once(api: Api, agent: Actor) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(api.post("/webhook/add-client", jane(), by=agent, key=key) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json() == answers[0].json() for answer in answers)
    counts = api.database.one(
        "select (select count(*) from clients) as clients, (select count(*) from background_tasks) as tasks,"
        " (select count(*) from audit_logs) as audit"
    )
    assert counts == {"clients": 1, "tasks": 2, "audit": 1}


async def test_a_key_belongs_to_its_person_and_its_data(api: Api, agent: Actor, supervisor: Actor) -> None:
    assert (await api.post("/webhook/add-client", jane(), by=agent, key="click")).status_code == 200
    refused(await api.post("/webhook/add-client", jane(city="Truro"), by=agent, key="click"), 409, "key_reused")
    assert (await api.post("/webhook/add-client", jane(kNumber="K7654321"), by=supervisor, key="click")).status_code == 200


async def test_a_refused_click_may_be_corrected_and_sent_with_the_same_key(api: Api, agent: Actor) -> None:
    await api.post("/webhook/add-client", jane(), by=agent)
    refused(await api.post("/webhook/add-client", jane(city="Truro"), by=agent, key="click"), 409, "client.knumber_taken")
    assert (await api.post("/webhook/add-client", jane(kNumber="K7654321"), by=agent, key="click")).status_code == 200


async def test_two_people_with_one_k_number_at_once_make_one_client(api: Api, agent: Actor, supervisor: Actor) -> None:
    answers = await asyncio.gather(
        *(api.post("/webhook/add-client", jane(), by=who) for who in (agent, supervisor, agent, supervisor))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_markup_in_a_name_is_kept_as_it_was_typed_and_travels_as_text(api: Api, agent: Actor) -> None:
    name = "<img src=x onerror=alert(1)>"
    client = await add(api, agent, 1, name, "'; drop table clients; --")
    answer = await api.get("/webhook/get-client", by=agent, id=client)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["client"]["lastname"] == name


# ── get-clients ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_pages_of_clients_miss_nobody_and_show_nobody_twice(api: Api, agent: Actor) -> None:
    for n, (last, first) in enumerate(NAMED):
        await add(api, agent, n, last, first)
    whole = (await api.get("/webhook/get-clients", by=agent)).json()
    names = [(one["lastname"], one["firstname"]) for one in whole["clients"]]
    assert (whole["count"], whole["activeCount"], whole["next"]) == (len(NAMED), len(NAMED), None)
    for size in (1, 3, 8):
        seen: list[Any] = []
        params: dict[str, Any] = {"limit": size}
        while True:
            page = (await api.get("/webhook/get-clients", by=agent, **params)).json()
            assert len(page["clients"]) <= size
            seen += page["clients"]
            if page["next"] is None:
                break
            params["after"] = page["next"]
        assert [(one["lastname"], one["firstname"]) for one in seen] == names
        assert len({one["id"] for one in seen}) == len(NAMED)


async def test_a_cursor_says_nothing_of_anybody(api: Api, agent: Actor) -> None:
    """Addresses of pages end up in the logs of proxies."""
    for n, (last, first) in enumerate(NAMED):
        await add(api, agent, n, last, first)
    cursor = (await api.get("/webhook/get-clients", by=agent, limit=1)).json()["next"]
    assert UUID(cursor)


FOUND_BY = {
    "jane roe": 1, "ROE": 1, "k0000001": 1, "555-0199": 1, "(902) 555": 2, "truro": 1, "first@": 1, "o'b": 1, "zoë": 1,
    "nobody": 0, "  ": 2,
}  # fmt: skip


async def test_searching_finds_by_name_number_phone_town_and_mail_and_counts_what_it_found(api: Api, agent: Actor) -> None:
    await add(api, agent, 1, "Roe", "Jane", city="Truro", phone="902-555-0199", email="first@example.test")
    await add(api, agent, 2, "O'Brien", "Zoë", city="Halifax", active=False)
    for q, count in FOUND_BY.items():
        said = (await api.get("/webhook/get-clients", by=agent, q=q)).json()
        assert (len(said["clients"]), said["count"]) == (count, count), q
    assert (await api.get("/webhook/get-clients", by=agent, status="inactive")).json()["count"] == 1
    whole = (await api.get("/webhook/get-clients", by=agent)).json()
    assert (whole["count"], whole["activeCount"], whole["inactiveCount"]) == (2, 1, 1)


async def test_percent_underscore_and_backslash_are_letters_like_any_other(api: Api, agent: Actor) -> None:
    await add(api, agent, 1, "Per%cent", "A")
    await add(api, agent, 2, "Under_score", "B")
    await add(api, agent, 3, "Back\\slash", "C")
    await add(api, agent, 4, "Plain", "D")
    for q, found in (
        ("%", ["Per%cent"]),
        ("_", ["Under_score"]),
        ("\\", ["Back\\slash"]),
        ("r%c", ["Per%cent"]),
        ("%%", []),
        ("P%n", []),
    ):
        said = (await api.get("/webhook/get-clients", by=agent, q=q)).json()
        assert [one["lastname"] for one in said["clients"]] == found, q


async def test_a_client_in_the_list_has_its_newest_tasks_and_drive_times_in_a_nutshell(
    api: Api, agent: Actor, maps: FakeMaps
) -> None:
    api.database.all(
        "insert into drivers (first_name, last_name, email, home_address, home_city, home_latitude, home_longitude)"
        " values ('Ana', 'A', 'a@x.test', '1 Main St', 'Truro', 45.36, -63.28),"
        " ('Ben', 'B', 'b@x.test', '1 Main St', 'Truro', 45.36, -63.28)"
    )
    ids = (await api.post("/webhook/add-client", jane(), by=agent)).json()["task_ids"]
    before = _only((await api.get("/webhook/get-clients", by=agent)).json())
    assert {task["task_type"]: task["status"] for task in before["tasks"]} == {
        "calculate_drive_times": "pending",
        "sync_quo": "pending",
    }
    assert before["drive_times"] == {"count": 0, "nearest_minutes": None, "calculated_at": None}
    for task in ids.values():
        await api.app.state.worker.work_on(UUID(task))
    after = _only((await api.get("/webhook/get-clients", by=agent)).json())
    assert (after["drive_times"]["count"], after["drive_times"]["nearest_minutes"], after["home_found"]) == (2, 10, "exact")
    assert [task["task_label"] for task in after["tasks"]] == ["Calculate drive times", "Sync to Quo"]
    whole = (await api.get("/webhook/get-client", by=agent, knumber="k1234567")).json()
    assert [(one["driver_name"], one["duration_minutes"]) for one in whole["drive_times"]] == [("Ana A", 10), ("Ben B", 11)]
    assert {task["status"] for task in whole["tasks"]} == {"completed"}


async def test_tasks_of_a_client_are_shown_to_those_who_may_see_them(api: Api, agent: Actor, supervisor: Actor) -> None:
    client = await add(api, supervisor, 1, "Roe", "Jane")
    assert (await api.get("/webhook/get-client", by=agent, id=client)).json()["tasks"] == []
    assert len((await api.get("/webhook/get-client", by=supervisor, id=client)).json()["tasks"]) == 2


def _only(said: Mapping[str, Any]) -> Any:
    (client,) = said["clients"]
    return client
