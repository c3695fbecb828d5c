"""OSRM and Valhalla: what the drive times of an office with a map server of its own may rely on."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, RateLimited, Transient
from backhaul.core.outbound import NO_LIMITS, Limits
from backhaul.outside.geocoder import NoGeocoder
from backhaul.outside.maps import NO_ROAD, Leg, Maps, Place, Point
from backhaul.outside.osrm import Osrm
from backhaul.outside.self_hosted import SelfHosted
from backhaul.outside.valhalla import Valhalla
from tests.fakes import CountingLimits

BASE = "http://maps.test:5000"
HOME = Point(latitude=44.6488, longitude=-63.5752)
BOTH = pytest.mark.parametrize("product", [Osrm, Valhalla])


def places(count: int) -> list[Place]:
    return [Place(id=UUID(int=n), point=Point(latitude=44 + n / 1000, longitude=-63.5)) for n in range(count)]


class Server:
    """A map server: an answer for each path, or one for all. It keeps the requests."""

    def __init__(self, body: object = None, status: int = 200, headers: dict[str, str] | None = None, **by_path: object) -> None:
        self.body, self.status, self.headers, self.by_path = body, status, headers, by_path
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = self.by_path.get(request.url.path.strip("/"), self.body)
        status = self.status
        if callable(body):
            body = body(request)
        if isinstance(body, tuple):
            status, body = body
        if isinstance(body, str):
            return httpx.Response(status, html=body, headers=self.headers)
        return httpx.Response(status, json=body, headers=self.headers)

    @property
    def asked(self) -> list[str]:
        """The services asked, in order."""
        return [request.url.path.split("/")[1] for request in self.requests]


def line(product: type[SelfHosted], server: Server, limits: Limits = NO_LIMITS, url: str = BASE) -> SelfHosted:
    return product(url, NoGeocoder("", limits=limits), limits=limits, transport=server.transport)


async def out(product: type[SelfHosted], server: Server, count: int = 2) -> list[Leg]:
    """The way out: from home to each place."""
    legs = await line(product, server).minutes_to(HOME, places(count))
    assert list(legs) == [one.id for one in places(count)], "every end has its leg, in the order asked"
    return list(legs.values())


async def home(product: type[SelfHosted], server: Server, count: int = 2) -> list[Leg]:
    """The way home: from each place."""
    legs = await line(product, server).minutes(places(count), HOME)
    assert list(legs) == [one.id for one in places(count)], "every start has its leg, in the order asked"
    return list(legs.values())


async def problem_of(product: type[SelfHosted], server: Server) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await home(product, server)
    assert len(server.requests) == 1
    return caught.value


Row = list[float | None]


def table(durations: list[Row], distances: list[Row], off_start: float = 0, off_end: float = 0) -> dict[str, object]:
    """OSRM's answer; the last start, or the last end, lies so far off the road."""

    def waypoints(count: int, last_off: float) -> list[dict[str, object]]:
        return [{"name": "", "location": [-63.5, 44.6], "distance": last_off if n == count - 1 else 3.2} for n in range(count)]

    return {
        "code": "Ok",
        "durations": durations,
        "distances": distances,
        "sources": waypoints(len(durations), off_start),
        "destinations": waypoints(len(durations[0]), off_end),
    }


def matrix(*rows: list[tuple[float, float] | None]) -> dict[str, object]:
    """Valhalla's answer."""
    cells = [
        [
            {"from_index": i, "to_index": j, "time": one and one[0], "distance": one and one[1], "cost": 1.0}
            for j, one in enumerate(row)
        ]
        for i, row in enumerate(rows)
    ]
    return {"sources_to_targets": cells, "units": "kilometers", "algorithm": "costmatrix"}


def route(time: float, length: float) -> dict[str, object]:
    return {"trip": {"status": 0, "summary": {"time": time, "length": length}, "units": "kilometers"}}


def no(code: int, text: str = "because") -> tuple[int, object]:
    """How Valhalla refuses."""
    return 400, {"error_code": code, "error": text, "status_code": 400, "status": "Bad Request"}


def cannot(code: str, text: str = "because") -> tuple[int, object]:
    """How OSRM refuses."""
    return 400, {"code": code, "message": text}


# ── What they are asked ──


async def test_osrm_is_asked_with_the_longitude_first_and_where_the_ends_begin() -> None:
    server, limits = Server(table([[60], [90]], [[1000], [2000]])), CountingLimits()
    starts = [places(1)[0], Place(id=UUID(int=7), point=Point(latitude=0.00001, longitude=-63.5))]
    await line(Osrm, server, limits).minutes(starts, HOME)
    url = server.requests[0].url
    assert server.requests[0].method == "GET"
    assert str(url).startswith(f"{BASE}/table/v1/driving/")
    assert url.path == "/table/v1/driving/-63.500000,44.000000;-63.500000,0.000010;-63.575200,44.648800"
    wanted = {"sources": "0;1", "destinations": "2", "annotations": "duration,distance", "generate_hints": "false"}
    assert dict(url.params) == wanted
    assert server.requests[0].extensions["timeout"]["read"] == 20.0
    assert limits.taken == [("maps", 2)]


async def test_osrm_is_asked_the_other_way_round() -> None:
    server = Server(table([[60, 90, 30]], [[1000, 2000, 10]]))
    assert await out(Osrm, server, 3) == [Leg(minutes=1, metres=1000), Leg(minutes=2, metres=2000), Leg(minutes=1, metres=10)]
    assert server.requests[0].url.params["sources"] == "0"
    assert server.requests[0].url.params["destinations"] == "1;2;3"
    assert server.requests[0].url.path.startswith("/table/v1/driving/-63.575200,44.648800;-63.500000,44.000000;")


async def test_where_people_live_is_in_osrms_path_but_not_in_our_log() -> None:
    with capture_logs() as logged:
        await home(Osrm, Server(table([[60], [90]], [[1000], [2000]])))
    assert logged[0]["path"] == "/table/v1/driving/"
    assert "63.5" not in str(logged)


async def test_valhalla_is_asked_for_roads_close_by_in_kilometres() -> None:
    server, limits = Server(matrix([(60, 1)], [(90, 2)])), CountingLimits()
    await line(Valhalla, server, limits).minutes(places(2), HOME)
    request = server.requests[0]
    assert (request.method, str(request.url)) == ("POST", f"{BASE}/sources_to_targets")
    assert json.loads(request.content) == {
        "sources": [
            {"lat": 44.0, "lon": -63.5, "search_cutoff": 1000},
            {"lat": 44.001, "lon": -63.5, "search_cutoff": 1000},
        ],
        "targets": [{"lat": 44.6488, "lon": -63.5752, "search_cutoff": 1000}],
        "costing": "auto",
        "units": "kilometers",
        "verbose": True,
    }
    assert request.extensions["timeout"]["read"] == 20.0
    assert limits.taken == [("maps", 2)]


async def test_valhalla_is_asked_the_other_way_round() -> None:
    server = Server(matrix([(60, 1), (61, 0.0164)]))
    assert await out(Valhalla, server) == [Leg(minutes=1, metres=1000), Leg(minutes=2, metres=16)]
    body = json.loads(server.requests[0].content)
    assert [len(body[side]) for side in ("sources", "targets")] == [1, 2]


@BOTH
async def test_nobody_to_ask_for_is_not_asked(product: type[SelfHosted]) -> None:
    server = Server()
    maps: Maps = line(product, server)
    assert await maps.minutes([], HOME) == await maps.minutes_to(HOME, []) == {}
    assert server.requests == []


@pytest.mark.parametrize(("product", "most"), [(Osrm, 99), (Valhalla, 50)])
def test_a_call_stays_within_what_such_a_server_takes_unless_it_is_set_otherwise(product: type[SelfHosted], most: int) -> None:
    batches = line(product, Server()).batches(places(200))
    assert [one for batch in batches for one in batch] == places(200)
    assert max(map(len, batches)) == most


# ── Places that have no answer ──


async def test_osrms_empty_cell_means_that_no_road_leads_there() -> None:
    legs = await home(Osrm, Server(table([[None], [661.2]], [[None], [5119.6]])))
    assert legs == [Leg(error=NO_ROAD), Leg(minutes=12, metres=5120)]


@pytest.mark.parametrize(
    ("off_start", "off_end", "where"), [(1000.1, 0, "start"), (0, 175_164.2, "end"), (1000.0, 1000.0, None), (0, 0, None)]
)
async def test_a_place_that_osrm_moved_too_far_has_no_answer(off_start: float, off_end: float, where: str | None) -> None:
    server = Server(table([[60], [60]], [[1000], [1000]], off_start, off_end))
    legs = await home(Osrm, server)
    well = Leg(minutes=1, metres=1000)
    if where is None:
        assert legs == [well, well]
    else:
        assert legs[0] == well or where == "end"
        assert (legs[1].error or "").startswith(f"OSRM knows no road within 1 km of the {where} of this drive. It may be on an")


async def test_osrm_that_refuses_all_for_one_place_is_asked_pair_by_pair() -> None:
    def answer(request: httpx.Request) -> object:
        count = request.url.path.count(";")
        return table([[60]], [[1000]]) if count == 1 and ",44.001" not in request.url.path else cannot("NoSegment")

    server = Server(answer)
    first, second, third = await home(Osrm, server, 3)
    assert first == third == Leg(minutes=1, metres=1000)
    assert "knows no road within 1 km of one of these two places" in (second.error or "")
    assert len(server.requests) == 4


async def test_osrm_without_a_table_for_a_pair_means_no_road() -> None:
    assert await out(Osrm, Server(cannot("NoTable")), 1) == [Leg(error=NO_ROAD)]


async def test_valhallas_empty_cell_is_asked_for_by_itself_since_it_may_be_wrong() -> None:
    server = Server(sources_to_targets=matrix([(60, 1), None]), route=route(10_926.373, 222.896))
    assert await out(Valhalla, server) == [Leg(minutes=1, metres=1000), Leg(minutes=183, metres=222_896)]
    assert server.asked == ["sources_to_targets", "route"]
    assert json.loads(server.requests[1].content) == {
        "locations": [
            {"lat": 44.6488, "lon": -63.5752, "search_cutoff": 1000},
            {"lat": 44.001, "lon": -63.5, "search_cutoff": 1000},
        ],
        "costing": "auto",
        "units": "kilometers",
        "directions_type": "none",
    }


@pytest.mark.parametrize("code", [154, 170, 171, 442])
async def test_valhalla_that_refuses_all_for_one_place_is_asked_pair_by_pair(code: int) -> None:
    def answer(request: httpx.Request) -> object:
        lonely = json.loads(request.content)["locations"][0]["lat"] == 44.001
        return no(code) if lonely else route(61, 1)

    server, limits = Server(sources_to_targets=no(code), route=answer), CountingLimits()
    legs = list((await line(Valhalla, server, limits).minutes(places(3), HOME)).values())
    assert legs[0] == legs[2] == Leg(minutes=2, metres=1000)
    assert legs[1].error
    assert server.asked == ["sources_to_targets", "route", "route", "route"]
    assert limits.taken == [("maps", 3), ("maps", 1), ("maps", 1), ("maps", 1)]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            154,
            "This drive is too long for Valhalla to measure. One place may be placed wrongly on the map. Check both addresses.",
        ),
        (170, NO_ROAD),
        (
            171,
            "Valhalla knows no road within 1 km of one of these two places. It may be on an island, placed wrongly on the map,",
        ),
        (442, NO_ROAD),
    ],
)
async def test_pair_that_valhalla_cannot_drive_says_why(code: int, error: str) -> None:
    (leg,) = await home(Valhalla, Server(no(code)), 1)
    assert (leg.error or "").startswith(error)


async def test_outage_while_asking_pair_by_pair_is_not_kept_as_the_fault_of_a_place() -> None:
    with pytest.raises(Transient):
        await home(Valhalla, Server(sources_to_targets=no(170), route=(503, None)))


# ── Failures of the whole request ──


@pytest.mark.parametrize(
    ("product", "refusal", "kind", "code"),
    [
        (Osrm, cannot("TooBig", "Too many table coordinates"), Misconfigured, "maps.too_big"),
        (Osrm, cannot("InvalidUrl"), Malformed, "maps.bad_request"),
        (Osrm, cannot("InvalidQuery"), Malformed, "maps.bad_request"),
        (Osrm, cannot("InvalidValue"), Malformed, "maps.bad_request"),
        (Osrm, (200, {"code": "SomethingNew", "message": "because"}), Malformed, "maps.bad_request"),
        (Osrm, (400, {"message": "because"}), Malformed, "maps.400"),
        (Valhalla, no(150, "Exceeded max locations: 2500"), Misconfigured, "maps.too_big"),
        (Valhalla, no(112), Malformed, "maps.bad_request"),
        (Valhalla, no(125), Malformed, "maps.bad_request"),
        (Valhalla, (400, {"error": "because"}), Malformed, "maps.400"),
    ],
)
async def test_its_own_word_decides(product: type[SelfHosted], refusal: object, kind: type[OutsideProblem], code: str) -> None:
    problem = await problem_of(product, Server(refusal))
    assert (type(problem), problem.code) == (kind, code)
    if kind is Malformed:
        assert '"because"' in problem.why
    assert problem.todo


@BOTH
@pytest.mark.parametrize("body", [{"message": "because", "error": "because", "error_code": 199, "code": "Odd"}, "<h1>No</h1>"])
@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, Misconfigured, "maps.401"),
        (403, Misconfigured, "maps.403"),
        (404, Misconfigured, "maps.not_there"),
        (429, RateLimited, "maps.rate_limited"),
        (500, Transient, "maps.500"),
        (502, Transient, "maps.502"),
        (503, Transient, "maps.503"),
    ],
)
async def test_whoever_stands_before_it_is_judged_by_the_status(
    product: type[SelfHosted], body: object, status: int, kind: type[OutsideProblem], code: str
) -> None:
    problem = await problem_of(product, Server(body, status=status))
    assert (type(problem), problem.code) == (kind, code)


@BOTH
async def test_a_server_that_is_another_is_said_to_be_missing(product: type[SelfHosted]) -> None:
    problem = await problem_of(product, Server((404, {"error_code": 106, "error": "Try any of: '/locate'"})))
    assert problem.what == f"There is no {product.service} at the address set for it"


@BOTH
@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", None, 7, {}, [], {"code": "Ok"}, {"code": "Ok", "durations": 7}])
async def test_answer_of_another_shape_is_an_error_and_never_an_empty_result(product: type[SelfHosted], body: object) -> None:
    problem = await problem_of(product, Server(body))
    assert (type(problem), problem.code) == (Malformed, "maps.unreadable")


CUT_OFF: list[tuple[type[SelfHosted], Any]] = [
    (Osrm, table([[60]], [[1000]])),
    (Osrm, table([[60], [60]], [[1000]])),
    (Osrm, table([[60, 60], [60, 60]], [[1, 1], [1, 1]])),
    (Osrm, table([[60], [60]], [[1000], [1000]]) | {"sources": []}),
    (Osrm, table([[60], [60]], [[1000], [1000]]) | {"destinations": []}),
    (Osrm, table([[-1], [60]], [[1000], [1000]])),
    (Valhalla, matrix([(60, 1)])),
    (Valhalla, matrix([(60, 1)], [])),
    (Valhalla, matrix([(60, 1), (60, 1)], [(60, 1), (60, 1)])),
    (Valhalla, matrix([(-1, 1)], [(60, 1)])),
]


@pytest.mark.parametrize(("product", "body"), CUT_OFF)
async def test_matrix_of_another_size_is_not_read_as_if_it_fitted(product: type[SelfHosted], body: object) -> None:
    assert (await problem_of(product, Server(body))).code == "maps.unreadable"


@BOTH
async def test_its_own_server_has_no_minute_to_wait_for(product: type[SelfHosted]) -> None:
    for headers, pause in (({"Retry-After": "7"}, 7.0), (None, 1.0)):
        problem = await problem_of(product, Server(status=429, headers=headers))
        assert isinstance(problem, RateLimited)
        assert (problem.retry_after, problem.what) == (pause, f"{product.service} asked us to slow down")


@BOTH
async def test_without_an_address_it_is_a_setting_to_correct(product: type[SelfHosted]) -> None:
    with pytest.raises(Misconfigured) as caught:
        await product("", NoGeocoder("", limits=NO_LIMITS), limits=NO_LIMITS).minutes(places(1), HOME)
    assert (caught.value.code, caught.value.why) == ("maps.setting", "No address is set")


@BOTH
async def test_closing_closes_the_geocoder_too(product: type[SelfHosted]) -> None:
    closed: list[str] = []

    class Geocoder(NoGeocoder):
        async def aclose(self) -> None:
            closed.append(self.service)

    await product(BASE, Geocoder("", limits=NO_LIMITS), limits=NO_LIMITS).aclose()
    assert closed == ["Geocoder"]
