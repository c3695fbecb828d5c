"""The outside as the settings say: the real services, or the stand-ins in their place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from backhaul.core.limits import Limit
from backhaul.core.outbound import Limits
from backhaul.dispatch.office import Notices, Office, Texts
from backhaul.dispatch.settings import Settings
from backhaul.outside import google, quo
from backhaul.outside.google_distance_matrix import GoogleDistanceMatrix
from backhaul.outside.google_routes import ROUTES_URL, GoogleRoutes
from backhaul.outside.maps import Maps
from backhaul.outside.quo import Quo
from backhaul.outside.quo_messages import QuoTexts
from backhaul.outside.slack import Slack

STAND_IN_NAMES = ("Google Maps", "Quo", "Slack")
_STAND_IN_NUMBER = "+19025550199"  # the only one that the stand-in for Quo has
# Quo allows 10 requests in any second. Nine, evenly spaced, keep that promise whenever the second begins; a burst would not.
_QUO_PER_SECOND = 9.0
# Google counts elements by the minute: nine tenths evenly, one tenth at once, come to the quota and no more.
_EVENLY, _AT_ONCE = 0.9, 0.1


def limits_of(settings: Settings) -> tuple[Limit, ...]:
    """What each service allows, in its own unit."""
    elements = float(settings["maps_elements_per_minute"])
    return (
        Limit("maps", _EVENLY * elements / 60, _AT_ONCE * elements),
        Limit("quo", _QUO_PER_SECOND, 1.0),
        Limit("slack", 1.0, 3.0),
    )


@asynccontextmanager
async def outside(settings: Settings, limits: Limits) -> AsyncIterator[Office]:
    """The office's outside, closed in good order."""
    async with AsyncExitStack() as stack:
        office = Office(
            _maps(settings, limits), _quo(settings, limits), _notices(settings, limits), texts=_texts(settings, limits)
        )
        for line in (office.maps, office.quo, office.notices, office.texts):
            if line is not None:
                stack.push_async_callback(line.aclose)
        yield office


def _maps(settings: Settings, limits: Limits) -> Maps:
    stand_ins = settings["stand_ins"]
    key = "stand-in" if stand_ins else settings["google_key"] or ""
    if settings["maps"] == "google-distance-matrix":
        return GoogleDistanceMatrix(key, limits=limits, base_url=stand_ins or google.MAPS_URL)
    return GoogleRoutes(key, limits=limits, base_url=stand_ins or ROUTES_URL, geocoding_url=stand_ins or google.MAPS_URL)


def _quo(settings: Settings, limits: Limits) -> Quo:
    stand_ins = settings["stand_ins"]
    key = "stand-in" if stand_ins else settings["quo_key"] or ""
    return Quo(key, limits=limits, api=settings["quo_api"], base_url=stand_ins or quo.QUO_URL)


def _texts(settings: Settings, limits: Limits) -> Texts | None:
    stand_ins = settings["stand_ins"]
    if stand_ins:
        return QuoTexts("stand-in", _STAND_IN_NUMBER, limits=limits, base_url=stand_ins)
    return QuoTexts(settings["quo_key"] or "", settings["quo_from"], limits=limits) if settings["quo_from"] else None


def _notices(settings: Settings, limits: Limits) -> Notices | None:
    if settings["stand_ins"]:
        return Slack(f"{settings['stand_ins']}/services/T0/B0/stand-in", limits=limits)
    return Slack(settings["slack_webhook"], limits=limits) if settings["slack_webhook"] else None
