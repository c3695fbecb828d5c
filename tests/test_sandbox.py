"""The stand-ins: what the adapters' tests, the drills of every failure, and a person at the demo rely on.

Shapes are checked against the vendors' documentation as the project noted it down, never against our own adapters. Drops, holds,
restarts and mail run against a real process over real sockets; the rest runs in this process with a clock that stands still.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import json
import smtplib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from backhaul.sandbox import gazetteer
from backhaul.sandbox.app import StandIns, create_app
from backhaul.sandbox.geography import Point, drive, great_circle_m, places

DEMO = Path(__file__).parents[1] / "demo"
MATRIX = "/distanceMatrix/v2:computeRouteMatrix"
MASK = "originIndex,destinationIndex,status,condition,distanceMeters,duration,staticDuration,fallbackInfo"
HALIFAX, TRURO = {"latitude": 44.649, "longitude": -63.59}, {"latitude": 45.365, "longitude": -63.287}
JANE = {
    "defaultFields": {
        "firstName": "Jane",
        "lastName": "Roe",
        "phoneNumbers": [{"name": "Mobile", "value": "+19025550100"}],
        "emails": [{"name": "Home", "value": "jane@example.test"}],
    },
    "externalId": "client:1",
    "source": "dispatch",
}
FLAT = {"firstName": "Jane", "lastName": "Roe", "externalId": "client:1"}


class HeldClock:
    def __init__(self) -> None:
        self.now = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)  # a Tuesday, 10 o'clock in Halifax: no traffic

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
async def stand_ins(clock: HeldClock) -> AsyncIterator[StandIns]:
    app = create_app(":memory:", clock=clock)
    yield app
    app.close()


@pytest.fixture
async def web(stand_ins: StandIns) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=stand_ins)
    async with httpx.AsyncClient(transport=transport, base_url="http://stand-ins.test") as client:
        yield client


# ── Faults and the journal ──────────────────────────────────────────────────────────────────────────────────────────


async def test_every_answer_says_it_comes_from_a_stand_in(web: httpx.AsyncClient) -> None:
    answers = [
        await web.get(path) for path in ("/", "/v1/contacts", "/maps/api/geocode/json", "/_stand-ins/state", "/unheard-of")
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 200, 200, 404]
    assert all("stand-in" in answer.headers["X-Stand-In"] for answer in answers)
    assert all(answer.headers["Server"] == "backhaul-stand-ins" for answer in answers)
    assert "Stand-ins for Google, Quo, Slack and mail" in answers[0].text


async def test_an_order_with_times_strikes_that_often_and_is_then_over(web: httpx.AsyncClient) -> None:
    await order(web, service="quo", fault=429, times=2)
    assert [(await find(web, "x")).status_code for _ in range(3)] == [429, 429, 200]


async def test_an_order_without_times_strikes_until_ok(web: httpx.AsyncClient) -> None:
    await order(web, service="quo", fault="500")
    assert [(await find(web, "x")).status_code for _ in range(4)] == [500] * 4
    await order(web, service="quo", fault="ok")
    assert (await find(web, "x")).status_code == 200


async def test_an_order_may_be_for_one_method_or_path_only(web: httpx.AsyncClient) -> None:
    await order(web, service="quo", fault="500", times=1, method="post", path="/v1/contacts")
    assert (await find(web, "x")).status_code == 200
    assert (await create(web)).status_code == 500
    assert (await create(web)).status_code == 201


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"service": "quo", "fault": "418"}, "It has: "),
        ({"service": "fax", "fault": "500"}, "service"),
        ({"service": "quo", "fault": "500", "times": 0}, "times"),
        ({"service": "quo", "fault": "500", "tims": 1}, "tims"),
        ({"service": "mail", "fault": "html"}, "mail has no fault"),
        (["quo"], "no fault order"),
    ],
)
async def test_an_order_that_cannot_be_carried_out_is_refused_with_what_can(
    web: httpx.AsyncClient, wish: object, reason: str
) -> None:
    answer = await web.post("/_stand-ins/faults", json=wish)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]


@pytest.mark.parametrize("service", ["maps", "quo", "calendar", "slack", "mail"])
async def test_each_service_has_the_common_faults(stand_ins: StandIns, service: str) -> None:
    assert {
        "ok",
        "401",
        "402",
        "403",
        "404",
        "429",
        "500",
        "503",
        "denied",
        "timeout",
        "slow",
        "lost",
        "hold",
    } <= stand_ins.desk.kinds[service]


@pytest.mark.parametrize("kind", ["401", "402", "403", "404", "429", "500", "503", "504", "denied"])
async def test_no_maps_refusal_ever_looks_like_an_answer(web: httpx.AsyncClient, kind: str) -> None:
    await order(web, service="maps", fault=kind)
    assert (await matrix(web, [HALIFAX], [TRURO])).status_code >= 400
    for path in ("/maps/api/distancematrix/json?origins=Truro&destinations=Truro", "/maps/api/geocode/json?address=Truro"):
        answer = await web.get(f"{path}&key=k")
        assert answer.status_code >= 400 or answer.json()["status"] not in ("OK", "ZERO_RESULTS")


async def test_a_proxys_page_is_html_with_200_or_502(web: httpx.AsyncClient) -> None:
    await order(web, service="maps", fault="html", status=200)
    page = await matrix(web, [HALIFAX], [TRURO])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    await order(web, service="quo", fault="html")
    assert (await create(web)).status_code == 502
    assert (await state(web))["quo"]["contacts"] == 0


async def test_lost_in_this_process_raises_what_httpx_would_and_the_effect_stays(web: httpx.AsyncClient) -> None:
    await order(web, service="quo", fault="lost", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await create(web)
    assert (await state(web))["quo"]["by_external_id"] == {"client:1": 1}


async def test_timeout_in_this_process_raises_what_httpx_would_and_nothing_is_done(web: httpx.AsyncClient) -> None:
    await order(web, service="quo", fault="timeout", times=1)
    with pytest.raises(httpx.ReadTimeout):
        await create(web)
    assert (await state(web))["quo"]["contacts"] == 0


async def test_the_journal_tells_which_origins_were_asked_and_no_names(web: httpx.AsyncClient) -> None:
    await matrix(web, [HALIFAX, TRURO], [{"address": "12 Main St, Truro"}])
    await create(web)
    maps, quo = [await journal(web, service=service) for service in ("maps", "quo")]
    assert maps[0]["notes"] == {
        "origins": ["44.649,-63.59", "45.365,-63.287"],
        "destinations": ["12 Main St, Truro"],
        "elements": 2,
    }
    assert (quo[0]["method"], quo[0]["path"], quo[0]["status"], quo[0]["outcome"]) == ("POST", "/v1/contacts", 201, "answered")
    assert quo[0]["notes"]["external_id"] == "client:1"
    assert "Jane" not in json.dumps([*maps, *quo])
    assert (await web.delete("/_stand-ins/journal")).status_code == 204
    assert await journal(web) == []


async def test_reset_forgets_documents_calls_and_orders(web: httpx.AsyncClient) -> None:
    await create(web)
    await order(web, service="quo", fault="500")
    assert (await web.post("/_stand-ins/reset")).status_code == 204
    assert (await state(web))["quo"]["contacts"] == 0
    assert (await web.get("/_stand-ins/faults")).json()["orders"] == []


# ── Geography ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [("Halifax", "Truro", 65), ("Halifax", "Sydney", 255), ("Yarmouth", "Halifax", 195), ("Halifax", "Dartmouth", 8)],
)
def test_a_person_who_knows_the_roads_finds_the_minutes_sensible(start: str, end: str, minutes: int) -> None:
    leg = drive(centre(start), centre(end))
    assert leg is not None
    assert abs(leg.seconds / 60 - minutes) <= max(5, 0.1 * minutes)


def test_a_longer_way_never_takes_less_time() -> None:
    halifax = centre("Halifax")
    legs = sorted((great_circle_m(halifax, place.centre), drive(halifax, place.centre)) for place in places() if place.road)
    seconds = [leg.seconds for _, leg in legs if leg]
    assert seconds == sorted(seconds)


def test_no_road_leads_to_pictou_island_but_there_is_one_on_it() -> None:
    island = centre("Pictou Island")
    assert drive(centre("Pictou"), island) is None
    assert drive(island, centre("Sydney")) is None
    assert drive(island, Point(island.latitude + 0.005, island.longitude)) is not None


@pytest.mark.parametrize(
    ("address", "location_type", "partial"),
    [
        ("12 Main St, Truro, NS B2N 1A1, Canada", "ROOFTOP", False),
        ("12 Main St Truro Nova Scotia", "ROOFTOP", False),
        ("Unit 4, 12 Main St, Bedford, NS", "ROOFTOP", False),
        ("3 Chemin du Havre, Chéticamp, NS", "ROOFTOP", False),
        ("9 Wharf Rd, Petit de Grat, NS", "ROOFTOP", False),
        ("4012 Highway 7, Tangier, NS", "RANGE_INTERPOLATED", False),
        ("Main St, Truro, NS", "GEOMETRIC_CENTER", True),
        ("RR 2, Digby, NS", "GEOMETRIC_CENTER", True),
        ("Truro", "APPROXIMATE", True),
    ],
)
def test_an_address_is_found_as_exactly_as_it_is_written(address: str, location_type: str, partial: bool) -> None:
    found = gazetteer.find(address)
    assert found is not None
    assert (found.location_type, found.partial) == (location_type, partial)
    assert gazetteer.find(address) == found


def test_a_street_is_within_two_kilometres_of_its_town() -> None:
    found = [gazetteer.find(f"{number} Elm St, {place.name}, {place.province}") for place in places() for number in (1, 2, 30)]
    assert len({street.point for street in found if street}) > len(places())
    centres = [place.centre for place in places()]
    assert all(street and min(great_circle_m(street.point, town) for town in centres) <= 2_000 for street in found)


@pytest.mark.parametrize(
    "address", ["1 Lost Lane, Nowhere Corner, NS", "1 King St, Toronto, ON", "1 Main St, Truro, Maine, USA", "", ","]
)
def test_an_unknown_town_is_not_found(address: str) -> None:
    assert gazetteer.find(address) is None


def test_the_postal_code_tells_two_lawrencetowns_apart() -> None:
    valley, shore = (gazetteer.find(f"5 Elm St, Lawrencetown, NS {code}") for code in ("B0S 1M0", "B2Z 1A1"))
    assert valley
    assert shore
    assert great_circle_m(valley.point, shore.point) > 100_000


# ── Google Routes ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_matrix_has_one_element_for_each_pair_in_no_order_one_may_rely_on(web: httpx.AsyncClient) -> None:
    answer = await matrix(web, [HALIFAX, TRURO], [HALIFAX, TRURO, {"address": "Sydney, NS"}])
    pairs = [(element["originIndex"], element["destinationIndex"]) for element in answer.json()]
    assert sorted(pairs) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert pairs != sorted(pairs)
    assert (await matrix(web, [HALIFAX, TRURO], [HALIFAX, TRURO, {"address": "Sydney, NS"}])).json() == answer.json()
    assert "great circle" in answer.headers["X-Stand-In-Model"]


async def test_an_element_has_the_documented_fields_and_zeros_are_left_out(web: httpx.AsyncClient) -> None:
    cells = by_pair((await matrix(web, [HALIFAX], [HALIFAX, TRURO])).json())
    origin = {"originIndex": 0, "status": {}, "condition": "ROUTE_EXISTS"}
    assert cells[0, 0] == origin | {"destinationIndex": 0, "duration": "0s", "staticDuration": "0s"}
    way = {"distanceMeters": 104903, "duration": "4143s", "staticDuration": "4143s"}
    assert cells[0, 1] == origin | {"destinationIndex": 1} | way


async def test_pairs_without_an_answer_say_so_and_spare_the_others(web: httpx.AsyncClient) -> None:
    ends: list[dict[str, Any]] = [
        {"address": "4 Wharf Road, Pictou Island, NS"},
        {"address": "1 Lost Lane, Nowhere Corner, NS"},
        TRURO,
    ]
    cells = by_pair((await matrix(web, [HALIFAX], ends)).json())
    assert cells[0, 0] == {"originIndex": 0, "destinationIndex": 0, "status": {}, "condition": "ROUTE_NOT_FOUND"}
    assert cells[0, 1]["status"]["code"] == 5
    assert "condition" not in cells[0, 1]
    assert cells[0, 2]["condition"] == "ROUTE_EXISTS"


async def test_only_masked_fields_come_so_errors_hide_when_status_is_not_asked_for(web: httpx.AsyncClient) -> None:
    cells = (await matrix(web, [HALIFAX], [{"address": "Nowhere Corner"}], mask="originIndex,destinationIndex,duration")).json()
    assert cells == [{"originIndex": 0, "destinationIndex": 0}]


async def test_traffic_counts_only_when_asked_for(web: httpx.AsyncClient) -> None:
    rush_hour = "2026-12-02T08:30:00-04:00"
    plain, aware = [
        (await matrix(web, [HALIFAX], [TRURO], routingPreference=preference, departureTime=rush_hour)).json()[0]
        for preference in ("TRAFFIC_UNAWARE", "TRAFFIC_AWARE")
    ]
    assert plain["duration"] == plain["staticDuration"] == aware["staticDuration"] == "4143s"
    assert aware["duration"] == "4764s"


async def test_a_place_id_from_geocoding_is_understood(web: httpx.AsyncClient) -> None:
    place_id = (await geocode(web, "12 Main St, Truro"))["results"][0]["place_id"]
    (cell,) = (await matrix(web, [{"placeId": place_id}], [{"address": "12 Main St, Truro"}])).json()
    assert cell["condition"] == "ROUTE_EXISTS"
    assert cell.get("distanceMeters", 0) < 5


@pytest.mark.parametrize(
    "change",
    [
        {"travelMode": "DRIVING"},
        {"arrivalTime": "2026-12-02T12:00:00Z"},
        {"departureTime": "2026-11-30T12:00:00Z"},
        {"departureTime": "2026-12-02T12:00:00"},
        {"travelMode": "WALK", "routingPreference": "TRAFFIC_AWARE"},
        {"trafficModel": "PESSIMISTIC", "routingPreference": "TRAFFIC_AWARE"},
        {"origins": []},
        {"origins": [{"waypoint": {"address": "Truro", "placeId": "x"}}]},
        {"origins": [{"waypoint": {"location": {"latLng": {"latitude": 145, "longitude": 0}}}}]},
        {"departure_time": "2026-12-02T12:00:00Z"},
    ],
)
async def test_routes_refuses_what_google_documents_as_wrong(web: httpx.AsyncClient, change: dict[str, object]) -> None:
    answer = await matrix(web, [HALIFAX], [TRURO], change=change)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert answer.json()["error"]["code"] == 400


async def test_routes_needs_a_key_and_a_field_mask(web: httpx.AsyncClient) -> None:
    body = {"origins": [waypoint(HALIFAX)], "destinations": [waypoint(TRURO)]}
    unmasked = await web.post(MATRIX, json=body, headers={"X-Goog-Api-Key": "k"})
    assert unmasked.status_code == 400
    assert unmasked.json()["error"]["message"].startswith("FieldMask is a required parameter")
    keyless = await web.post(MATRIX, json=body, headers={"X-Goog-FieldMask": "*"})
    assert (keyless.status_code, keyless.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    unknown = await matrix(web, [HALIFAX], [TRURO], mask="originIndex,minutes")
    assert unknown.status_code == 400


@pytest.mark.parametrize(
    ("origins", "destinations", "preference", "status"),
    [
        (25, 25, "TRAFFIC_AWARE", 200),
        (313, 2, "TRAFFIC_AWARE", 400),
        (50, 2, "TRAFFIC_AWARE_OPTIMAL", 200),
        (51, 2, "TRAFFIC_AWARE_OPTIMAL", 400),
    ],
)
async def test_routes_takes_625_elements_and_100_with_optimal(
    web: httpx.AsyncClient, origins: int, destinations: int, preference: str, status: int
) -> None:
    answer = await matrix(web, [HALIFAX] * origins, [TRURO] * destinations, routingPreference=preference)
    assert answer.status_code == status


async def test_routes_takes_fifty_addresses_and_any_number_of_coordinates(web: httpx.AsyncClient) -> None:
    truro = {"address": "Truro, NS"}
    assert (await matrix(web, [truro] * 49, [truro])).status_code == 200
    assert (await matrix(web, [truro] * 50, [truro])).status_code == 400
    assert (await matrix(web, [HALIFAX] * 300, [truro])).status_code == 200


async def test_routes_counts_elements_not_calls_against_the_minute(web: httpx.AsyncClient, clock: HeldClock) -> None:
    assert [(await matrix(web, [HALIFAX] * 25, [TRURO] * 25)).status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert (await matrix(web, [HALIFAX] * 25, [TRURO] * 20)).status_code == 200
    clock.advance(60)
    assert (await matrix(web, [HALIFAX] * 25, [TRURO] * 25)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("401", 401, "UNAUTHENTICATED"),
        ("403", 403, "PERMISSION_DENIED"),
        ("429", 429, "RESOURCE_EXHAUSTED"),
        ("503", 503, "UNAVAILABLE"),
        ("504", 504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_routes_refuses_in_googles_words_plain_or_in_an_array(
    web: httpx.AsyncClient, kind: str, code: int, status: str
) -> None:
    await order(web, service="maps", fault=kind, times=1)
    plain = await matrix(web, [HALIFAX], [TRURO])
    await order(web, service="maps", fault=kind, times=1, wrapped=True, retry_after=7)
    wrapped = await matrix(web, [HALIFAX], [TRURO])
    assert plain.status_code == wrapped.status_code == plain.json()["error"]["code"] == code
    assert plain.json()["error"]["status"] == status
    assert wrapped.json() == [plain.json()]
    assert ("Retry-After" in plain.headers, wrapped.headers["Retry-After"]) == (False, "7")


async def test_zero_and_fallback_change_the_elements_only(web: httpx.AsyncClient) -> None:
    await order(web, service="maps", fault="zero", times=1)
    assert (await matrix(web, [HALIFAX], [TRURO])).json()[0]["condition"] == "ROUTE_NOT_FOUND"
    await order(web, service="maps", fault="fallback", times=1)
    (cell,) = (await matrix(web, [HALIFAX], [TRURO])).json()
    assert cell["fallbackInfo"] == {"routingMode": "FALLBACK_TRAFFIC_UNAWARE", "reason": "LATENCY_EXCEEDED"}
    assert cell["condition"] == "ROUTE_EXISTS"


# ── Google's older map APIs ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_distance_matrix_has_a_row_for_each_origin(web: httpx.AsyncClient) -> None:
    answer = await distances(
        web, "44.649,-63.59|Nowhere Corner", "45.365,-63.287|4 Wharf Rd, Pictou Island", departure_time="now"
    )
    assert answer["status"] == "OK"
    assert answer["origin_addresses"] == ["44.649,-63.59", ""]
    assert answer["rows"][0]["elements"] == [
        {
            "status": "OK",
            "distance": {"value": 104903, "text": "104.9 km"},
            "duration": {"value": 4143, "text": "1 hour 9 mins"},
            "duration_in_traffic": {"value": 4143, "text": "1 hour 9 mins"},
        },
        {"status": "ZERO_RESULTS"},
    ]
    assert answer["rows"][1]["elements"] == [{"status": "NOT_FOUND"}] * 2


async def test_duration_in_traffic_needs_a_departure_and_units_change_text_only(web: httpx.AsyncClient) -> None:
    (element,) = (await distances(web, "44.649,-63.59", "45.365,-63.287", units="imperial"))["rows"][0]["elements"]
    assert "duration_in_traffic" not in element
    assert element["distance"] == {"value": 104903, "text": "65.2 mi"}


@pytest.mark.parametrize(
    ("origins", "destinations", "status"), [(25, 4, "OK"), (25, 5, "MAX_ELEMENTS_EXCEEDED"), (26, 1, "MAX_DIMENSIONS_EXCEEDED")]
)
async def test_a_distance_matrix_takes_25_by_25_and_100_elements(
    web: httpx.AsyncClient, origins: int, destinations: int, status: str
) -> None:
    assert (await distances(web, "|".join(["Truro"] * origins), "|".join(["Truro"] * destinations)))["status"] == status


@pytest.mark.parametrize(
    "change",
    [{"origins": ""}, {"mode": "flying"}, {"arrival_time": "1800000000"}, {"departure_time": "1"}, {"departure_time": "soon"}],
)
async def test_a_distance_matrix_refuses_what_is_documented_as_wrong(web: httpx.AsyncClient, change: dict[str, str]) -> None:
    answer = await web.get(
        "/maps/api/distancematrix/json", params={"origins": "Truro", "destinations": "Truro", "key": "k"} | change
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("401", "REQUEST_DENIED"),
        ("402", "OVER_DAILY_LIMIT"),
        ("429", "OVER_QUERY_LIMIT"),
        ("500", "UNKNOWN_ERROR"),
        ("denied", "REQUEST_DENIED"),
    ],
)
async def test_the_older_apis_refuse_with_200_and_a_status(web: httpx.AsyncClient, kind: str, status: str) -> None:
    await order(web, service="maps", fault=kind)
    legacy = await distances(web, "Truro", "Truro")
    assert (legacy["status"], legacy["rows"]) == (status, [])
    found = await geocode(web, "Truro")
    assert (found["status"], found["results"]) == (status, [])


async def test_geocoding_answers_in_the_documented_shape(web: httpx.AsyncClient) -> None:
    (result,) = (await geocode(web, "12 Main St, Truro, NS B2N 1A1"))["results"]
    assert result["formatted_address"] == "12 Main St, Truro, NS B2N 1A1, Canada"
    assert result["types"] == ["street_address"]
    assert result["geometry"]["location_type"] == "ROOFTOP"
    assert set(result["geometry"]) == {"location", "location_type", "viewport"}
    assert "partial_match" not in result
    (town,) = (await geocode(web, "Truro, NS"))["results"]
    assert (town["partial_match"], town["geometry"]["location_type"]) == (True, "APPROXIMATE")


async def test_geocoding_says_zero_results_or_why_not(web: httpx.AsyncClient) -> None:
    assert await geocode(web, "1 Lost Lane, Nowhere Corner, NS") == {"status": "ZERO_RESULTS", "results": []}
    assert (await geocode(web, "12 Main St, Truro", components="country:US"))["status"] == "ZERO_RESULTS"
    assert (await geocode(web, ""))["status"] == "INVALID_REQUEST"
    assert (await web.get("/maps/api/geocode/json", params={"address": "Truro"})).json()["status"] == "REQUEST_DENIED"


# ── Quo ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_second_create_with_the_same_external_id_makes_a_second_contact(web: httpx.AsyncClient) -> None:
    first, second = (await create(web)), (await create(web))
    assert first.status_code == second.status_code == 201
    assert first.json()["data"]["id"] != second.json()["data"]["id"]
    found = (await find(web, "client:1")).json()
    assert [contact["id"] for contact in found["data"]] == [first.json()["data"]["id"], second.json()["data"]["id"]]
    assert (await state(web))["quo"]["by_external_id"] == {"client:1": 2}


async def test_a_contact_comes_back_as_it_was_sent_with_ids_on_its_items(web: httpx.AsyncClient) -> None:
    created = (await create(web)).json()["data"]
    assert (await web.get(f"/v1/contacts/{created['id']}", headers=key())).json()["data"] == created
    assert (created["externalId"], created["source"]) == ("client:1", "dispatch")
    (phone,) = created["defaultFields"]["phoneNumbers"]
    assert phone == {"id": phone["id"], "name": "Mobile", "value": "+19025550100"}
    assert phone["id"]


async def test_a_patch_deletes_the_lists_it_does_not_name(web: httpx.AsyncClient) -> None:
    created = (await create(web, customFields=[{"key": "knumber", "value": "K9000001"}])).json()["data"]
    (phone,) = created["defaultFields"]["phoneNumbers"]
    path = f"/v1/contacts/{created['id']}"
    kept = (await web.patch(path, json={"defaultFields": {"lastName": "Doe", "phoneNumbers": [phone]}}, headers=key())).json()[
        "data"
    ]
    assert (kept["defaultFields"]["firstName"], kept["defaultFields"]["lastName"]) == ("Jane", "Doe")
    assert kept["defaultFields"]["phoneNumbers"] == [phone]
    assert (kept["defaultFields"]["emails"], kept["customFields"]) == ([], [])
    assert kept["externalId"] == "client:1"
    emptied = (await web.patch(path, json={"externalId": "client:2"}, headers=key())).json()["data"]
    assert emptied["defaultFields"]["phoneNumbers"] == []
    assert (await state(web))["quo"]["by_external_id"] == {"client:2": 1}


async def test_a_deleted_contact_is_gone(web: httpx.AsyncClient) -> None:
    path = f"/v1/contacts/{(await create(web)).json()['data']['id']}"
    assert (await web.delete(path, headers=key())).status_code == 204
    for answer in (
        await web.get(path, headers=key()),
        await web.patch(path, json={}, headers=key()),
        await web.delete(path, headers=key()),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "0800404")


@pytest.mark.parametrize("authorization", ["", "Bearer k", "refused"])
async def test_quo_takes_the_bare_key_only(web: httpx.AsyncClient, authorization: str) -> None:
    answer = await web.get("/v1/contacts?maxResults=1", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert set(answer.json()) == {"message", "code", "status", "docs", "title", "trace"}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"defaultFields": {"lastName": "Roe"}}, "/defaultFields/firstName"),
        (
            {"defaultFields": {"firstName": "J", "phoneNumbers": [{"name": "M", "value": "902-555-0100"}]}},
            "/defaultFields/phoneNumbers/0/value",
        ),
        ({"defaultFields": {"firstName": "J", "emails": [{"value": "a@b.test"}]}}, "/defaultFields/emails/0/name"),
        ({"externalId": ""}, "/externalId"),
        ({"externalId": "x" * 76}, "/externalId"),
        ({"source": "csv-import"}, "/source"),
        ({"sourceUrl": "no url"}, "/sourceUrl"),
        ({"customFields": [{"key": "unknown", "value": 1}]}, "/customFields/0/key"),
        ({"phone": "+19025550100"}, "/phone"),
    ],
)
async def test_quo_names_each_fault_of_a_contact(web: httpx.AsyncClient, change: dict[str, Any], path: str) -> None:
    answer = await create(web, **change)
    assert (answer.status_code, answer.json()["code"]) == (400, "0800400")
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert all(set(error) == {"path", "message", "value", "schema"} for error in answer.json()["errors"])
    assert (await state(web))["quo"]["contacts"] == 0


async def test_contacts_are_listed_by_pages_of_a_required_size(web: httpx.AsyncClient) -> None:
    for number in range(5):
        await create(web, externalId=f"client:{number}")
    assert (await web.get("/v1/contacts", headers=key())).status_code == 400
    assert (await web.get("/v1/contacts?maxResults=51", headers=key())).status_code == 400
    first = (await web.get("/v1/contacts?maxResults=3", headers=key())).json()
    second = (await web.get("/v1/contacts", params={"maxResults": 3, "pageToken": first["nextPageToken"]}, headers=key())).json()
    assert [len(page["data"]) for page in (first, second)] == [3, 2]
    assert second["nextPageToken"] is None
    two = await web.get("/v1/contacts?externalIds=client:1&externalIds=client:4&maxResults=50", headers=key())
    assert [contact["externalId"] for contact in two.json()["data"]] == ["client:1", "client:4"]


async def test_the_eleventh_request_of_a_second_waits_for_the_next(web: httpx.AsyncClient, clock: HeldClock) -> None:
    answers = [await find(web, "x") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert "Retry-After" not in answers[-1].headers
    assert answers[-1].json()["status"] == 429
    clock.advance(1)
    assert (await find(web, "x")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("401", 401, "0200401"), ("402", 402, "0201402"), ("404", 404, "0800404"), ("409", 409, "0800409"), ("500", 500, "0201500")],
)
async def test_quo_refuses_in_its_own_words(web: httpx.AsyncClient, kind: str, status: int, code: str) -> None:
    await order(web, service="quo", fault=kind)
    answer = await create(web)
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)


async def test_a_text_is_accepted_and_can_be_found_again(web: httpx.AsyncClient, clock: HeldClock) -> None:
    before = clock.now.isoformat()
    clock.advance(1)
    sent = await text(web, to=["+19025550100"])
    assert (sent.status_code, sent.json()["data"]["status"], sent.json()["data"]["direction"]) == (202, "queued", "outgoing")
    query: dict[str, str | int] = {
        "phoneNumberId": "PNstandin01",
        "participants": "+19025550100",
        "maxResults": 10,
        "createdAfter": before,
    }
    (found,) = (await web.get("/v1/messages", params=query, headers=key())).json()["data"]
    assert (found["id"], found["text"], found["status"]) == (sent.json()["data"]["id"], "Your ride is booked", "delivered")
    assert (await web.get(f"/v1/messages/{found['id']}", headers=key())).json()["data"] == found
    later = query | {"createdAfter": clock.now.isoformat()}
    assert (await web.get("/v1/messages", params=later, headers=key())).json()["data"] == []
    assert (await web.get("/v1/messages", params={"maxResults": 10}, headers=key())).status_code == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"content": "  "}, 400),
        ({"content": "x" * 1601}, 400),
        ({"to": []}, 400),
        ({"to": ["9025550100"]}, 400),
        ({"from": "+19025550188"}, 404),
    ],
)
async def test_quo_refuses_a_text_that_cannot_go(web: httpx.AsyncClient, change: dict[str, object], status: int) -> None:
    assert (await text(web, **change)).status_code == status
    assert (await state(web))["quo"]["messages"] == 0


async def test_the_workspace_has_one_number_to_text_from(web: httpx.AsyncClient) -> None:
    (number,) = (await web.get("/v1/phone-numbers", headers=key())).json()["data"]
    assert (number["id"], number["number"]) == ("PNstandin01", "+19025550199")
    assert (await web.get("/v1/phone-numbers")).status_code == 401


async def test_a_text_may_be_accepted_and_not_delivered(web: httpx.AsyncClient) -> None:
    await order(web, service="quo", fault="undelivered", times=1)
    lost, arrived = [(await text(web)).json()["data"] for _ in range(2)]
    assert lost["status"] == arrived["status"] == "queued"
    for sent, status in ((lost, "undelivered"), (arrived, "delivered")):
        assert (await web.get(f"/v1/messages/{sent['id']}", headers=key())).json()["data"]["status"] == status


# ── Quo's dated surface ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_dated_surface_wants_its_version_on_every_request(web: httpx.AsyncClient) -> None:
    for headers in (key(), key() | {"Quo-Api-Version": "2025-01-01"}):
        answer = await web.get("/contacts", headers=headers)
        assert answer.status_code == 400
        assert set(answer.json()) == {"message", "docs", "title", "trace", "errors"}
    assert (await web.get("/contacts", headers={"Quo-Api-Version": "2026-03-30"})).status_code == 401


async def test_both_surfaces_hold_the_same_contacts(web: httpx.AsyncClient) -> None:
    made = (await create(web)).json()["data"]
    (flat,) = (await web.get("/contacts", params={"externalId": "client:1"}, headers=dated())).json()["data"]
    assert (flat["id"], flat["firstName"], flat["lastName"], flat["source"]) == (made["id"], "Jane", "Roe", "dispatch")
    assert "phoneNumbers" not in flat
    phone, email = await properties(web, made["id"])
    assert (phone["type"], phone["name"], phone["value"]) == ("phone-number", "Mobile", "+19025550100")
    assert (email["type"], email["value"]) == ("email", "jane@example.test")


async def test_a_dated_contact_is_flat_has_no_numbers_and_is_never_unique(web: httpx.AsyncClient) -> None:
    first, second = [await web.post("/contacts", json=FLAT, headers=dated()) for _ in range(2)]
    assert first.status_code == second.status_code == 201
    made = first.json()["data"]
    assert made["id"] != second.json()["data"]["id"]
    assert (made["source"], made["actorId"]) == (None, "USstandin")
    assert await properties(web, made["id"]) == []
    assert (await state(web))["quo"]["by_external_id"] == {"client:1": 2}
    changes: list[dict[str, object]] = [{"firstName": ""}, {"phoneNumbers": []}, {"source": "csv-x"}, {"externalId": "x" * 76}]
    for change in changes:
        answer = await web.post("/contacts", json=FLAT | change, headers=dated())
        assert answer.status_code == 400
        assert answer.json()["errors"]
        assert "code" not in answer.json()


async def test_a_dated_patch_changes_what_it_names_and_null_clears(web: httpx.AsyncClient) -> None:
    made = (await create(web)).json()["data"]
    path = f"/contacts/{made['id']}"
    changed = (await web.patch(path, json={"firstName": "Joan", "lastName": None}, headers=dated())).json()["data"]
    assert (changed["firstName"], changed["lastName"], changed["externalId"]) == ("Joan", None, "client:1")
    assert len(await properties(web, made["id"])) == 2
    assert (await web.patch(path, json={"emails": []}, headers=dated())).status_code == 400


async def test_properties_are_added_changed_and_removed_one_by_one_and_may_be_there_twice(
    web: httpx.AsyncClient, clock: HeldClock
) -> None:
    contact = (await web.post("/contacts", json=FLAT, headers=dated())).json()["data"]["id"]
    path = f"/contacts/{contact}/properties"
    mobile = {"type": "phone-number", "name": "Mobile", "value": "+19025550100"}
    for _ in range(2):
        assert (await web.post(path, json=mobile, headers=dated())).status_code == 200
    await web.post(path, json={"type": "email", "value": "jane@example.test"}, headers=dated())
    first, second = await properties(web, contact, type="phone-number")
    assert first["id"] != second["id"]
    clock.advance(1)  # ten requests a second
    changed = await web.patch(f"{path}/{first['id']}", json={"value": "+19025550111"}, headers=dated())
    assert (changed.json()["data"]["name"], changed.json()["data"]["value"]) == ("Mobile", "+19025550111")
    assert (await web.delete(f"{path}/{second['id']}", headers=dated())).status_code == 204
    assert [one["value"] for one in await properties(web, contact)] == ["+19025550111", "jane@example.test"]
    for wrong in ({"value": "902-555-0100"}, {"type": "email"}):
        assert (await web.patch(f"{path}/{first['id']}", json=wrong, headers=dated())).status_code == 400
    assert (await web.delete(f"{path}/{second['id']}", headers=dated())).status_code == 404


async def test_dated_lists_come_in_pages_of_ten_and_know_one_operator(web: httpx.AsyncClient, clock: HeldClock) -> None:
    for number in range(11):
        await web.post("/contacts", json=FLAT | {"externalId": f"client:{number}"}, headers=dated())
        clock.advance(1)
    first = (await web.get("/contacts", headers=dated())).json()
    second = (await web.get("/contacts", params={"after": first["nextCursor"]}, headers=dated())).json()
    assert [len(page["data"]) for page in (first, second)] == [10, 1]
    assert second["nextCursor"] is None
    two = await web.get("/contacts", params={"externalId[in]": "client:3,client:9"}, headers=dated())
    assert [contact["externalId"] for contact in two.json()["data"]] == ["client:3", "client:9"]
    for wrong in ({"externalId[like]": "x"}, {"limit": "51"}, {"after": "x"}):
        assert (await web.get("/contacts", params=wrong, headers=dated())).status_code == 400


async def test_notes_are_kept_with_their_contact_and_a_patch_replaces_them(web: httpx.AsyncClient) -> None:
    contact = (await web.post("/contacts", json=FLAT, headers=dated())).json()["data"]["id"]
    path = f"/contacts/{contact}/notes"
    made = await web.post(path, json={"text": "Rings twice"}, headers=dated())
    assert made.status_code == 200
    one = f"{path}/{made.json()['data']['id']}"
    await web.patch(one, json={"text": "Rings once"}, headers=dated())
    (kept,) = (await web.get(path, headers=dated())).json()["data"]
    assert kept["text"] == "Rings once"
    assert (await web.get(one, headers=dated())).json()["data"] == kept
    assert (await web.post(path, json={"text": "x" * 2001}, headers=dated())).status_code == 400
    assert (await web.delete(one, headers=dated())).status_code == 204
    assert (await web.get(path, headers=dated())).json()["data"] == []
    assert (await web.get("/contacts/nobody/notes", headers=dated())).status_code == 404


async def test_a_deleted_contact_is_gone_from_the_dated_surface(web: httpx.AsyncClient) -> None:
    path = f"/contacts/{(await create(web)).json()['data']['id']}"
    assert (await web.delete(path, headers=dated())).status_code == 204
    for answer in (await web.get(path, headers=dated()), await web.get(f"{path}/properties", headers=dated())):
        assert answer.status_code == 404
        assert set(answer.json()) == {"message", "docs", "title", "trace"}


@pytest.mark.parametrize(("kind", "status"), [("401", 401), ("402", 402), ("403", 403), ("404", 404), ("429", 429), ("500", 500)])
async def test_the_dated_surface_refuses_without_a_code(web: httpx.AsyncClient, kind: str, status: int) -> None:
    await order(web, service="quo", fault=kind, retry_after=7)
    answer = await web.get("/contacts", headers=dated())
    assert answer.status_code == status
    assert set(answer.json()) == {"message", "docs", "title", "trace"}
    assert answer.headers.get("Retry-After") == ("7" if kind == "429" else None)


# ── Slack ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_slack_answers_in_plain_words(web: httpx.AsyncClient) -> None:
    hook = "/services/T0/B0/secret"
    kept = await web.post(hook, json={"text": "3 tasks failed"})
    assert (kept.status_code, kept.text, kept.headers["content-type"]) == (200, "ok", "text/plain; charset=utf-8")
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"content": b"no json"}, 400, "invalid_payload"),
        ({"json": {}}, 400, "no_text"),
        ({"json": {"text": "x", "blocks": [{"type": "divider"}] * 51}}, 400, "invalid_payload"),
        ({"json": {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}}, 400, "invalid_payload"),
    ]
    for message, status, word in wrong:
        answer = await web.post(hook, **message)
        assert (answer.status_code, answer.text) == (status, word)
    stored = (await web.get("/_stand-ins/state/slack")).json()["documents"]
    assert [document["message"]["text"] for document in stored] == ["3 tasks failed"]


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("404", 404, "no_service"),
        ("channel_is_archived", 410, "channel_is_archived"),
        ("500", 500, "rollup_error"),
        ("401", 403, "invalid_token"),
    ],
)
async def test_slack_refuses_with_one_word(web: httpx.AsyncClient, kind: str, status: int, word: str) -> None:
    await order(web, service="slack", fault=kind)
    answer = await web.post("/services/T0/B0/secret", json={"text": "x"})
    assert (answer.status_code, answer.text) == (status, word)


async def test_slack_alone_says_how_long_to_wait(web: httpx.AsyncClient) -> None:
    await order(web, service="slack", fault="429", retry_after=30)
    answer = await web.post("/services/T0/B0/secret", json={"text": "x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")


# ── Google Calendar ─────────────────────────────────────────────────────────────────────────────────────────────────

EVENT = {
    "id": "5f0c1b2e9d3a4c6f8b7a1e2d3c4b5a69",
    "summary": "Transport",
    "start": {"dateTime": "2026-12-01T09:30:00-04:00"},
    "end": {"dateTime": "2026-12-01T10:15:00", "timeZone": "America/Halifax"},
    "extendedProperties": {"private": {"task": "42", "generation": "1"}},
}


@pytest.fixture
async def calendar(web: httpx.AsyncClient, clock: HeldClock) -> str:
    """The path of a new calendar; the client is signed in as the office."""
    web.headers["Authorization"] = f"Bearer {await token(web, clock, sub='office@demo.test')}"
    created = await web.post(
        "/calendar/v3/calendars", json={"summary": "Ana", "description": "driver:1", "timeZone": "America/Halifax"}
    )
    assert created.status_code == 200
    return f"/calendar/v3/calendars/{created.json()['id'].replace('@', '%40')}"


@pytest.mark.parametrize(
    "claims",
    [{"aud": "https://example.test"}, {"scope": ""}, {"lifetime": 3601}, {"iss": ""}, {"issued": -7200}, {"alg": "HS256"}],
)
async def test_a_token_is_given_for_a_sound_assertion_only(
    web: httpx.AsyncClient, clock: HeldClock, claims: dict[str, Any]
) -> None:
    good = await ask_token(web, clock)
    assert set(good.json()) == {"access_token", "expires_in", "token_type"}
    bad = await ask_token(web, clock, **claims)
    assert bad.status_code == 400
    assert bad.json()["error"] in ("invalid_grant", "invalid_scope")


async def test_an_old_or_unknown_token_is_an_auth_error(web: httpx.AsyncClient, clock: HeldClock, calendar: str) -> None:
    assert (await web.get(calendar)).status_code == 200
    clock.advance(3601)
    for authorization in (web.headers["Authorization"], "Bearer made-up", ""):
        assert reason(await web.get(calendar, headers={"Authorization": authorization})) == (401, "authError")


async def test_an_event_is_kept_under_the_callers_id_and_found_by_its_private_property(
    web: httpx.AsyncClient, calendar: str
) -> None:
    inserted = await web.post(f"{calendar}/events?sendUpdates=none", json=EVENT)
    assert inserted.status_code == 200
    event = (await web.get(f"{calendar}/events/{EVENT['id']}")).json()
    assert event == inserted.json()
    assert event["status"] == "confirmed"
    assert EVENT.items() <= event.items()
    found = await web.get(f"{calendar}/events", params={"privateExtendedProperty": "task=42"})
    assert [item["id"] for item in found.json()["items"]] == [EVENT["id"]]
    assert (await web.get(f"{calendar}/events", params={"privateExtendedProperty": "task=43"})).json()["items"] == []


async def test_a_deleted_events_id_stays_taken(web: httpx.AsyncClient, calendar: str) -> None:
    await web.post(f"{calendar}/events", json=EVENT)
    one = f"{calendar}/events/{EVENT['id']}"
    assert reason(await web.post(f"{calendar}/events", json=EVENT)) == (409, "duplicate")
    deleted = await web.delete(one)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert reason(await web.delete(one)) == (410, "deleted")
    assert reason(await web.post(f"{calendar}/events", json=EVENT)) == (409, "duplicate")
    assert reason(await web.patch(one, json={"status": "confirmed"}))[0] == 403
    assert (await web.get(one)).json()["status"] == "cancelled"
    assert (await web.get(f"{calendar}/events")).json()["items"] == []
    assert len((await web.get(f"{calendar}/events?showDeleted=true")).json()["items"]) == 1
    assert reason(await web.delete(f"{calendar}/events/unheardof")) == (404, "notFound")


async def test_a_patch_merges_a_put_replaces_and_a_stale_etag_loses(web: httpx.AsyncClient, calendar: str) -> None:
    before = (await web.post(f"{calendar}/events", json=EVENT)).json()
    one = f"{calendar}/events/{EVENT['id']}"
    patch = {"status": "tentative", "extendedProperties": {"private": {"generation": "2"}}}
    patched = (await web.patch(one, json=patch, headers={"If-Match": before["etag"]})).json()
    assert patched["extendedProperties"]["private"] == {"task": "42", "generation": "2"}
    assert patched["summary"] == "Transport"
    assert reason(await web.patch(one, json={"summary": "x"}, headers={"If-Match": before["etag"]})) == (412, "conditionNotMet")
    replaced = (
        await web.put(one, json={"start": EVENT["start"], "end": EVENT["end"]}, headers={"If-Match": patched["etag"]})
    ).json()
    assert "summary" not in replaced
    assert replaced["id"] == EVENT["id"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "5F0C"}, "invalid"),
        ({"id": "with-dashes"}, "invalid"),
        ({"end": EVENT["start"]}, "timeRangeEmpty"),
        ({"start": None}, "required"),
        ({"start": {"dateTime": "2026-12-01T09:30:00"}}, "required"),
        ({"status": "postponed"}, "invalid"),
        ({"iCalUID": "x"}, "invalid"),
    ],
)
async def test_a_wrong_event_is_a_400_with_its_reason(
    web: httpx.AsyncClient, calendar: str, change: dict[str, Any], why: str
) -> None:
    assert reason(await web.post(f"{calendar}/events", json=EVENT | change)) == (400, why)
    assert (await state(web))["calendar"]["events"] == 0


async def test_a_calendar_is_there_for_those_it_is_shared_with(web: httpx.AsyncClient, clock: HeldClock, calendar: str) -> None:
    driver = {"Authorization": f"Bearer {await token(web, clock, sub='ana@demo.test')}"}
    assert reason(await web.get(calendar, headers=driver)) == (404, "notFound")
    rule = await web.post(
        f"{calendar}/acl?sendNotifications=false", json={"role": "reader", "scope": {"type": "user", "value": "ana@demo.test"}}
    )
    assert (rule.status_code, rule.json()["role"]) == (200, "reader")
    (entry,) = (await web.get("/calendar/v3/users/me/calendarList?maxResults=250", headers=driver)).json()["items"]
    assert (entry["description"], entry["accessRole"]) == ("driver:1", "reader")
    assert (await web.post(f"{calendar}/events", json=EVENT, headers=driver)).status_code == 403
    assert (await web.delete(calendar, headers=driver)).status_code == 403
    assert (await web.delete(calendar)).status_code == 204
    assert reason(await web.get(calendar)) == (404, "notFound")


async def test_a_service_account_by_itself_may_invite_nobody(web: httpx.AsyncClient, clock: HeldClock) -> None:
    web.headers["Authorization"] = f"Bearer {await token(web, clock)}"
    calendar = (await web.post("/calendar/v3/calendars", json={"summary": "Ana"})).json()["id"]
    guests = EVENT | {"attendees": [{"email": "ana@demo.test"}]}
    assert reason(await web.post(f"/calendar/v3/calendars/{calendar}/events", json=guests)) == (
        403,
        "forbiddenForServiceAccounts",
    )


@pytest.mark.parametrize(
    ("kind", "code", "why"),
    [
        ("401", 401, "authError"),
        ("429", 429, "rateLimitExceeded"),
        ("rateLimitExceeded", 403, "rateLimitExceeded"),
        ("quotaExceeded", 403, "quotaExceeded"),
        ("500", 500, "backendError"),
    ],
)
async def test_calendar_refuses_with_a_reason(web: httpx.AsyncClient, calendar: str, kind: str, code: int, why: str) -> None:
    await order(web, service="calendar", fault=kind)
    assert reason(await web.get(calendar)) == (code, why)


# ── A real process: drops, holds, restarts, mail ────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The base URL of stand-ins in a process of their own."""
    async with running(tmp_path_factory.mktemp("stand-ins")) as url:
        yield url


@pytest.fixture
async def far(process: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=process, timeout=10) as client:
        await client.post("/_stand-ins/reset")
        yield client
        await client.post("/_stand-ins/reset")


async def test_a_lost_answer_is_a_dropped_connection_and_a_contact_made(far: httpx.AsyncClient) -> None:
    await order(far, service="quo", fault="lost", times=1, method="POST")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await create(far)
    assert len((await find(far, "client:1")).json()["data"]) == 1
    assert (await journal(far, method="POST"))[0]["outcome"] == "lost: done, connection dropped"


async def test_a_timeout_holds_the_connection_and_does_nothing(far: httpx.AsyncClient) -> None:
    await order(far, service="quo", fault="timeout", times=1)
    with pytest.raises(httpx.ReadTimeout):
        await create(far, timeout=0.2)
    await order(far, service="quo", fault="timeout", times=1, seconds=0.1)
    with pytest.raises(httpx.RemoteProtocolError):
        await create(far)
    assert (await state(far))["quo"]["contacts"] == 0


async def test_a_slow_answer_comes_late_and_whoever_left_earlier_had_it_done(far: httpx.AsyncClient) -> None:
    await order(far, service="quo", fault="slow", times=1, seconds=0.3)
    began = time.monotonic()
    assert (await create(far)).status_code == 201
    assert time.monotonic() - began >= 0.3
    await order(far, service="quo", fault="slow", times=1, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        await create(far, timeout=0.2)
    assert (await state(far))["quo"]["contacts"] == 2

    async def noticed() -> bool:
        return bool((await journal(far, method="POST"))[1]["outcome"] == "slow: done, the caller went away")

    await until(noticed)


async def test_a_held_answer_waits_for_release_with_the_effect_done(far: httpx.AsyncClient) -> None:
    await order(far, service="quo", fault="hold", times=1, method="POST")
    waiting = asyncio.create_task(create(far))
    await until(lambda: holds(far, 1))
    assert (await state(far))["quo"]["contacts"] == 1
    assert not waiting.done()
    assert (await far.post("/_stand-ins/release")).json() == {"released": 1}
    assert (await waiting).status_code == 201
    assert await holds(far, 0)


async def test_a_held_caller_who_dies_is_let_go(far: httpx.AsyncClient) -> None:
    await order(far, service="quo", fault="hold", times=1)
    waiting = asyncio.create_task(create(far))
    await until(lambda: holds(far, 1))
    waiting.cancel()
    await until(lambda: holds(far, 0))
    assert (await state(far))["quo"]["contacts"] == 1


async def test_ten_callers_at_once_are_all_served_and_all_kept(far: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(create(far, externalId=f"client:{number}") for number in range(10)))
    made = sum(answer.status_code == 201 for answer in answers)
    assert made + sum(answer.status_code == 429 for answer in answers) == 10
    assert (await state(far))["quo"]["contacts"] == made


async def test_a_restart_keeps_contacts_forgets_faults_and_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as client:
        contact = (await create(client)).json()["data"]
        await order(client, service="quo", fault="hold")
        held = asyncio.create_task(create(client))
        await until(lambda: holds(client, 1))
        # Leaving `running` sends SIGTERM while a call is held, and checks the exit status.
    with pytest.raises(httpx.TransportError):
        await held
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.get(f"/v1/contacts/{contact['id']}", headers=key())).json()["data"] == contact


async def test_mail_is_kept_as_a_file_a_mail_program_opens(far: httpx.AsyncClient) -> None:
    port = (await state(far))["mail"]["port"]
    await asyncio.to_thread(send_mail, port, "Welcome", ".A line that begins with a full stop\nand one with é\n")
    (kept,) = (await far.get("/_stand-ins/state/mail")).json()["documents"]
    assert (kept["from"], kept["to"]) == ("office@demo.test", ["ana@demo.test"])
    assert kept["file"].endswith(".eml")
    assert (await journal(far, service="mail"))[0]["outcome"] == "answered"


@pytest.mark.parametrize(
    ("kind", "code"), [("401", 530), ("402", 552), ("403", 550), ("404", 550), ("429", 451), ("500", 451), ("503", 421)]
)
async def test_mail_refuses_in_smtp(far: httpx.AsyncClient, kind: str, code: int) -> None:
    port = (await state(far))["mail"]["port"]
    await order(far, service="mail", fault=kind, times=1)
    with pytest.raises((smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) as refused:
        await asyncio.to_thread(send_mail, port, "Welcome", "x")
    problem = refused.value
    if isinstance(problem, smtplib.SMTPRecipientsRefused):
        codes = [each for each, _ in problem.recipients.values()]
    else:
        assert isinstance(problem, smtplib.SMTPResponseException)
        codes = [problem.smtp_code]
    assert codes == [code]
    assert (await state(far))["mail"]["messages"] == 0
    await asyncio.to_thread(send_mail, port, "Welcome", "x")
    assert (await state(far))["mail"]["messages"] == 1


async def test_mail_lost_was_delivered_and_mail_held_waits(far: httpx.AsyncClient) -> None:
    port = (await state(far))["mail"]["port"]
    await order(far, service="mail", fault="lost", times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        await asyncio.to_thread(send_mail, port, "Welcome", "x")
    assert (await state(far))["mail"]["messages"] == 1
    await order(far, service="mail", fault="hold", times=1)
    waiting = asyncio.create_task(asyncio.to_thread(send_mail, port, "Welcome", "x"))
    await until(lambda: holds(far, 1, service="mail"))
    assert (await state(far))["mail"]["messages"] == 2
    await far.post("/_stand-ins/release", json={"service": "mail"})
    await waiting


async def test_the_file_of_a_mail_holds_the_message_as_it_was_sent(tmp_path: Path) -> None:
    async with running(tmp_path) as url, httpx.AsyncClient(base_url=url) as client:
        port = (await state(client))["mail"]["port"]
        await asyncio.to_thread(send_mail, port, "Grüße", ".dot\nlast\n", login=True)
    (file,) = (tmp_path / "mail").glob("*.eml")
    lines = file.read_bytes().split(b"\r\n")
    assert lines[0] == b"X-Stand-In: sent to nobody"
    assert b".dot" in lines
    assert b"last" in lines


# ── Demo data ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_demo_drivers_live_where_the_map_finds_their_address() -> None:
    drivers = table("drivers")
    assert len(drivers) == 12
    for driver in drivers:
        found = gazetteer.find("{home_address}, {home_city}, {home_province} {home_postal_code}".format(**driver))
        assert found is not None
        assert not found.partial
        assert great_circle_m(found.point, Point(float(driver["latitude"]), float(driver["longitude"]))) < 1


def test_demo_clinics_stand_in_their_towns() -> None:
    clinics = table("clinics")
    assert len(clinics) == 6
    for clinic in clinics:
        assert great_circle_m(centre(clinic["city"]), Point(float(clinic["latitude"]), float(clinic["longitude"]))) < 4_000


def test_demo_clients_are_invented_and_each_but_one_can_be_driven_to() -> None:
    clients = table("clients")
    assert [client["kNumber"] for client in clients] == [f"K9{number:06d}" for number in range(1, 26)]
    assert all(client["phone"].startswith("902-555-01") and client["email"].endswith("@example.test") for client in clients)
    assert len({client["phone"] for client in clients}) == len({client["email"] for client in clients}) == 25
    found = [gazetteer.find("{civicAddress}, {city}, {province} {postalCode}".format(**client)) for client in clients]
    assert all(place and not place.partial for place in found)
    unreached = [place.formatted for place in found if place and drive(centre("Halifax"), place.point) is None]
    assert unreached == ["4 Wharf Road, Pictou Island, NS B0K 1J0, Canada"]


def test_demo_postal_codes_begin_as_those_of_their_town_do() -> None:
    known = {place.name: place.fsa for place in places() if place.fsa}
    towns = [(client["city"], client["postalCode"]) for client in table("clients")]
    towns += [(driver["home_city"], driver["home_postal_code"]) for driver in table("drivers")]
    assert [(town, code) for town, code in towns if not code.startswith(known.get(town, code[:3]))] == []


def test_the_table_with_faults_says_of_each_row_what_is_wrong_with_it() -> None:
    rows = table("clients-with-faults")
    assert set(rows[0]) == set(table("clients")[0])
    assert all(row["notes"].startswith(("right", "wrong", "saved")) for row in rows)
    unknown = [row for row in rows if gazetteer.find("{civicAddress}, {city}, {province}".format(**row)) is None]
    assert "Nowhere Corner" in [row["city"] for row in unknown]


# ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def order(web: httpx.AsyncClient, **wish: object) -> None:
    answer = await web.post("/_stand-ins/faults", json=wish)
    assert answer.status_code == 200, answer.text


async def state(web: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await web.get("/_stand-ins/state")).json()
    return found


async def journal(web: httpx.AsyncClient, **narrowed: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = (await web.get("/_stand-ins/journal", params=narrowed)).json()["calls"]
    return calls


async def holds(web: httpx.AsyncClient, count: int, *, service: str = "quo") -> bool:
    return bool((await web.get("/_stand-ins/faults")).json()["held"].get(service, 0) == count)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


def waypoint(place: dict[str, Any]) -> dict[str, object]:
    return {"waypoint": {"location": {"latLng": place}} if "latitude" in place else place}


async def matrix(
    web: httpx.AsyncClient,
    origins: list[dict[str, Any]],
    destinations: list[dict[str, Any]],
    *,
    mask: str = MASK,
    change: dict[str, Any] | None = None,
    **more: object,
) -> httpx.Response:
    body = {"origins": [waypoint(place) for place in origins], "destinations": [waypoint(place) for place in destinations]}
    headers = {"X-Goog-Api-Key": "k", "X-Goog-FieldMask": mask}
    return await web.post(MATRIX, json=body | more | (change or {}), headers=headers)


def by_pair(cells: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(cell["originIndex"], cell["destinationIndex"]): cell for cell in cells}


async def distances(web: httpx.AsyncClient, origins: str, destinations: str, **more: str) -> dict[str, Any]:
    query = {"origins": origins, "destinations": destinations, "key": "k"} | more
    answer: dict[str, Any] = (await web.get("/maps/api/distancematrix/json", params=query)).json()
    return answer


async def geocode(web: httpx.AsyncClient, address: str, components: str = "country:CA") -> dict[str, Any]:
    query = {"address": address, "components": components, "key": "k"}
    answer: dict[str, Any] = (await web.get("/maps/api/geocode/json", params=query)).json()
    return answer


def key() -> dict[str, str]:
    return {"Authorization": "a-raw-key"}


def dated() -> dict[str, str]:
    return key() | {"Quo-Api-Version": "2026-03-30"}


async def properties(web: httpx.AsyncClient, contact: str, **narrowed: str) -> list[dict[str, Any]]:
    answer = await web.get(f"/contacts/{contact}/properties", params=narrowed, headers=dated())
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def create(web: httpx.AsyncClient, *, timeout: float = 10, **change: Any) -> httpx.Response:
    return await web.post("/v1/contacts", json=JANE | change, headers=key(), timeout=timeout)


async def find(web: httpx.AsyncClient, external_id: str) -> httpx.Response:
    return await web.get("/v1/contacts", params={"externalIds": external_id, "maxResults": 50}, headers=key())


async def text(web: httpx.AsyncClient, **change: object) -> httpx.Response:
    message = {"content": "Your ride is booked", "from": "PNstandin01", "to": ["+19025550100"]} | change
    return await web.post("/v1/messages", json=message, headers=key())


def reason(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["errors"][0]["reason"]


async def token(web: httpx.AsyncClient, clock: HeldClock, **claims: Any) -> str:
    return str((await ask_token(web, clock, **claims)).json()["access_token"])


async def ask_token(
    web: httpx.AsyncClient, clock: HeldClock, *, alg: str = "RS256", issued: int = 0, lifetime: int = 3600, **claims: Any
) -> httpx.Response:
    now = int(clock.now.timestamp()) + issued
    payload = {
        "iss": "robot@project.iam.test", "scope": "https://www.googleapis.com/auth/calendar",
        "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + lifetime,
    } | claims  # fmt: skip
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": alg, "typ": "JWT"}, payload)
    )
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": ".".join([*parts, "c2ln"])}
    return await web.post("/token", data=form)


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "backhaul.sandbox",
        "--home",
        str(home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("stand-ins ready http://127.0.0.1:"), (await process.stderr.read()).decode()
        yield line.split()[-1]
    finally:
        process.terminate()
        async with asyncio.timeout(10):
            _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")


def send_mail(port: int, subject: str, words: str, *, login: bool = False) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "office@demo.test", "ana@demo.test", subject
    message.set_content(words)
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        if login:
            server.login("office", "any")
        server.send_message(message)


def centre(town: str) -> Point:
    return next(place.centre for place in places() if place.name == town)


def table(name: str) -> list[dict[str, str]]:
    with (DEMO / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))
