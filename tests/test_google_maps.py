"""Google Maps: what the drive times, and the person who reads why one is missing, may rely on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from backhaul.core.errors import (
    Gone,
    Malformed,
    Misconfigured,
    OutsideProblem,
    RateLimited,
    Transient,
    Unplaceable,
)
from backhaul.core.outbound import NO_LIMITS
from backhaul.outside.google_distance_matrix import GoogleDistanceMatrix
from backhaul.outside.google_geocoding import GoogleGeocoding
from backhaul.outside.google_routes import GoogleRoutes, nanoseconds
from backhaul.outside.maps import Address, Found, Leg, Maps, Place, Point
from tests.fakes import CountingLimits

KEY = "AIza-secret-key-42"
HOME = Point(latitude=44.6488, longitude=-63.5752)
HIGH_ST = Address(line="1 High St", city="Halifax", province="NS", postal_code="B3H 1A1")

REFUSED = (
    "Google Maps refused our key",
    "The key is wrong, restricted, or the service is not switched on for it",
    "Ask the administrator; retrying will not help",
)
STOPPED = (
    "Google Maps has stopped for today",
    "Billing or a spending limit on the account",
    "Ask whoever pays the Google account",
)
SLOW = (
    "Google Maps asked us to slow down",
    "Too many requests in a short time",
    "Nothing to do; it is tried again by itself",
)
UNKNOWN_ADDRESS = (
    "Google Maps does not know this address",
    "Street, city or postal code may be misspelt",
    "Correct the address and save; the drive times are then calculated again",
)
NOT_FOUND = (
    "Google Maps does not know this address. Street, city or postal code may be misspelt. "
    "Correct the address and save; the drive times are then calculated again."
)
NO_ROAD = "There is no road between these two places. One may be on an island or placed wrongly on the map. Check both addresses."


def place(number: int) -> Place:
    return Place(id=UUID(int=number), point=Point(latitude=44 + number / 1000, longitude=-63.5))


def places(count: int) -> list[Place]:
    return [place(number) for number in range(count)]


class Google:
    """Google as the adapters see it: one answer for all requests, which it keeps."""

    def __init__(self, body: object = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.body, self.status, self.headers = body, status, headers
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.body, str):
            return httpx.Response(self.status, html=self.body, headers=self.headers)
        return httpx.Response(self.status, json=self.body, headers=self.headers)


def geocoding(google: Google) -> GoogleGeocoding:
    return GoogleGeocoding(KEY, limits=NO_LIMITS, transport=google.transport)


def matrix(google: Google) -> GoogleDistanceMatrix:
    return GoogleDistanceMatrix(KEY, limits=NO_LIMITS, transport=google.transport)


def routes(google: Google) -> GoogleRoutes:
    return GoogleRoutes(KEY, limits=NO_LIMITS, transport=google.transport)


async def ask_geocoding(google: Google) -> object:
    return await geocoding(google).locate(HIGH_ST)


async def ask_matrix(google: Google) -> object:
    return await matrix(google).minutes(places(2), HOME)


async def ask_routes(google: Google) -> object:
    return await routes(google).minutes(places(2), HOME)


async def ask_routes_to(google: Google) -> object:
    return await routes(google).minutes_to(HOME, places(2))


async def problem_of(ask: Callable[[Google], Any], google: Google) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await ask(google)
    assert KEY not in repr(vars(caught.value)) + str(caught.value)
    assert len(google.requests) == 1
    return caught.value


def texts(problem: OutsideProblem) -> tuple[str, str, str]:
    return problem.what, problem.why, problem.todo


def element(index: int | None, **fields: object) -> dict[str, object]:
    found: dict[str, object] = {"originIndex": index, "destinationIndex": 0, "status": {}, "condition": "ROUTE_EXISTS", **fields}
    return {name: value for name, value in found.items() if value is not None}


def legacy(*elements: dict[str, object], status: str = "OK", **fields: object) -> dict[str, object]:
    return {"status": status, "rows": [{"elements": [one]} for one in elements], **fields}


def drive(seconds: float, metres: int = 5120) -> dict[str, object]:
    return {"status": "OK", "distance": {"value": metres, "text": "…"}, "duration": {"value": seconds, "text": "…"}}


def result(location_type: str = "ROOFTOP", **fields: object) -> dict[str, object]:
    return {
        "formatted_address": "1 High St, Halifax, NS B3H 1A1, Canada",
        "place_id": "ChIJ1",
        "geometry": {"location": {"lat": 44.6, "lng": -63.5}, "location_type": location_type},
        **fields,
    }


# ── The vocabulary ──

AN_ADDRESS = st.builds(Address, line=st.text(), city=st.text(), province=st.text(), postal_code=st.text())
A_POINT = st.builds(Point, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))
A_LEG = st.one_of(
    st.builds(Leg, minutes=st.integers(0, 10**6), metres=st.none() | st.integers(0, 10**9), fallback=st.booleans()),
    st.builds(Leg, error=st.text(min_size=1)),
)
A_FOUND = st.builds(Found, point=A_POINT, precision=st.sampled_from(["exact", "approximate"]), formatted=st.text())


@given(
    kept=st.one_of(
        AN_ADDRESS.map(lambda value: (Address, value)),
        st.builds(Place, point=A_POINT).map(lambda value: (Place, value)),
        A_FOUND.map(lambda value: (Found, value)),
        st.dictionaries(st.uuids(), A_LEG, max_size=3).map(lambda value: (dict[UUID, Leg], value)),
        st.lists(st.builds(Place, point=A_POINT), max_size=3).map(lambda value: (list[Place], value)),
    )
)
def test_every_answer_survives_being_kept_as_a_checkpoint(kept: tuple[Any, object]) -> None:
    shape, value = kept
    adapter = TypeAdapter[Any](shape)
    assert adapter.validate_json(adapter.dump_json(value)) == value


def test_leg_has_either_minutes_or_a_reason() -> None:
    for wrong in ({}, {"metres": 7}, {"minutes": 7, "error": "no"}):
        with pytest.raises(ValidationError):
            Leg.model_validate(wrong)


def test_address_is_written_on_one_line_without_gaps() -> None:
    assert HIGH_ST.text == "1 High St, Halifax, NS B3H 1A1"
    assert Address(line=" ", city="Truro", province="NS", postal_code="").text == "Truro, NS"
    assert Address(line="", city="", province="", postal_code=" ").text == ""


def test_validation_errors_do_not_repeat_what_was_typed() -> None:
    model: type[BaseModel] = Point
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"latitude": "somewhere private", "longitude": 0})
    assert "private" not in str(caught.value)


@pytest.mark.parametrize("product", [matrix, routes])
def test_each_product_is_a_map_service(product: Callable[[Google], Maps]) -> None:
    assert product(Google()).service == "Google Maps"


@given(count=st.integers(0, 2000))
def test_batches_cover_each_place_once_in_order_and_fit_one_call(count: int) -> None:
    google, everybody = Google(), places(count)
    for product, most in ((matrix(google), 25), (routes(google), 625)):
        batches = product.batches(everybody)
        assert [one for batch in batches for one in batch] == everybody
        assert all(0 < len(batch) <= most for batch in batches)
        assert len(batches) == -(-count // most)


@pytest.mark.parametrize(("count", "by_matrix", "by_routes"), [(100, 4, 1), (300, 12, 1), (625, 25, 1), (626, 26, 2)])
def test_one_place_is_measured_against_many_in_as_few_calls_as_google_allows(count: int, by_matrix: int, by_routes: int) -> None:
    google, everybody = Google(), places(count)
    assert [len(product.batches(everybody)) for product in (matrix(google), routes(google))] == [by_matrix, by_routes]


@given(seconds=st.integers(0, 10**6), decimals=st.from_regex(r"(\.[0-9]{1,9})?", fullmatch=True))
def test_any_duration_google_writes_is_read_to_the_nanosecond(seconds: int, decimals: str) -> None:
    expected = seconds * 10**9 + int(decimals[1:].ljust(9, "0") or 0)
    assert nanoseconds(f"{seconds}{decimals}s") == expected


@given(st.text().filter(lambda text: not re.fullmatch(r"[0-9]+(\.[0-9]+)?s", text)))
def test_no_other_text_is_taken_for_a_duration(text: str) -> None:
    assert nanoseconds(text) is None


# ── Failures of the whole request, in each dialect ──

WORDS = [
    ("INVALID_REQUEST", Malformed, "maps.bad_request", None),
    ("MAX_ELEMENTS_EXCEEDED", Malformed, "maps.bad_request", None),
    ("MAX_DIMENSIONS_EXCEEDED", Malformed, "maps.bad_request", None),
    ("OVER_QUERY_LIMIT", RateLimited, "maps.rate_limited", SLOW),
    ("OVER_DAILY_LIMIT", Misconfigured, "maps.daily_limit", STOPPED),
    ("REQUEST_DENIED", Misconfigured, "maps.denied", REFUSED),
    ("UNKNOWN_ERROR", Transient, "maps.fault", None),
    ("SOMETHING_NEW", Malformed, "maps.bad_request", None),
]


@pytest.mark.parametrize("ask", [ask_geocoding, ask_matrix])
@pytest.mark.parametrize(("word", "kind", "code", "expected"), WORDS)
async def test_status_word_under_http_200_is_a_failure(
    ask: Callable[[Google], Any], word: str, kind: type[OutsideProblem], code: str, expected: tuple[str, str, str] | None
) -> None:
    problem = await problem_of(ask, Google({"status": word, "error_message": "because", "rows": [], "results": []}))
    assert (type(problem), problem.code) == (kind, code)
    if expected:
        assert texts(problem) == expected
    else:
        assert problem.why == f'Google answered {word}: "because"'
        assert problem.todo


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_word_counts_for_more_than_the_http_status_whenever_the_body_parses(status: int) -> None:
    for word, kind, code, _ in WORDS[:-1]:
        problem = await problem_of(ask_matrix, Google({"status": word}, status=status))
        assert (type(problem), problem.code) == (kind, code)


async def test_googles_reason_for_refusing_stays_with_the_error_for_whoever_reads_the_traceback() -> None:
    said = "You're calling a legacy API, which is not enabled for your project"
    problem = await problem_of(ask_matrix, Google({"status": "REQUEST_DENIED", "error_message": f"{said} ({KEY})"}))
    assert problem.__notes__ == [f'Google answered REQUEST_DENIED: "{said} ([…])"']


@pytest.mark.parametrize("wrap", [lambda error: error, lambda error: [error], lambda error: [element(0), error]])
@pytest.mark.parametrize(
    ("status", "word", "kind", "code"),
    [
        (400, "INVALID_ARGUMENT", Malformed, "maps.bad_request"),
        (401, "UNAUTHENTICATED", Misconfigured, "maps.denied"),
        (403, "PERMISSION_DENIED", Misconfigured, "maps.denied"),
        (404, "NOT_FOUND", Gone, "maps.404"),
        (429, "RESOURCE_EXHAUSTED", RateLimited, "maps.rate_limited"),
        (500, "INTERNAL", Transient, "maps.fault"),
        (503, "UNAVAILABLE", Transient, "maps.fault"),
        (504, "DEADLINE_EXCEEDED", Transient, "maps.fault"),
    ],
)
async def test_rpc_error_is_understood_bare_and_wrapped_in_an_array(
    wrap: Callable[[object], object], status: int, word: str, kind: type[OutsideProblem], code: str
) -> None:
    body = wrap({"error": {"code": status, "message": "because", "status": word, "details": []}})
    problem = await problem_of(ask_routes, Google(body, status=status))
    assert (type(problem), problem.code) == (kind, code)
    if kind is Misconfigured:
        assert texts(problem) == REFUSED
    elif kind is RateLimited:
        assert texts(problem) == SLOW
    else:
        assert '"because"' in problem.why


async def test_rpc_error_under_http_200_is_a_failure_too() -> None:
    for error, kind in (
        ({"code": 429}, RateLimited),
        ({"status": "UNAVAILABLE"}, Transient),
        ({"code": 418, "message": "teapot"}, Malformed),
        ({}, Malformed),
        ("sorry", Malformed),
    ):
        assert type(await problem_of(ask_routes, Google([{"error": error}]))) is kind


async def test_mistyped_key_is_told_from_a_mistake_of_ours() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    body = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": details}}
    problem = await problem_of(ask_routes, Google(body, status=400))
    assert (type(problem), texts(problem)) == (Misconfigured, REFUSED)


@pytest.mark.parametrize("ask", [ask_geocoding, ask_matrix, ask_routes])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, Malformed), (400, Malformed), (403, Misconfigured), (404, Gone), (429, RateLimited), (502, Transient)],
)
async def test_page_of_a_proxy_is_judged_by_its_status(
    ask: Callable[[Google], Any], status: int, kind: type[OutsideProblem]
) -> None:
    assert type(await problem_of(ask, Google("<html><h1>No</h1></html>", status=status))) is kind


@pytest.mark.parametrize("ask", [ask_geocoding, ask_matrix, ask_routes])
@pytest.mark.parametrize("body", [None, 7, "text", {}, [], [7], {"status": 7}, {"status": "OK", "rows": 7, "results": 7}])
async def test_answer_of_another_shape_is_an_error_and_never_an_empty_result(ask: Callable[[Google], Any], body: object) -> None:
    problem = await problem_of(ask, Google(body))
    assert (type(problem), problem.code) == (Malformed, "maps.unreadable")


@pytest.mark.parametrize("ask", [ask_geocoding, ask_matrix, ask_routes])
async def test_pause_is_what_google_says_or_else_its_minute(ask: Callable[[Google], Any]) -> None:
    for headers, pause in (({"Retry-After": "7"}, 7.0), (None, 60.0)):
        problem = await problem_of(ask, Google({"status": "OVER_QUERY_LIMIT"}, status=429, headers=headers))
        assert isinstance(problem, RateLimited)
        assert problem.retry_after == pause


async def test_google_that_says_when_it_will_be_back_is_not_asked_before() -> None:
    body = {"error": {"code": 503, "message": "because", "status": "UNAVAILABLE"}}
    problem = await problem_of(ask_routes, Google(body, status=503, headers={"Retry-After": "120"}))
    assert isinstance(problem, RateLimited)
    assert (problem.retry_after, problem.code) == (120.0, "maps.fault")


# ── Geocoding ──


async def test_geocoding_sends_the_bare_address_and_nothing_else() -> None:
    google = Google({"status": "OK", "results": [result()]})
    limits = CountingLimits()
    found = await GoogleGeocoding(KEY, limits=limits, transport=google.transport).locate(HIGH_ST)
    assert found == Found(
        point=Point(latitude=44.6, longitude=-63.5),
        precision="exact",
        formatted="1 High St, Halifax, NS B3H 1A1, Canada",
        place_id="ChIJ1",
    )
    url = google.requests[0].url
    assert (google.requests[0].method, url.host, url.path) == ("GET", "maps.googleapis.com", "/maps/api/geocode/json")
    assert dict(url.params) == {"address": "1 High St, Halifax, NS B3H 1A1", "components": "country:CA", "key": KEY}
    assert limits.taken == [("maps", 1)]


@pytest.mark.parametrize(
    ("location_type", "fields", "precision"),
    [
        ("ROOFTOP", {}, "exact"),
        ("RANGE_INTERPOLATED", {}, "exact"),
        ("ROOFTOP", {"partial_match": True}, "approximate"),
        ("RANGE_INTERPOLATED", {"partial_match": True}, "approximate"),
        ("GEOMETRIC_CENTER", {}, "approximate"),
        ("APPROXIMATE", {}, "approximate"),
        ("SOMETHING_NEW", {}, "approximate"),
    ],
)
async def test_only_a_house_that_matched_in_every_word_is_exact(
    location_type: str, fields: dict[str, object], precision: str
) -> None:
    found = await geocoding(Google({"status": "OK", "results": [result(location_type, **fields)]})).locate(HIGH_ST)
    assert found.precision == precision


@pytest.mark.parametrize("word", ["ZERO_RESULTS", "OK"])
async def test_unknown_address_is_for_a_person_to_correct(word: str) -> None:
    problem = await problem_of(ask_geocoding, Google({"status": word, "results": []}))
    assert (type(problem), problem.code, texts(problem)) == (Unplaceable, "maps.not_found", UNKNOWN_ADDRESS)


async def test_empty_address_is_not_even_asked_for() -> None:
    google = Google()
    with pytest.raises(Unplaceable) as caught:
        await geocoding(google).locate(Address(line="", city=" ", province="", postal_code=""))
    assert caught.value.code == "maps.no_address"
    assert google.requests == []


@pytest.mark.parametrize("product", [GoogleRoutes, GoogleDistanceMatrix])
async def test_both_matrices_locate_addresses_at_the_geocoder(product: type[GoogleRoutes | GoogleDistanceMatrix]) -> None:
    google = Google({"status": "OK", "results": [result()]})
    maps: Maps = product(KEY, limits=NO_LIMITS, geocoding_url="http://127.0.0.1:9/geo", transport=google.transport)
    assert (await maps.locate(HIGH_ST)).precision == "exact"
    await maps.aclose()
    assert str(google.requests[0].url).startswith("http://127.0.0.1:9/geo/maps/api/geocode/json?")


# ── Routes ──


async def test_routes_is_asked_with_coordinates_a_mask_and_the_key_in_a_header() -> None:
    google = Google([element(0, duration="60s"), element(1, duration="60s")])
    limits = CountingLimits()
    starts = places(2)
    await GoogleRoutes(KEY, limits=limits, transport=google.transport).minutes(starts, HOME)
    request = google.requests[0]
    assert str(request.url) == "https://routes.googleapis.com/distanceMatrix/v2:computeRouteMatrix"
    assert request.headers["X-Goog-Api-Key"] == KEY
    mask = "originIndex,destinationIndex,status,condition,distanceMeters,duration,staticDuration,fallbackInfo"
    assert request.headers["X-Goog-FieldMask"] == mask
    assert json.loads(request.content) == {
        "origins": [
            {"waypoint": {"location": {"latLng": {"latitude": 44.0, "longitude": -63.5}}}},
            {"waypoint": {"location": {"latLng": {"latitude": 44.001, "longitude": -63.5}}}},
        ],
        "destinations": [{"waypoint": {"location": {"latLng": {"latitude": 44.6488, "longitude": -63.5752}}}}],
        "travelMode": "DRIVE",
        "routingPreference": "TRAFFIC_UNAWARE",
    }
    assert request.extensions["timeout"]["read"] == 20.0
    assert limits.taken == [("maps", 2)]


@pytest.mark.parametrize("product", [routes, matrix])
async def test_nobody_to_ask_for_costs_nothing(product: Callable[[Google], Maps]) -> None:
    google = Google()
    assert await product(google).minutes([], HOME) == await product(google).minutes_to(HOME, []) == {}
    assert google.requests == []


async def test_routes_measures_the_way_out_in_one_call_for_its_elements() -> None:
    google = Google([element(0, destinationIndex=1, duration="120s", distanceMeters=7), element(0, duration="60s")])
    limits = CountingLimits()
    legs = await GoogleRoutes(KEY, limits=limits, transport=google.transport).minutes_to(HOME, places(3))
    assert list(legs) == [one.id for one in places(3)], "every end has its leg, in the order asked"
    first, second, third = legs.values()
    assert (first, second) == (Leg(minutes=1, metres=0), Leg(minutes=2, metres=7))
    assert "gave no answer for this place" in (third.error or "")
    body = json.loads(google.requests[0].content)
    assert [len(body[side]) for side in ("origins", "destinations")] == [1, 3]
    assert body["origins"] == [{"waypoint": {"location": {"latLng": {"latitude": 44.6488, "longitude": -63.5752}}}}]
    assert limits.taken == [("maps", 3)]


async def legs_by_routes(elements: Sequence[object], count: int) -> list[Leg]:
    legs = await routes(Google(list(elements))).minutes(places(count), HOME)
    assert list(legs) == [one.id for one in places(count)], "every start has its leg, in the order asked"
    return list(legs.values())


@pytest.mark.parametrize(
    ("duration", "minutes"),
    [("0s", 0), ("1s", 1), ("60s", 1), ("60.000000001s", 2), ("1.5s", 1), ("662s", 12), ("3600s", 60)],
)
async def test_minutes_are_rounded_up(duration: str, minutes: int) -> None:
    assert await legs_by_routes([element(0, duration=duration, distanceMeters=5120)], 1) == [Leg(minutes=minutes, metres=5120)]


async def test_absent_distance_means_zero_metres() -> None:
    assert await legs_by_routes([element(0, duration="0s")], 1) == [Leg(minutes=0, metres=0)]


async def test_elements_are_matched_by_index_whatever_their_order() -> None:
    shuffled = [element(2, duration="180s"), element(0, duration="60s"), element(1, duration="120s")]
    assert [leg.minutes for leg in await legs_by_routes(shuffled, 3)] == [1, 2, 3]


async def test_missing_index_means_zero_and_a_foreign_one_is_ignored() -> None:
    nameless = element(None, duration="60s")
    del nameless["destinationIndex"]
    strangers = [element(9, duration="540s"), element(-1, duration="540s"), element(0, destinationIndex=1, duration="540s")]
    legs = await legs_by_routes([nameless, element(1, duration="120s"), *strangers], 2)
    assert [leg.minutes for leg in legs] == [1, 2]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (element(0, condition="ROUTE_NOT_FOUND"), NO_ROAD),
        (element(0, status={"code": 5, "message": "nowhere"}, condition=None), NOT_FOUND),
        (element(0, status={"code": 3, "message": "odd 44.648800 point"}), 'code 3: "odd […] point"'),
        (element(0, status={"code": 14}), "code 14"),
        (element(0), "gave no driving time"),
        (element(0, duration="soon"), "gave no driving time"),
        (element(0, condition="ROUTE_IMAGINED", duration="60s"), "ROUTE_IMAGINED"),
        (element(0, condition=None, duration="60s"), "Google answered nothing"),
        (element(7, duration="60s"), "gave no answer for this place"),
    ],
)
async def test_place_without_an_answer_says_why_and_does_not_fail_the_rest(bad: dict[str, object], error: str) -> None:
    first, second = await legs_by_routes([element(1, duration="60s", distanceMeters=900), bad], 2)
    assert second == Leg(minutes=1, metres=900)
    assert first.minutes is None
    assert first.metres is None
    assert error in (first.error or "")


@pytest.mark.parametrize("ask", [ask_routes, ask_routes_to])
@pytest.mark.parametrize(
    ("code", "kind"),
    [(2, Transient), (4, Transient), (7, Misconfigured), (8, RateLimited), (13, Transient), (14, Transient), (16, Misconfigured)],
)
async def test_outage_told_element_by_element_is_not_kept_as_the_fault_of_places(
    ask: Callable[[Google], Any], code: int, kind: type[OutsideProblem]
) -> None:
    google = Google([element(index, status={"code": code, "message": "because"}, condition=None) for index in (0, 1)])
    assert type(await problem_of(ask, google)) is kind


async def test_places_that_are_all_unknown_are_legs_and_no_outage() -> None:
    unknown = [element(index, status={"code": 5}, condition=None) for index in (0, 1)]
    assert [leg.error for leg in await legs_by_routes(unknown, 2)] == [NOT_FOUND, NOT_FOUND]


async def test_answer_of_a_cheaper_method_is_kept_and_marked() -> None:
    info = {"routingMode": "FALLBACK_TRAFFIC_UNAWARE", "reason": "LATENCY_EXCEEDED"}
    assert await legs_by_routes([element(0, duration="60s", fallbackInfo=info)], 1) == [Leg(minutes=1, metres=0, fallback=True)]


# ── Distance Matrix (Legacy) ──


async def test_legacy_is_asked_with_coordinates_on_one_side_and_the_key_in_the_query() -> None:
    google = Google(legacy(drive(60), drive(60)))
    limits = CountingLimits()
    starts = [place(1), Place(id=UUID(int=2), point=Point(latitude=0.00001, longitude=-63.5))]
    await GoogleDistanceMatrix(KEY, limits=limits, transport=google.transport).minutes(starts, HOME)
    url = google.requests[0].url
    assert (url.host, url.path) == ("maps.googleapis.com", "/maps/api/distancematrix/json")
    assert dict(url.params) == {
        "origins": "44.0010000,-63.5000000|0.0000100,-63.5000000",
        "destinations": "44.6488000,-63.5752000",
        "mode": "driving",
        "key": KEY,
    }
    assert b"|" not in url.query
    assert google.requests[0].extensions["timeout"]["read"] == 20.0
    assert limits.taken == [("maps", 2)]


async def legs_by_matrix(body: object, count: int) -> list[Leg]:
    legs = await matrix(Google(body)).minutes(places(count), HOME)
    assert list(legs) == [one.id for one in places(count)]
    return list(legs.values())


async def test_rows_follow_the_starts_and_minutes_are_rounded_up() -> None:
    legs = await legs_by_matrix(legacy(drive(540, 5120), drive(541), drive(0, 0)), 3)
    assert legs == [Leg(minutes=9, metres=5120), Leg(minutes=10, metres=5120), Leg(minutes=0, metres=0)]


async def test_distance_is_optional() -> None:
    assert await legs_by_matrix(legacy({"status": "OK", "duration": {"value": 60}}), 1) == [Leg(minutes=1, metres=None)]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"status": "NOT_FOUND"}, NOT_FOUND),
        ({"status": "ZERO_RESULTS"}, NO_ROAD),
        ({"status": "MAX_ROUTE_LENGTH_EXCEEDED"}, "too long for Google Maps to measure"),
        ({"status": "OK"}, "gave no driving time"),
        ({"status": "SOMETHING_NEW"}, "SOMETHING_NEW"),
    ],
)
async def test_element_is_checked_by_its_own_status_and_does_not_fail_the_rest(bad: dict[str, object], error: str) -> None:
    first, second = await legs_by_matrix(legacy(bad, drive(60)), 2)
    assert second == Leg(minutes=1, metres=5120)
    assert first.minutes is None
    assert error in (first.error or "")


@pytest.mark.parametrize("rows", [[{"elements": [drive(60)]}], [{"elements": [drive(60)]}, {"elements": []}]])
async def test_start_without_a_row_says_so(rows: list[object]) -> None:
    first, second = await legs_by_matrix({"status": "OK", "rows": rows}, 2)
    assert first.minutes == 1
    assert "no answer for this place" in (second.error or "")


async def test_legacy_measures_the_way_out_in_one_row() -> None:
    google = Google({"status": "OK", "rows": [{"elements": [drive(60), {"status": "ZERO_RESULTS"}]}]})
    limits = CountingLimits()
    legs = await GoogleDistanceMatrix(KEY, limits=limits, transport=google.transport).minutes_to(HOME, places(3))
    assert list(legs) == [one.id for one in places(3)]
    first, second, third = legs.values()
    assert (first, second) == (Leg(minutes=1, metres=5120), Leg(error=NO_ROAD))
    assert "no answer for this place" in (third.error or "")
    params = google.requests[0].url.params
    assert params["origins"] == "44.6488000,-63.5752000"
    assert params["destinations"] == "44.0000000,-63.5000000|44.0010000,-63.5000000|44.0020000,-63.5000000"
    assert limits.taken == [("maps", 3)]
