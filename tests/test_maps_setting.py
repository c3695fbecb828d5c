"""One setting chooses the map service: what whoever runs an office with, or without, Google may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backhaul.core.errors import Misconfigured
from backhaul.core.limits import SharedLimits
from backhaul.core.outbound import NO_LIMITS
from backhaul.core.store import Actor, Store
from backhaul.core.testing import Clock, Database, TestOffice
from backhaul.dispatch.api import ask_stand_ins
from backhaul.dispatch.app import workflows
from backhaul.dispatch.checking import Check, check_outside
from backhaul.dispatch.office import Office
from backhaul.dispatch.outside import limits_of, outside, stand_in_names
from backhaul.dispatch.settings import Settings, load
from backhaul.dispatch.workflows.add_client import add_client
from backhaul.outside.maps import Address
from backhaul.sandbox.app import create_app
from backhaul.sandbox.server import StandInServer, listen
from tests.fakes import PORTAL, FakeMail, FakeQuo
from tests.test_add_client import jane

ARGYLE = Address(line="1841 Argyle Street", city="Halifax", province="NS", postal_code="B3J 3A5")
SELF_HOSTED = pytest.mark.parametrize(("maps", "service"), [("osrm", "OSRM"), ("valhalla", "Valhalla")])
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
async def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Their address. They listen for real, since settings name an address."""
    listener = listen(0)
    server = StandInServer(create_app(":memory:", mail_folder=tmp_path_factory.mktemp("mail")))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


def settings(home: Path, **env: str) -> Settings:
    return load(env={"BACKHAUL_HOME": str(home), **{f"BACKHAUL_{name.upper()}": value for name, value in env.items()}})


async def checks(home: Path, **env: str) -> dict[str, Check]:
    return {check.name: check for check in await check_outside(settings(home, **env))}


@pytest.mark.parametrize(
    ("maps", "service", "names"),
    [
        ("google-routes", "Google Maps", ("Google Maps", "Quo", "Slack", "Google Calendar", "the mail server")),
        ("google-distance-matrix", "Google Maps", ("Google Maps", "Quo", "Slack", "Google Calendar", "the mail server")),
        ("osrm", "OSRM", ("OSRM", "Nominatim", "Quo", "Slack", "Google Calendar", "the mail server")),
        ("valhalla", "Valhalla", ("Valhalla", "Nominatim", "Quo", "Slack", "Google Calendar", "the mail server")),
    ],
)
async def test_each_map_service_works_with_stand_ins_and_without_any_key(
    tmp_path: Path, stand_ins: str, maps: str, service: str, names: tuple[str, ...]
) -> None:
    chosen = settings(tmp_path, maps=maps, stand_ins=stand_ins)
    async with outside(chosen, NO_LIMITS) as office:
        assert office.maps.service == service
        assert (await office.maps.locate(ARGYLE)).precision == "exact"
    assert stand_in_names(chosen) == names
    assert all(check.ok for check in await check_outside(chosen))


@SELF_HOSTED
async def test_a_server_of_ones_own_is_asked_at_its_address(tmp_path: Path, stand_ins: str, maps: str, service: str) -> None:
    found = await checks(tmp_path, maps=maps, maps_url=stand_ins, geocoder_url=stand_ins)
    assert (found[service].ok, found["Geocoder"].ok) == (True, True)
    assert "Google Maps" not in found
    found = await checks(tmp_path, maps=maps, maps_url=NOBODY, geocoder_url=stand_ins)
    assert (found[service].ok, found["Geocoder"].ok) == (False, True)
    assert found[service].what == f"{service} could not be reached. No connection could be made."


@SELF_HOSTED
async def test_without_its_address_the_check_says_so(tmp_path: Path, maps: str, service: str) -> None:
    check = (await checks(tmp_path, maps=maps))[service]
    assert check.ok is False
    assert "No address is set" in check.what


@SELF_HOSTED
async def test_without_a_geocoder_the_check_and_the_error_say_which_setting_is_missing(
    tmp_path: Path, stand_ins: str, maps: str, service: str
) -> None:
    found = await checks(tmp_path, maps=maps, maps_url=stand_ins)
    assert (found[service].ok, found["Geocoder"].ok) == (True, False)
    assert found["Geocoder"].what.startswith("No address can be placed on the map: no geocoder is set.")
    assert found["Geocoder"].todo == "Ask the administrator to set geocoder_url (a Nominatim) or google_key"
    async with outside(settings(tmp_path, maps=maps, maps_url=stand_ins), NO_LIMITS) as office:
        with pytest.raises(Misconfigured, match="no geocoder is set"):
            await office.maps.locate(ARGYLE)


async def test_a_server_that_knows_no_way_to_truro_is_found_out_by_the_check(tmp_path: Path, stand_ins: str) -> None:
    await ask_stand_ins(stand_ins, "POST", {"service": "maps", "fault": "zero", "times": 1})
    check = (await checks(tmp_path, maps="osrm", maps_url=stand_ins, geocoder_url=stand_ins))["OSRM"]
    assert (check.ok, check.todo) == (False, "Load a map of Nova Scotia")
    assert check.what.startswith(
        "OSRM cannot measure the drive from Halifax to Truro. There is no road between these two places."
    )


async def test_a_missing_geocoder_is_one_notice_while_the_other_clients_wait(
    tmp_path: Path, database: Database, store: Store, clock: Clock, agent: Actor
) -> None:
    database.all(
        "insert into drivers (first_name, last_name, email, home_address, home_city)"
        " values ('Ana', 'A', 'ana@example.test', '1 Elm St', 'Truro')"
    )
    chosen, limits = settings(tmp_path, maps="osrm", maps_url=NOBODY), SharedLimits(store)
    await limits.set(*limits_of(chosen))
    async with outside(chosen, limits) as office:
        measuring = Office(maps=office.maps, quo=FakeQuo(), mail=FakeMail(), portal_url=PORTAL)
        world = TestOffice(database, store, workflows, measuring, clock)
        for number in range(3):
            await world.submit(add_client, jane(kNumber=f"K000000{number}"), by=agent)
        await world.work()
    drives = "select status, error_code, count(*) from background_tasks where task_type = 'calculate_drive_times' group by 1, 2"
    assert {(row["status"], row["error_code"], row["count"]) for row in database.all(drives)} == {
        ("failed", "maps.no_geocoder", 1),
        ("pending", "held", 2),
    }


async def test_google_places_addresses_when_its_key_is_set(tmp_path: Path) -> None:
    chosen = settings(tmp_path, maps="osrm", maps_url=NOBODY, geocoder_url=NOBODY, google_key="k")
    async with outside(chosen, NO_LIMITS) as office:
        assert [type(part).__name__ for part in vars(office.maps).values()] == ["Outbound", "GoogleGeocoding"]


def test_an_address_of_ones_own_server_means_the_real_services(tmp_path: Path) -> None:
    file = tmp_path / "stand-ins" / "address"
    file.parent.mkdir()
    file.write_text("http://127.0.0.1:9", "utf-8")
    assert settings(tmp_path, maps="osrm")["stand_ins"] == "http://127.0.0.1:9"
    assert settings(tmp_path, maps="osrm", maps_url=NOBODY)["stand_ins"] is None
    assert settings(tmp_path, maps="osrm", geocoder_url=NOBODY)["stand_ins"] is None


def test_googles_quota_does_not_slow_down_a_server_of_ones_own(tmp_path: Path) -> None:
    (google, *_), (own, *_) = limits_of(settings(tmp_path)), limits_of(settings(tmp_path, maps="valhalla"))
    assert (google.service, google.per_second) == ("maps", 45.0)
    assert own.service == "maps"
    assert own.per_second >= 10_000
