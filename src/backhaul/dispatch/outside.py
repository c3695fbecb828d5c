"""The outside as the settings say: the real services, or the stand-ins in their place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from backhaul.core.limits import Limit
from backhaul.core.outbound import Limits
from backhaul.dispatch.messages.stand_in_mail import StandInMail
from backhaul.dispatch.office import Calendars, Mail, Notices, Office, Texts
from backhaul.dispatch.setting_list import SELF_HOSTED
from backhaul.dispatch.settings import Settings
from backhaul.outside import google, quo
from backhaul.outside.geocoder import Geocoder, NoGeocoder
from backhaul.outside.google_calendar import GoogleCalendar
from backhaul.outside.google_distance_matrix import GoogleDistanceMatrix
from backhaul.outside.google_geocoding import GoogleGeocoding
from backhaul.outside.google_routes import ROUTES_URL, GoogleRoutes
from backhaul.outside.google_token import throw_away_key
from backhaul.outside.mail import MailFolder
from backhaul.outside.maps import Maps
from backhaul.outside.nominatim import Nominatim
from backhaul.outside.osrm import Osrm
from backhaul.outside.quo import Quo
from backhaul.outside.quo_messages import QuoTexts
from backhaul.outside.slack import Slack
from backhaul.outside.smtp import Smtp
from backhaul.outside.valhalla import Valhalla

_SELF_HOSTED = {"osrm": Osrm, "valhalla": Valhalla}
_STAND_IN_NUMBER = "+19025550199"  # the only one that the stand-in for Quo has
# Quo allows 10 requests in any second. Nine, evenly spaced, keep that promise whenever the second begins; a burst would not.
_QUO_PER_SECOND = 9.0
# Requests for one person, and all calendars are one person's.
_CALENDAR_PER_MINUTE = 600.0
# Google counts by the minute: nine tenths evenly, one tenth at once, come to the quota and no more.
_EVENLY, _AT_ONCE = 0.9, 0.1
# A server of one's own has no quota. The database remembers Google's, though, so it is told of one that nobody reaches.
_NO_QUOTA = Limit("maps", 10_000.0, 100_000.0)


def limits_of(settings: Settings) -> tuple[Limit, ...]:
    """What each service allows, in its own unit."""
    elements = float(settings["maps_elements_per_minute"])
    return (
        _NO_QUOTA if settings["maps"] in SELF_HOSTED else Limit("maps", _EVENLY * elements / 60, _AT_ONCE * elements),
        Limit("quo", _QUO_PER_SECOND, 1.0),
        Limit("slack", 1.0, 3.0),
        Limit("calendar", _EVENLY * _CALENDAR_PER_MINUTE / 60, _AT_ONCE * _CALENDAR_PER_MINUTE),
        Limit("mail", 0.4, 6.0),  # 30 in any minute: the least that a large provider allows one account (Microsoft 365)
    )


def stand_in_names(settings: Settings) -> tuple[str, ...]:
    """Whose place the stand-ins take, as people know them."""
    maps = _SELF_HOSTED.get(settings["maps"])
    placing = (maps.service, Nominatim.service) if maps else (google.SERVICE,)
    return (*placing, "Quo", "Slack", "Google Calendar", "the mail server")


def service_names(settings: Settings) -> dict[str, tuple[str, bool]]:
    """Each service that has a limit: what people call it, and whether this installation has what it takes to ask it."""
    standing_in = settings["stand_ins"] is not None
    maps = _SELF_HOSTED.get(settings["maps"])
    return {
        "maps": (maps.service if maps else google.SERVICE, standing_in or bool(maps or settings["google_key"])),
        "quo": ("Quo", standing_in or bool(settings["quo_key"])),
        "slack": ("Slack", standing_in or bool(settings["slack_webhook"])),
        "calendar": ("Google Calendar", standing_in or bool(settings["calendar_key"])),
        "mail": ("Mail", standing_in or bool(settings["smtp_url"])),
    }


@asynccontextmanager
async def outside(settings: Settings, limits: Limits) -> AsyncIterator[Office]:
    """The office's outside, closed in good order."""
    async with AsyncExitStack() as stack:
        office = Office(
            maps=_maps(settings, limits),
            quo=_quo(settings, limits),
            texts=_texts(settings, limits),
            notices=_notices(settings, limits),
            calendars=_calendars(settings, limits),
            mail=_mail(settings, limits),
            portal_url=settings.public_address,
        )
        for line in (office.maps, office.quo, office.texts, office.notices, office.calendars, office.mail):
            if line is not None:
                stack.push_async_callback(line.aclose)
        yield office


def _maps(settings: Settings, limits: Limits) -> Maps:
    stand_ins = settings["stand_ins"]
    if self_hosted := _SELF_HOSTED.get(settings["maps"]):
        return self_hosted(stand_ins or settings["maps_url"] or "", _geocoder(settings, limits), limits=limits)
    key = "stand-in" if stand_ins else settings["google_key"] or ""
    if settings["maps"] == "google-distance-matrix":
        return GoogleDistanceMatrix(key, limits=limits, base_url=stand_ins or google.MAPS_URL)
    return GoogleRoutes(key, limits=limits, base_url=stand_ins or ROUTES_URL, geocoding_url=stand_ins or google.MAPS_URL)


def _geocoder(settings: Settings, limits: Limits) -> Geocoder:
    """For a server of one's own. Google's knows more houses than OpenStreetMap does, so it goes first."""
    if settings["google_key"] and not settings["stand_ins"]:
        return GoogleGeocoding(settings["google_key"], limits=limits)
    if url := settings["stand_ins"] or settings["geocoder_url"]:
        return Nominatim(url, limits=limits)
    return NoGeocoder("Ask the administrator to set geocoder_url (a Nominatim) or google_key", limits=limits)


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


def _calendars(settings: Settings, limits: Limits) -> Calendars | None:
    if stand_ins := settings["stand_ins"]:
        key = throw_away_key("stand-in@demo.test")  # the stand-in reads what it signs, and not the signature
        return GoogleCalendar(key, "office@demo.test", limits=limits, base_url=stand_ins, token_url=stand_ins)
    if key := settings["calendar_key"]:
        return GoogleCalendar(key, settings["calendar_user"], limits=limits)
    return None


def _mail(settings: Settings, limits: Limits) -> Mail:
    sender = settings["mail_from"]
    if settings["stand_ins"]:
        return StandInMail(settings["stand_ins"], sender, limits=limits)
    if settings["smtp_url"]:
        return Smtp(settings["smtp_url"], sender, limits=limits)
    return MailFolder(settings.mail_folder, sender)
