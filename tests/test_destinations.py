"""add-destination, update-destination and the lists of clinics: what the destinations page and the booking pages rely on."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from backhaul.core.errors import RateLimited
from backhaul.core.store import Actor
from backhaul.core.testing import Database, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, clinic, refused
from tests.fakes import FakeMaps


@pytest.fixture
def clients(database: Database) -> dict[str, UUID]:
    """Ann, Bea and Cal, placed on the map; Bea with a second address, Dot not placed yet, Eve archived."""

    def put(n: int, name: str, latitude: float | None, *, second: bool = False, status: str = "active") -> UUID:
        precision = None if latitude is None else "exact"
        where = ("2 Low St", "Truro", "NS", "B2N 1K4", 45.3, -63.3, "exact") if second else (None,) * 7
        made: UUID = database.value(
            "insert into clients (knumber, firstname, lastname, phone, civicaddress, city, prov, postalcode, home_latitude,"
            " home_longitude, home_precision, secondary_civic_address, secondary_city, secondary_province, secondary_postal_code,"
            " secondary_latitude, secondary_longitude, secondary_precision, status)"
            " values (%s, %s, 'Roe', '+19025550123', '1 High St', 'Halifax', 'NS', 'B3H 1A1', %s, %s, %s, %s, %s, %s, %s, %s, %s,"
            " %s, %s) returning id",
            f"K000000{n}", name, latitude, None if latitude is None else -63.5, precision, *where, status,
        )  # fmt: skip
        return made

    return {
        "Ann": put(1, "Ann", 44.6), "Bea": put(2, "Bea", 44.7, second=True), "Cal": put(3, "Cal", 44.8),
        "Dot": put(4, "Dot", None), "Eve": put(5, "Eve", 44.9, status="archived"),
    }  # fmt: skip


def times(database: Database) -> dict[tuple[str, str], int | None]:
    rows = database.all(
        "select c.firstname, x.place, x.duration_minutes from client_clinic_times x join clients c on c.id = x.client_id"
    )
    return {(row["firstname"], row["place"]): row["duration_minutes"] for row in rows}


async def add(api: Api, by: Actor, **changed: Any) -> dict[str, Any]:
    answer = await api.post("/webhook/add-destination", clinic(**changed), by=by)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def change(api: Api, by: Actor, **fields: Any) -> dict[str, Any]:
    answer = await api.put("/webhook/update-destination", fields, by=by)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_a_saved_destination_is_answered_whole_and_measured_afterwards(
    api: Api, supervisor: Actor, maps: FakeMaps, database: Database
) -> None:
    said = await add(api, supervisor)
    made = said["data"]["destination"]
    assert (made["name"], made["province"], made["postal_code"], made["active"]) == ("Valley Clinic", "NS", "B4N 3V7", True)
    assert made["contacts"] == [{"name": "Front desk", "phone": "902-555-0155", "email": None, "type": "main"}]
    assert said["data"]["backgroundTasks"].keys() == {"calculate_travel_times"}
    assert (maps.located, maps.asked) == ([], [])
    entry = database.one("select action, entity_type, details from audit_logs")
    assert entry == {"action": "create_destination", "entity_type": "destination", "details": {"name": "Valley Clinic"}}


async def test_all_clients_are_measured_to_a_new_destination_by_one_task_in_batches(
    api: Api, office: TestOffice[Office], supervisor: Actor, clients: dict[str, UUID], maps: FakeMaps
) -> None:
    await add(api, supervisor)
    await office.work()
    assert [len(batch) for batch in maps.asked] == [2, 1, 1]  # three first addresses, one second
    assert maps.located == ["15 Chipman Dr, Kentville, NS B4N 3V7"]
    assert times(office.database).keys() == {("Ann", "primary"), ("Bea", "primary"), ("Bea", "secondary"), ("Cal", "primary")}
    assert office.task("calculate_travel_times")["result"] == {"travel_times_calculated": 4, "without_answer": 0}
    assert office.database.value("select precision from destinations") == "exact"
    wanted = office.database.all("select client_id from clinic_times_wanted")
    assert wanted == [{"client_id": clients["Dot"]}]  # her own task, which finds her address, measures it


@pytest.mark.usefixtures("clients")
async def test_a_pause_in_the_middle_pays_for_no_batch_twice(
    api: Api, office: TestOffice[Office], supervisor: Actor, maps: FakeMaps
) -> None:
    maps.fails(at=2, error=RateLimited("Google Maps", retry_after=60))
    await add(api, supervisor)
    await office.work()
    await office.work(after_s=60)
    assert [len(batch) for batch in maps.asked] == [2, 1, 1, 1]
    assert office.tasks("completed") == ["calculate_travel_times"]


async def test_a_client_without_a_road_there_says_why_and_the_rest_have_theirs(
    api: Api, office: TestOffice[Office], supervisor: Actor, clients: dict[str, UUID], maps: FakeMaps
) -> None:
    maps.no_road = {clients["Cal"]}
    await add(api, supervisor)
    await office.work()
    assert times(office.database)["Cal", "primary"] is None
    assert office.task("calculate_travel_times")["result"] == {"travel_times_calculated": 3, "without_answer": 1}
    assert "no road" in office.database.value("select error from client_clinic_times where error is not null")


async def test_an_address_nobody_knows_fails_and_is_mended_by_correcting_it(
    api: Api, office: TestOffice[Office], supervisor: Actor, clients: dict[str, UUID], maps: FakeMaps
) -> None:
    maps.unknown = {"Nowhere"}
    said = await add(api, supervisor, city="Nowhere")
    await office.work()
    failed = office.task("calculate_travel_times")
    assert (failed["status"], failed["entity_type"], failed["entity_label"]) == ("failed", "destination", "Valley Clinic")
    assert failed["error_message"].startswith("Google Maps does not know this address.")
    office.clock.advance(minutes=1)
    await change(api, supervisor, id=said["destination_id"], city="Kentville")
    await office.work()
    assert len(times(office.database)) == 4
    assert office.database.value("select count(*) from background_tasks where status = 'failed' and superseded_by is null") == 0


async def test_a_rename_loses_nothing_and_asks_nobody(
    api: Api, office: TestOffice[Office], supervisor: Actor, clients: dict[str, UUID], maps: FakeMaps
) -> None:
    made = await add(api, supervisor)
    await office.work()
    calls = maps.calls
    said = await change(api, supervisor, id=made["destination_id"], name="Valley Regional")
    assert (said["data"]["nameChanged"], said["data"]["addressChanged"], said["task_ids"]) == (True, False, {})
    assert (await office.work(), maps.calls, len(times(office.database))) == ([], calls, 4)
    shown = await api.get("/webhook/get-client", by=supervisor, id=clients["Ann"])
    assert shown.json()["client"]["clinic_travel_times"].keys() == {"Valley Regional"}


async def test_a_new_address_is_placed_anew_and_everybody_is_measured_again(
    api: Api, office: TestOffice[Office], supervisor: Actor, clients: dict[str, UUID], maps: FakeMaps
) -> None:
    made = await add(api, supervisor)
    await office.work()
    said = await change(api, supervisor, id=made["destination_id"], address="16 Chipman Dr")
    assert said["data"]["addressChanged"] is True
    assert said["message"] == "Destination updated. Travel times processing in background."
    assert times(office.database) == {}
    assert office.database.value("select latitude from destinations") is None
    await office.work()
    assert maps.located[-1] == "16 Chipman Dr, Kentville, NS B4N 3V7"
    assert len(times(office.database)) == 4


async def test_a_closed_destination_is_measured_when_it_is_taken_back(
    api: Api, office: TestOffice[Office], supervisor: Actor, clients: dict[str, UUID], maps: FakeMaps
) -> None:
    made = await add(api, supervisor)
    closed = await change(api, supervisor, id=made["destination_id"], active=False)
    assert (closed["task_ids"], closed["data"]["fieldsUpdated"]) == ({}, ["active"])
    await office.work()
    assert maps.asked == []  # the task that waited finds it closed
    moved = await change(api, supervisor, id=made["destination_id"], city="Truro")
    assert moved["task_ids"] == {}
    back = await change(api, supervisor, id=made["destination_id"], active=True)
    assert back["task_ids"].keys() == {"calculate_travel_times"}
    await office.work()
    assert len(times(office.database)) == 4


async def test_what_is_as_before_is_said_to_be_and_leaves_no_trace(api: Api, supervisor: Actor, database: Database) -> None:
    made = await add(api, supervisor)
    said = await change(api, supervisor, id=made["destination_id"], **clinic())
    assert said["message"] == "Nothing to save: Valley Clinic is as before."
    assert database.value("select count(*) from audit_logs") == 1
    await change(api, supervisor, id=made["destination_id"], phone="902-555-0100", contacts=None)
    details = database.value("select details from audit_logs where action = 'update_destination'")
    assert details == {"name": "Valley Clinic", "fields_updated": ["phone", "contacts"]}


async def test_every_fault_is_told_at_once(api: Api, supervisor: Actor) -> None:
    wrong = {
        "name": " ",
        "province": "ON",
        "postal_code": "1",
        "email": "x",
        "contacts": [{"name": ""}, {"name": "A", "type": "boss"}],
    }
    said = refused(await api.post("/webhook/add-destination", wrong, by=supervisor), 400, "validation")
    assert said["fields"].keys() == {"name", "address", "city", "province", "postal_code", "email", "contacts"}
    said = refused(await api.put("/webhook/update-destination", {"name": "x"}, by=supervisor), 400)
    assert said["fields"] == {"id": "Destination is required"}
    refused(await api.put("/webhook/update-destination", {"id": str(uuid4())}, by=supervisor), 404, "destination.unknown")


async def test_a_name_that_is_taken_is_told_whichever_way_it_comes_about(api: Api, supervisor: Actor) -> None:
    await add(api, supervisor)
    other = await add(api, supervisor, name="Other")
    for answer in (
        await api.post("/webhook/add-destination", clinic(name="VALLEY clinic"), by=supervisor),
        await api.put("/webhook/update-destination", {"id": other["destination_id"], "name": "valley clinic"}, by=supervisor),
    ):
        assert "name" in refused(answer, 409, "destination.name_taken")["fields"]


async def test_of_two_who_save_over_each_other_the_second_is_told_by_whom_and_when(
    api: Api, supervisor: Actor, admin: Actor, office: TestOffice[Office]
) -> None:
    made = (await add(api, supervisor))["data"]["destination"]
    office.clock.advance(minutes=5)
    await change(api, admin, id=made["id"], phone="902-555-0100", version=made["version"])
    mine = {"id": made["id"], "notes": "mine", "version": made["version"]}
    said = refused(await api.put("/webhook/update-destination", mine, by=supervisor), 409, "stale")
    assert said["why"] == "Ada Admin saved it on 23 November at 10:05 (phone)"
    assert office.database.value("select notes from destinations") is None


async def test_the_same_click_makes_one_destination(api: Api, supervisor: Actor) -> None:
    answers = await asyncio.gather(
        *(api.post("/webhook/add-destination", clinic(), by=supervisor, key="click") for _ in range(3))
    )
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json()["destination_id"] for answer in answers}) == 1


async def test_old_names_and_verbs_reach_the_same_workflow(api: Api, supervisor: Actor, agent: Actor) -> None:
    made = (await api.post("/webhook/add-destination-v5", clinic(), by=supervisor)).json()
    for send in (api.post, api.put):
        for name in ("update-destination", "update-destination-v5"):
            answer = await send(f"/webhook/{name}", {"id": made["destination_id"], "notes": name}, by=supervisor)
            assert answer.status_code == 200, answer.text
            refused(await send(f"/webhook/{name}", {"id": made["destination_id"], "notes": "x"}, by=agent), 403)


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_supervisors_list_all_page_by_page_and_find_by_name_and_town(
    api: Api, supervisor: Actor, database: Database
) -> None:
    for name, city, active in (("Alpha", "Truro", True), ("beta", "Digby", False), ("Gamma", "Truro", True)):
        await add(api, supervisor, name=name, city=city, active=active)

    async def ask(**query: Any) -> dict[str, Any]:
        said: dict[str, Any] = (await api.get("/webhook/get-all-destinations", by=supervisor, **query)).json()
        return said

    assert [one["name"] for one in (await ask())["data"]] == ["Alpha", "beta", "Gamma"]
    assert [one["name"] for one in (await ask(q="truro"))["data"]] == ["Alpha", "Gamma"]
    assert [one["name"] for one in (await ask(active=False))["data"]] == ["beta"]
    first = await ask(limit=2)
    rest = await ask(limit=2, after=first["next"])
    assert ([one["name"] for one in rest["data"]], rest["next"], rest["count"]) == (["Gamma"], None, 3)
    one = await ask(active=True, limit=1)
    database.all("update destinations set active = false where name = 'Alpha'")
    left = await ask(active=True, limit=1, after=one["next"])
    assert ([one["name"] for one in left["data"]], left["next"], left["count"]) == (["Gamma"], None, 1)
    refused(await api.get("/webhook/get-all-destinations", by=supervisor, after=str(uuid4())), 404, "cursor")


async def test_everybody_may_choose_among_the_clinics_in_use_and_notes_stay_with_the_staff(
    api: Api, supervisor: Actor, agent: Actor, database: Database
) -> None:
    await add(api, supervisor, notes="side door")
    await add(api, supervisor, name="Closed", active=False)
    for name in ("clinic-locations", "get-clinic-locations"):
        (shown,) = (await api.get(f"/webhook/{name}", by=agent)).json()["destinations"]
        assert (shown["name"], shown["postalCode"], shown["notes"]) == ("Valley Clinic", "B4N 3V7", "side door")
        (shown,) = (await api.get(f"/webhook/{name}", by=database.person("driver"))).json()["destinations"]
        assert "notes" not in shown
        assert "contacts" not in shown


async def test_earlier_pages_get_their_clients_whole_under_either_spelling(
    api: Api, agent: Actor, clients: dict[str, UUID], supervisor: Actor, office: TestOffice[Office]
) -> None:
    await add(api, supervisor)
    await office.work()
    for name in ("getActiveClients", "get-active-clients"):
        said = (await api.get(f"/webhook/{name}", by=agent)).json()
        assert [one["firstname"] for one in said["clients"]] == ["Ann", "Bea", "Cal", "Dot"]
    for name in ("getAllClients", "get-all-clients"):
        said = (await api.get(f"/webhook/{name}", by=agent)).json()
        assert (said["count"], said["activeCount"], said["inactiveCount"], said["syncedCount"]) == (5, 4, 1, 0)
        refused(await api.get(f"/webhook/{name}", by=api.database.person("driver")), 403)
    bea = said["clients"][1]["clinic_travel_times"]["Valley Clinic"]
    assert bea["primary"]["duration_minutes"] in (15, 20)  # raw 10 or 11, by her place in the batch
    assert bea["secondary"]["duration_minutes"] == 15
