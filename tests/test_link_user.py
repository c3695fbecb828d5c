"""Linking an account to a driver or client: whose trips it sees, and that nobody's trips are seen by two accounts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from backhaul.core.testing import Database
from tests.api_fixtures import Api, refused
from tests.trips import Trips

LINK, CREATE, LINKABLE = (f"/webhook/{name}" for name in ("link-user", "create-user", "get-linkable"))


@pytest.fixture
def office_trips(own_trips: Trips, database: Database) -> Trips:
    """Nobody is linked yet; Ana drives Jane next week, Ben somebody else."""
    database.all("update users set driver_id = null, client_id = null")
    own_trips.trip(driver="Ana")
    other = own_trips.client("K7654321", "June")
    own_trips.trip("2026-12-01 14:00", driver="Ben", client_id=other)
    return own_trips


async def link(api: Api, own: Trips, who: str, **to: Any) -> httpx.Response:
    return await api.post(LINK, {"id": str(own.people[who].id), **to}, by=own.people["admin"])


async def seen(api: Api, own: Trips, who: str) -> int:
    """How many trips that person sees."""
    answer = await api.get("/webhook/get-active-present-future-appointments", by=own.people[who])
    return len(answer.json()["appointments"])


async def test_a_linked_account_sees_its_trips_at_once_and_an_unlinked_one_none(api: Api, office_trips: Trips) -> None:
    own = office_trips
    assert (await seen(api, own, "driver"), await seen(api, own, "client")) == (0, 0)
    said = (await link(api, own, "driver", driver_id=str(own.drivers["Ana"]))).json()
    assert said["message"] == "Driver's account sees the trips of Ana Driver now."
    await link(api, own, "client", client_id=str(own.jane))
    assert (await seen(api, own, "driver"), await seen(api, own, "client")) == (1, 1)
    said = (await link(api, own, "driver")).json()
    assert said["message"] == "Driver's account is linked to nobody now: it sees no trips."
    assert await seen(api, own, "driver") == 0


async def test_it_is_written_down_with_before_and_after_and_nothing_when_nothing_changed(
    api: Api, office_trips: Trips, database: Database
) -> None:
    own = office_trips
    for _ in range(2):
        said = (await link(api, own, "driver", driver_id=str(own.drivers["Ana"]))).json()
    assert said["message"] == "Everything is as it was; there was nothing to change."
    await link(api, own, "driver", driver_id=str(own.drivers["Ben"]))
    entries = database.all("select entity_id, details from audit_logs where action = 'link_user' order by seq")
    assert [entry["details"] for entry in entries] == [
        {"linked_to": {"from": None, "to": "Ana Driver"}},
        {"linked_to": {"from": "Ana Driver", "to": "Ben Driver"}},
    ]
    assert {entry["entity_id"] for entry in entries} == {own.people["driver"].id}


async def test_a_driver_with_an_account_is_not_given_to_a_second_one(api: Api, office_trips: Trips, database: Database) -> None:
    own = office_trips
    await link(api, own, "driver", driver_id=str(own.drivers["Ana"]))
    second = database.person("driver", "Second Login")
    body = {"id": str(second.id), "driver_id": str(own.drivers["Ana"])}
    said = refused(await api.post(LINK, body, by=own.people["admin"]), 409, "user.linked")
    assert said["what"] == "This driver has an account already: Driver"
    assert said["todo"] == "Unlink that account first, or choose somebody else"
    assert said["fields"] == {"driver_id": said["what"]}
    assert database.value("select driver_id from users where id = %s", second.id) is None
    assert database.value("select count(*) from audit_logs where action = 'link_user'") == 1


@pytest.mark.parametrize(
    ("who", "to", "status", "field"),
    [
        ("booking_agent", {"driver_id": "Ana"}, 400, "driver_id"),
        ("driver", {"client_id": "Jane"}, 400, "client_id"),
        ("driver", {"driver_id": str(UUID(int=1))}, 404, None),
        ("driver", {"driver_id": "not an id"}, 400, "driver_id"),
        ("driver", {"driver_id": "Ana", "client_id": "Jane"}, 400, None),
    ],
)
async def test_what_cannot_be_linked_is_refused_in_words(
    api: Api, office_trips: Trips, who: str, to: dict[str, str], status: int, field: str | None
) -> None:
    own = office_trips
    ids = {"Ana": str(own.drivers["Ana"]), "Jane": str(own.jane)}
    said = refused(await link(api, own, who, **{name: ids.get(value, value) for name, value in to.items()}), status)
    assert field is None or list(said["fields"]) == [field]
    assert own.database.value("select count(*) from audit_logs where action = 'link_user'") == 0


async def test_a_new_account_may_be_linked_as_it_is_made_or_nothing_is_made(
    api: Api, office_trips: Trips, database: Database
) -> None:
    own = office_trips
    new = {"username": "ana@example.test", "full_name": "Ana Login", "role": "driver", "driver_id": str(own.drivers["Ana"])}
    answer = await api.post(CREATE, new, by=own.people["admin"])
    assert answer.status_code == 200, answer.text
    listed = (await api.get("/webhook/get-all-users", by=own.people["admin"])).json()
    made = next(user for user in listed if user["username"] == "ana@example.test")
    assert (made["driver_id"], made["linked_to"]) == (str(own.drivers["Ana"]), "Ana Driver")
    assert database.value("select details ->> 'linked_to' from audit_logs where action = 'create_user'") == "Ana Driver"
    refused(await api.post(CREATE, new | {"username": "two@example.test"}, by=own.people["admin"]), 409, "user.linked")
    refused(await api.post(CREATE, new | {"username": "x@example.test", "role": "client"}, by=own.people["admin"]), 400)
    assert database.value("select count(*) from users where username in ('two@example.test', 'x@example.test')") == 0


async def test_another_role_takes_the_link_away(api: Api, office_trips: Trips, database: Database) -> None:
    own = office_trips
    await link(api, own, "driver", driver_id=str(own.drivers["Ana"]))
    body = {"id": str(own.people["driver"].id), "role": "booking_agent"}
    assert (await api.post("/webhook/update-user", body, by=own.people["admin"])).status_code == 200
    assert database.value("select driver_id from users where id = %s", own.people["driver"].id) is None


async def test_who_may_be_linked_is_searched_for_and_says_whose_account_they_have(api: Api, office_trips: Trips) -> None:
    own, admin = office_trips, office_trips.people["admin"]
    await link(api, own, "driver", driver_id=str(own.drivers["Ana"]))
    drivers = (await api.get(LINKABLE, by=admin, role="driver")).json()["people"]
    assert [(one["name"], one["user_name"]) for one in drivers] == [
        ("Ana Driver", "Driver"), ("Ben Driver", None), ("Cem Driver", None),
    ]  # fmt: skip
    clients = (await api.get(LINKABLE, by=admin, role="client", q="k123")).json()["people"]
    assert [(one["id"], one["detail"]) for one in clients] == [(str(own.jane), "K1234567, Stewiacke")]
    assert (await api.get(LINKABLE, by=admin, role="driver", q="%")).json()["people"] == []
    refused(await api.get(LINKABLE, by=admin, role="admin"), 400)
