"""The outside as the settings say: the real services, or the stand-ins in their place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from backhaul.core.limits import Limit
from backhaul.core.outbound import Limits
from backhaul.dispatch.office import Mail, Notices, Office
from backhaul.dispatch.settings import Settings
from backhaul.dispatch.stand_in_mail import StandInMail
from backhaul.outside import google, quo
from backhaul.outside.google_distance_matrix import GoogleDistanceMatrix
from backhaul.outside.google_routes import ROUTES_URL, GoogleRoutes
from backhaul.outside.mail import MailFolder
from backhaul.outside.maps import Maps
from backhaul.outside.quo import Quo
from backhaul.outside.slack import Slack
from backhaul.outside.smtp import Smtp

STAND_IN_NAMES = ("Google Maps", "Quo", "Slack", "the mail server")
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
        Limit("mail", 0.4, 6.0),  # 30 in any minute: the least that a large provider allows one account (Microsoft 365)
    )


@asynccontextmanager
async def outside(settings: Settings, limits: Limits) -> AsyncIterator[Office]:
    """The office's outside, closed in good order."""
    async with AsyncExitStack() as stack:
        office = Office(
            _maps(settings, limits),
            _quo(settings, limits),
            _notices(settings, limits),
            mail=_mail(settings, limits),
            portal_url=settings.public_address,
        )
        for line in (office.maps, office.quo, office.notices, office.mail):
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
    return Quo("stand-in" if stand_ins else settings["quo_key"] or "", limits=limits, base_url=stand_ins or quo.QUO_URL)


def _notices(settings: Settings, limits: Limits) -> Notices | None:
    if settings["stand_ins"]:
        return Slack(f"{settings['stand_ins']}/services/T0/B0/stand-in", limits=limits)
    return Slack(settings["slack_webhook"], limits=limits) if settings["slack_webhook"] else None


def _mail(settings: Settings, limits: Limits) -> Mail:
    sender = settings["mail_from"]
    if settings["stand_ins"]:
        return StandInMail(settings["stand_ins"], sender, limits=limits)
    if settings["smtp_url"]:
        return Smtp(settings["smtp_url"], sender, limits=limits)
    return MailFolder(settings.mail_folder, sender)
