"""The stand-ins for OSRM, Valhalla and Nominatim: what a demo without Google, and the drills of its failures, rely on.

Shapes are checked against what the real servers answered; then the adapters are let loose on them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from backhaul.core.errors import Misconfigured, OutsideProblem, RateLimited, Transient, Unplaceable
from backhaul.core.outbound import NO_LIMITS
from backhaul.outside.maps import NO_ROAD, Address, Maps, Place, Point
from backhaul.outside.nominatim import Nominatim
from backhaul.outside.osrm import Osrm
from backhaul.outside.valhalla import Valhalla
from backhaul.sandbox import geography
from backhaul.sandbox.app import StandIns, create_app

HALIFAX, TRURO = Point(latitude=44.649, longitude=-63.59), Point(latitude=45.365, longitude=-63.287)
YARMOUTH, SYDNEY = Point(latitude=43.837, longitude=-66.117), Point(latitude=46.137, longitude=-60.194)
PICTOU_ISLAND, AT_SEA = Point(latitude=45.815, longitude=-62.562), Point(latitude=43.2, longitude=-62.0)
BASE = "http://stand-ins.test"
BOTH = pytest.mark.parametrize("product", [Osrm, Valhalla])


@pytest.fixture
async def stand_ins() -> AsyncIterator[StandIns]:
    app = create_app(":memory:")
    yield app
    app.close()


@pytest.fixture
def way(stand_ins: StandIns) -> httpx.AsyncBaseTransport:
    return httpx.ASGITransport(app=stand_ins)


@pytest.fixture
async def web(way: httpx.AsyncBaseTransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=way, base_url=BASE) as client:
        yield client


async def table(web: httpx.AsyncClient, *points: Point, **options: str) -> httpx.Response:
    path = ";".join(f"{point.longitude},{point.latitude}" for point in points)
    return await web.get(f"/table/v1/driving/{path}", params=options)


def location(point: Point, **fields: object) -> dict[str, object]:
    return {"lat": point.latitude, "lon": point.longitude, **fields}


async def matrix(web: httpx.AsyncClient, sources: list[Point], targets: list[Point], /, **fields: object) -> httpx.Response:
    sides = {"sources": [location(point) for point in sources], "targets": [location(point) for point in targets]}
    return await web.post("/sources_to_targets", json={**sides, "costing": "auto", **fields})


async def route(web: httpx.AsyncClient, *points: Point, **fields: object) -> httpx.Response:
    return await web.post("/route", json={"locations": [location(p, **fields) for p in points], "costing": "auto"})


# ── OSRM ──


async def test_a_table_is_of_seconds_and_metres_with_the_longitude_first(web: httpx.AsyncClient) -> None:
    wanted = {"sources": "0;1", "destinations": "2", "annotations": "duration,distance"}
    answer = await table(web, HALIFAX, PICTOU_ISLAND, TRURO, **wanted)
    assert answer.json() == {
        "code": "Ok",
        "durations": [[4143], [None]],
        "distances": [[104903], [None]],
        "sources": [
            {"distance": 0, "name": "", "location": [-63.59, 44.649]},
            {"distance": 0, "name": "", "location": [-62.562, 45.815]},
        ],
        "destinations": [{"distance": 0, "name": "", "location": [-63.287, 45.365]}],
    }
    assert "great circle" in answer.headers["X-Stand-In-Model"]


async def test_a_table_is_of_all_pairs_and_of_seconds_alone_unless_told_otherwise(web: httpx.AsyncClient) -> None:
    answer = (await table(web, HALIFAX, TRURO)).json()
    assert answer["durations"] == [[0, 4143], [4143, 0]]
    assert "distances" not in answer


async def test_a_point_at_sea_is_moved_to_a_road_and_the_answer_says_how_far(web: httpx.AsyncClient) -> None:
    sea = (await table(web, AT_SEA, HALIFAX)).json()["sources"][0]
    assert sea["distance"] > 100_000
    assert sea["location"] in [[place.centre.longitude, place.centre.latitude] for place in geography.places()]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("-63.59,44.649;abc", "InvalidQuery"),
        ("-63.59,44.649;-63.5,95", "InvalidOptions"),
        ("-63.59,44.649", "InvalidOptions"),
        ("-63.59,44.649;-63.5,44.6?sources=2", "InvalidOptions"),
        ("-63.59,44.649;-63.5,44.6?sources=x", "InvalidQuery"),
        ("-63.59,44.649;-63.5,44.6?annotations=minutes", "InvalidQuery"),
        ("-63.59,44.649;-63.5,44.6?traffic=1", "InvalidQuery"),
        (";".join(["-63.59,44.649"] * 101), "TooBig"),
    ],
)
async def test_a_table_that_osrm_would_refuse_is_refused_with_its_code(web: httpx.AsyncClient, path: str, code: str) -> None:
    answer = await web.get(f"/table/v1/driving/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_hundred_by_a_hundred_is_not_too_big(web: httpx.AsyncClient) -> None:
    assert (await table(web, *[HALIFAX] * 100)).status_code == 200


# ── Valhalla ──


async def test_a_matrix_is_of_seconds_and_kilometres(web: httpx.AsyncClient) -> None:
    answer = (await matrix(web, [HALIFAX], [HALIFAX, TRURO])).json()
    assert answer["sources_to_targets"] == [
        [
            {"from_index": 0, "to_index": 0, "time": 0, "distance": 0.0},
            {"from_index": 0, "to_index": 1, "time": 4143, "distance": 104.903},
        ]
    ]
    assert answer["units"] == "kilometers"
    slim = (await matrix(web, [HALIFAX], [TRURO], verbose=False, units="miles")).json()
    assert slim["sources_to_targets"] == {"durations": [[4143]], "distances": [[65.184]]}


@pytest.mark.parametrize(
    ("sources", "targets", "code"),
    [
        ([HALIFAX, PICTOU_ISLAND], [TRURO], 170),
        ([HALIFAX, AT_SEA], [TRURO], 170),
        ([HALIFAX, YARMOUTH], [SYDNEY], 154),
        ([HALIFAX] * 51, [TRURO] * 50, 150),
        ([], [TRURO], 112),
    ],
)
async def test_one_place_fails_the_whole_matrix(
    web: httpx.AsyncClient, sources: list[Point], targets: list[Point], code: int
) -> None:
    answer = await matrix(web, sources, targets)
    assert (answer.status_code, answer.json()["error_code"], answer.json()["status"]) == (400, code, "Bad Request")


@pytest.mark.parametrize(
    ("change", "code"),
    [({"costing": "car"}, 125), ({"sources": [{"lat": 144, "lon": 0}]}, 131), ({"targets": [7]}, 132), ({"targets": 7}, 112)],
)
async def test_a_request_that_valhalla_would_refuse_is_refused_with_its_code(
    web: httpx.AsyncClient, change: dict[str, object], code: int
) -> None:
    assert (await matrix(web, [HALIFAX], [TRURO], **change)).json()["error_code"] == code


async def test_no_json_is_refused_and_costing_is_needed(web: httpx.AsyncClient) -> None:
    for body in (b"{", b"[]"):
        assert (await web.post("/sources_to_targets", content=body)).json()["error_code"] == 100
    sides = {"sources": [location(HALIFAX)], "targets": [location(TRURO)]}
    assert (await web.post("/sources_to_targets", json=sides)).json()["error_code"] == 124


async def test_a_route_is_found_where_the_matrix_refuses_to_look_and_tells_why_where_there_is_none(
    web: httpx.AsyncClient,
) -> None:
    summary = (await route(web, YARMOUTH, SYDNEY)).json()["trip"]["summary"]
    assert summary["length"] > 500
    assert summary["time"] > 4 * 3600
    assert (await route(web, HALIFAX, PICTOU_ISLAND)).json()["error_code"] == 170
    assert (await route(web, HALIFAX, AT_SEA)).json()["error_code"] == 171
    assert (await route(web, HALIFAX)).json()["error_code"] == 120


# ── Nominatim ──


async def test_a_search_answers_with_texts_for_coordinates_and_a_house_only_where_there_is_one(web: httpx.AsyncClient) -> None:
    async def search(**params: str) -> Any:
        return (await web.get("/search", params={"format": "jsonv2", "addressdetails": "1", **params})).json()

    (house,) = await search(q="12 Main St, Truro, NS B2N 1A1", countrycodes="ca")
    assert (house["type"], house["place_rank"], house["address"]["house_number"]) == ("house", 30, "12")
    assert isinstance(house["lat"], str)
    assert house["display_name"].startswith("12 Main St, Truro, NS")
    for street in ("Main St, Truro, NS", "Truro, NS"):
        (place,) = await search(q=street)
        assert "house_number" not in place["address"]
    assert await search(q="1 Lost Lane, Nowhere Corner, NS") == []
    assert await search(q="12 Main St, Truro, NS", countrycodes="us") == []
    assert "address" not in (await search(q="Truro, NS", addressdetails="0"))[0]


async def test_a_search_for_nothing_or_in_another_format_is_refused_in_json(web: httpx.AsyncClient) -> None:
    for params in ({}, {"q": "Truro", "format": "xml"}):
        answer = await web.get("/search", params=params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


# ── Faults ──


@pytest.mark.parametrize("kind", ["401", "402", "403", "404", "429", "500", "503", "504", "denied", "TooBig", "NoSegment"])
async def test_no_refusal_of_osrm_ever_looks_like_an_answer(stand_ins: StandIns, web: httpx.AsyncClient, kind: str) -> None:
    stand_ins.desk.order({"service": "maps", "fault": kind})
    assert (await table(web, HALIFAX, TRURO)).status_code >= 400


@pytest.mark.parametrize("kind", ["401", "403", "404", "429", "500", "503", "150", "154", "170", "171", "442"])
async def test_no_refusal_of_valhalla_ever_looks_like_an_answer(stand_ins: StandIns, web: httpx.AsyncClient, kind: str) -> None:
    stand_ins.desk.order({"service": "maps", "fault": kind})
    assert (await matrix(web, [HALIFAX], [TRURO])).status_code >= 400
    assert (await route(web, HALIFAX, TRURO)).status_code >= 400


async def test_a_slow_down_says_for_how_long_if_so_ordered(stand_ins: StandIns, web: httpx.AsyncClient) -> None:
    stand_ins.desk.order({"service": "maps", "fault": "429", "retry_after": 7, "times": 1})
    page = await table(web, HALIFAX, TRURO)
    assert (page.headers["Retry-After"], "Too Many Requests" in page.text) == ("7", True)


# ── Our adapters, let loose on them ──


def maps_on(way: httpx.AsyncBaseTransport, product: type[Osrm | Valhalla]) -> Maps:
    return product(BASE, Nominatim(BASE, limits=NO_LIMITS, transport=way), limits=NO_LIMITS, transport=way)


def as_places(*points: Point) -> list[Place]:
    return [Place(id=UUID(int=n), point=point) for n, point in enumerate(points)]


@BOTH
async def test_drives_are_measured_both_ways_and_places_without_a_road_say_so(
    way: httpx.AsyncBaseTransport, product: type[Osrm | Valhalla]
) -> None:
    maps = maps_on(way, product)
    for legs in (
        await maps.minutes(as_places(TRURO, PICTOU_ISLAND, AT_SEA, YARMOUTH), SYDNEY),
        await maps.minutes_to(SYDNEY, as_places(TRURO, PICTOU_ISLAND, AT_SEA, YARMOUTH)),
    ):
        truro, island, sea, yarmouth = legs.values()
        assert truro.minutes is not None
        assert island.error == NO_ROAD
        assert "no road within 1 km" in (sea.error or "")
        assert (yarmouth.minutes or 0) > truro.minutes
    await maps.aclose()


@BOTH
async def test_an_address_is_placed_by_nominatim_and_measured(
    way: httpx.AsyncBaseTransport, product: type[Osrm | Valhalla]
) -> None:
    maps = maps_on(way, product)
    home = await maps.locate(Address(line="12 Main St", city="Truro", province="NS", postal_code="B2N 1A1"))
    street = await maps.locate(Address(line="Main St", city="Truro", province="NS", postal_code="B2N 1A1"))
    assert (home.precision, street.precision) == ("exact", "approximate")
    (leg,) = (await maps.minutes(as_places(HALIFAX), home.point)).values()
    assert 60 <= (leg.minutes or 0) <= 80
    with pytest.raises(Unplaceable):
        await maps.locate(Address(line="1 Lost Lane", city="Nowhere Corner", province="NS", postal_code=""))


@BOTH
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"fault": "401"}, Misconfigured),
        ({"fault": "404"}, Misconfigured),
        ({"fault": "429"}, RateLimited),
        ({"fault": "503"}, Transient),
        ({"fault": "timeout"}, Transient),
        ({"fault": "lost"}, Transient),
        ({"fault": "html", "status": 502}, Transient),
    ],
)
async def test_each_fault_is_told_as_what_it_means(
    stand_ins: StandIns,
    way: httpx.AsyncBaseTransport,
    product: type[Osrm | Valhalla],
    fault: dict[str, object],
    kind: type[OutsideProblem],
) -> None:
    stand_ins.desk.order({"service": "maps", **fault})
    with pytest.raises(kind):
        await maps_on(way, product).minutes(as_places(HALIFAX), TRURO)


async def test_a_pair_that_valhallas_matrix_leaves_empty_is_asked_of_its_route(
    stand_ins: StandIns, way: httpx.AsyncBaseTransport
) -> None:
    stand_ins.desk.order({"service": "maps", "fault": "zero", "times": 1})
    (leg,) = (await maps_on(way, Valhalla).minutes(as_places(HALIFAX), TRURO)).values()
    assert (leg.minutes, leg.metres) == (70, 104_903)
    stand_ins.desk.order({"service": "maps", "fault": "zero"})
    (leg,) = (await maps_on(way, Valhalla).minutes(as_places(HALIFAX), TRURO)).values()
    assert leg.error == NO_ROAD
