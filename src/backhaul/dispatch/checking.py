"""`backhaul check`: is everything in its place, and does each outside service answer?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import psycopg

from backhaul.core.errors import Malformed, OutsideProblem, Problem
from backhaul.core.migrations import compare, find
from backhaul.core.outbound import NO_LIMITS
from backhaul.core.share import share
from backhaul.dispatch.database import Access
from backhaul.dispatch.office import Office
from backhaul.dispatch.outside import outside
from backhaul.dispatch.setting_list import SELF_HOSTED
from backhaul.dispatch.settings import Settings
from backhaul.outside import google
from backhaul.outside.maps import Address, Maps, Place, Point

_CITY_HALL = Address(line="1841 Argyle Street", city="Halifax", province="NS", postal_code="B3J 3A5")
_HALIFAX = Place(id=UUID(int=0), point=Point(latitude=44.6488, longitude=-63.5752))
_TRURO = Point(latitude=45.3658, longitude=-63.2869)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ok None: not set, so not asked."""

    name: str
    ok: bool | None
    what: str
    todo: str = ""


def check_database(access: Access) -> list[Check]:
    """Does it answer, and is its schema today's?"""
    try:
        with psycopg.connect(access.login, autocommit=True, connect_timeout=5) as connection:
            version = connection.info.server_version
            where = compare(_applied(connection), find(share("supabase", "migrations")))
    except psycopg.OperationalError as error:
        return [Check("database", False, str(error).strip(), "Check DATABASE_URL, and that the server runs")]
    kind = "embedded Postgres" if access.embedded else "Postgres"
    schema = (
        "today's"
        if where.up_to_date
        else f"{len(where.pending)} migrations to apply, {len(where.unknown)} unknown to this version"
    )
    return [
        Check("database", True, f"{kind} {version // 10000}.{version % 10000}"),
        Check(
            "schema",
            where.up_to_date,
            schema,
            "" if where.up_to_date else "Run: backhaul migrate" if where.pending else "Update this program",
        ),
    ]


def _applied(connection: psycopg.Connection) -> set[str]:
    """By a function that the program's own login may call, since the books themselves are the owner's."""
    try:
        connection.execute("set role service_role")
        return {str(row[0]) for row in connection.execute("select private.applied_migrations()")}
    except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName, psycopg.errors.InsufficientPrivilege):
        return set()


async def check_outside(settings: Settings) -> list[Check]:
    """Asks each service one harmless question; Google bills its geocoding call like any other."""
    standing_in = bool(settings["stand_ins"])
    async with outside(settings, NO_LIMITS) as office:
        return [
            *await _check_maps(office.maps, settings),
            await _ask("Quo", standing_in or settings["quo_key"], lambda: office.quo.knows("backhaul:check")),
            await _texts(office),
            await _ask("Slack", office.notices, lambda: _slack_listens(office)),
            await _ask("Google Calendar", office.calendars, lambda: _calendars_answer(office)),
            await _mail(settings, office),
        ]


async def _check_maps(maps: Maps, settings: Settings) -> list[Check]:
    """Google both measures and places addresses; with a server of one's own these are two."""
    if settings["maps"] not in SELF_HOSTED:
        is_set = settings["stand_ins"] or settings["google_key"]
        return [await _ask(google.SERVICE, is_set, lambda: maps.locate(_CITY_HALL))]
    return [
        await _ask(maps.service, True, lambda: _measures(maps)),
        await _ask("Geocoder", True, lambda: maps.locate(_CITY_HALL)),
    ]


async def _measures(maps: Maps) -> None:
    (leg,) = (await maps.minutes([_HALIFAX], _TRURO)).values()
    if leg.error:
        raise Problem(f"{maps.service} cannot measure the drive from Halifax to Truro", leg.error, "Load a map of Nova Scotia")


async def _texts(office: Office) -> Check:
    """Does Quo know the number we send from? Nothing is sent."""
    if office.texts is None:
        return Check("Texts", None, "off: quo_from is not set")
    return await _ask("Texts", office.texts, office.texts.sender_id)


async def _ask(name: str, is_set: object, question: Callable[[], Awaitable[object]]) -> Check:
    if not is_set:
        return Check(name, None, "not set")
    try:
        await question()
    except OutsideProblem as problem:
        notes = " ".join(getattr(problem, "__notes__", []))
        return Check(name, False, f"{problem.message} {notes}".strip(), problem.todo)
    except Problem as problem:
        return Check(name, False, problem.message, problem.todo)
    return Check(name, True, "answers")


async def _mail(settings: Settings, office: Office) -> Check:
    """Without a mail server the folder is looked at, and said to be no more than that."""
    asked = await _ask("Mail", True, office.mail.greet)
    if asked.ok and not settings["stand_ins"] and not settings["smtp_url"]:
        return Check("Mail", None, f"no mail server is set: mails are kept in {settings.mail_folder} and sent to nobody")
    return asked


async def _slack_listens(office: Office) -> None:
    """An empty message is refused by a living webhook and shown to nobody; a dead one says that it is dead."""
    if office.notices is not None:
        try:
            await office.notices.post("")
        except Malformed:
            return


async def _calendars_answer(office: Office) -> None:
    if office.calendars is not None:
        await office.calendars.knows("backhaul:check")
