"""Nominatim, or no geocoder at all: what a client's address, and the person who corrects it, may rely on."""

from __future__ import annotations

import httpx
import pytest

from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, RateLimited, Transient, Unplaceable
from backhaul.core.outbound import NO_LIMITS
from backhaul.outside.geocoder import Geocoder, NoGeocoder
from backhaul.outside.maps import Address, Found, Point
from backhaul.outside.nominatim import Nominatim
from tests.fakes import CountingLimits

HIGH_ST = Address(line="1 High St", city="Halifax", province="NS", postal_code="B3H 1A1")


class Server:
    """Nominatim as the adapter sees it: its answers in order, the last one for ever. It keeps the requests."""

    def __init__(self, *bodies: object, status: int = 200) -> None:
        self.bodies, self.status = list(bodies), status
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if isinstance(body, str):
            return httpx.Response(self.status, text=body)
        return httpx.Response(self.status, json=body)

    @property
    def asked(self) -> list[str]:
        return [request.url.params["q"] for request in self.requests]


def nominatim(server: Server) -> Nominatim:
    return Nominatim("http://nominatim.test", limits=NO_LIMITS, transport=server.transport)


def house(number: str | None = "1", **fields: object) -> dict[str, object]:
    """A result, in jsonv2: coordinates are texts."""
    parts = {"road": "High Street", "city": "Halifax", "country_code": "ca"} | ({"house_number": number} if number else {})
    return {
        "place_id": 71_130,
        "osm_type": "node",
        "osm_id": 452_010_817,
        "lat": "44.6000000",
        "lon": "-63.5000000",
        "category": "place",
        "type": "house",
        "place_rank": 30,
        "display_name": "1, High Street, Halifax, Nova Scotia, B3H 1A1, Canada",
        "address": parts,
        **fields,
    }


async def problem_of(server: Server) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await nominatim(server).locate(HIGH_ST)
    return caught.value


async def test_the_bare_address_goes_out_and_nothing_else() -> None:
    server, limits = Server([house()]), CountingLimits()
    geocoder: Geocoder = Nominatim("http://nominatim.test/maps/", limits=limits, transport=server.transport)
    assert await geocoder.locate(HIGH_ST) == Found(
        point=Point(latitude=44.6, longitude=-63.5),
        precision="exact",
        formatted="1, High Street, Halifax, Nova Scotia, B3H 1A1, Canada",
        place_id=None,
    )
    (request,) = server.requests
    assert (request.method, request.url.path) == ("GET", "/maps/search")
    assert dict(request.url.params) == {
        "q": "1 High St, Halifax, NS B3H 1A1",
        "countrycodes": "ca",
        "format": "jsonv2",
        "addressdetails": "1",
        "limit": "1",
    }
    assert limits.taken == [("maps", 1)]
    await geocoder.aclose()


@pytest.mark.parametrize(
    ("line", "number", "precision"),
    [
        ("1 High St", "1", "exact"),
        ("12A High St", "12a", "exact"),
        ("4012 Highway 7", "4012", "exact"),
        ("1 High St", "11", "approximate"),
        ("1 High St", None, "approximate"),
        ("High St", "1", "approximate"),
        ("4-12 High St", "12", "approximate"),
        ("Unit 4, 12 High St", "12", "approximate"),
    ],
)
async def test_only_the_house_with_that_number_is_exact(line: str, number: str | None, precision: str) -> None:
    found = await nominatim(Server([house(number)])).locate(HIGH_ST.model_copy(update={"line": line}))
    assert found.precision == precision


async def test_a_postal_code_that_the_map_lacks_does_not_hide_the_house_but_a_person_confirms_it() -> None:
    server = Server([], [house()])
    assert (await nominatim(server).locate(HIGH_ST)).precision == "approximate"
    assert server.asked == ["1 High St, Halifax, NS B3H 1A1", "1 High St, Halifax, NS"]


async def test_unknown_address_is_for_a_person_to_correct() -> None:
    server = Server([])
    problem = await problem_of(server)
    assert (type(problem), problem.code) == (Unplaceable, "maps.not_found")
    assert problem.what == "Nominatim does not know this address"
    assert len(server.requests) == 2


async def test_without_a_postal_code_it_is_asked_once() -> None:
    server = Server([])
    with pytest.raises(Unplaceable):
        await nominatim(server).locate(HIGH_ST.model_copy(update={"postal_code": " "}))
    assert len(server.requests) == 1


async def test_empty_address_is_not_even_asked_for() -> None:
    server = Server([])
    with pytest.raises(Unplaceable) as caught:
        await nominatim(server).locate(Address(line="", city=" ", province="", postal_code=""))
    assert caught.value.code == "maps.no_address"
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, Malformed, "maps.400"),
        (403, Misconfigured, "maps.403"),
        (404, Misconfigured, "maps.not_there"),
        (429, RateLimited, "maps.rate_limited"),
        (500, Transient, "maps.500"),
        (503, Transient, "maps.503"),
    ],
)
async def test_refusal_is_judged_by_its_status(status: int, kind: type[OutsideProblem], code: str) -> None:
    for body in ({"error": {"code": status, "message": "because of 1 High St"}}, "Query took too long to process."):
        problem = await problem_of(Server(body, status=status))
        assert (type(problem), problem.code) == (kind, code)
        assert "High" not in str(problem)


async def test_its_own_words_are_shown() -> None:
    problem = await problem_of(Server({"error": {"code": 400, "message": "Nothing to search for."}}, status=400))
    assert problem.why == 'It answered 400: "Nothing to search for"'


@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", None, 7, {}, [7], [{}], [{"lat": "north", "lon": "0"}], {"error": "no"}])
async def test_answer_of_another_shape_is_an_error_and_never_an_unknown_address(body: object) -> None:
    problem = await problem_of(Server(body))
    assert (type(problem), problem.code) == (Malformed, "maps.unreadable")


async def test_without_a_geocoder_an_administrator_is_told_which_setting_is_missing() -> None:
    limits = CountingLimits()
    geocoder: Geocoder = NoGeocoder("Set google_key", limits=limits)
    with pytest.raises(Misconfigured) as caught:
        await geocoder.locate(HIGH_ST)
    assert caught.value.what == "No address can be placed on the map: no geocoder is set"
    assert (caught.value.code, caught.value.todo) == ("maps.no_geocoder", "Set google_key")
    assert limits.taken == [("maps", 0)]
    assert limits.unwell == [("maps", "maps.no_geocoder")], "so that the other tasks wait, and one setting is one notice"
    await geocoder.aclose()
