"""Where addresses lie: each is looked up once, and its coordinates are kept with the record and with the checkpoint."""

from __future__ import annotations

from backhaul.core.errors import Unplaceable
from backhaul.core.task import Run
from backhaul.dispatch.clients import clients
from backhaul.dispatch.destinations import destinations
from backhaul.dispatch.drivers import drivers
from backhaul.dispatch.office import Office
from backhaul.dispatch.travel.clinic_times import Clinic
from backhaul.outside.maps import Found, Leg, Place, Point


async def home_of(run: Run[Office], client: clients.Client) -> Point:
    """Raises: Unplaceable, and whatever the map service raises."""
    if client.home is not None:
        return client.home
    found: Found = await run.step("find the client's address", run.office.maps.locate, client.address)
    await clients.put_home(run.db, client, found)
    return found.point


async def driver_home(run: Run[Office], driver: drivers.Driver) -> Point:
    """Raises: as home_of."""
    if driver.home is not None:
        return driver.home
    found: Found = await run.step("find a driver's address", run.office.maps.locate, driver.address)
    await drivers.put_home(run.db, driver, found)
    return found.point


async def second_home_of(run: Run[Office], client: clients.Client) -> Point | None:
    """None for a client without a second address. Raises: as home_of, and says that it is the second one."""
    if client.second_address is None or client.second_home is not None:
        return client.second_home
    try:
        found: Found = await run.step("find the second address", run.office.maps.locate, client.second_address)
    except Unplaceable as problem:
        what = f"{problem.what}: it is the client's second one"
        raise Unplaceable(problem.service, what, problem.why, problem.todo, code=problem.code) from problem
    await clients.put_second_home(run.db, client, found)
    return found.point


async def point_of(run: Run[Office], destination: destinations.Destination) -> Point:
    """Raises: as home_of."""
    if destination.point is not None:
        return destination.point
    found: Found = await run.step("find the clinic's address", run.office.maps.locate, destination.place)
    await destinations.put_place(run.db, destination, found)
    return found.point


async def ends(run: Run[Office], clinics: list[Clinic]) -> tuple[dict[Clinic, Leg], list[Place]]:
    """Where these clinics lie; and for those whose address nobody knows, the reason in the place of an answer."""
    unknown: dict[Clinic, Leg] = {}
    places: list[Place] = []
    for clinic in clinics:
        try:
            point = clinic.point or await point_of(run, await destinations.get(run.db, clinic.id))
        except Unplaceable as problem:
            unknown[clinic] = Leg(error=f"The clinic's own address: {problem.message}")
        else:
            places.append(Place(id=clinic.id, point=point))
    return unknown, places
