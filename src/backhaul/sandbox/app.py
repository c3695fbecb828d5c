"""The stand-ins put together: every vendor's operations behind a door, and the control desk, as one ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backhaul.sandbox.control import Control
from backhaul.sandbox.door import Door
from backhaul.sandbox.faults import GENERAL, FaultDesk
from backhaul.sandbox.google_calendar import CalendarReception, GoogleCalendars
from backhaul.sandbox.google_events import GoogleEvents
from backhaul.sandbox.google_legacy import GoogleDistanceMatrix, GoogleGeocoding
from backhaul.sandbox.google_routes import GoogleRoutes
from backhaul.sandbox.google_token import GoogleToken
from backhaul.sandbox.mail import MAIL_FAULTS, MailServer
from backhaul.sandbox.nominatim import Nominatim
from backhaul.sandbox.osrm import Osrm
from backhaul.sandbox.quo import Reception
from backhaul.sandbox.quo_contacts import QuoContacts
from backhaul.sandbox.quo_dated import QuoDatedContacts
from backhaul.sandbox.quo_messages import QuoMessages
from backhaul.sandbox.quo_notes import QuoNotes
from backhaul.sandbox.slack import Slack
from backhaul.sandbox.store import Store
from backhaul.sandbox.valhalla import Valhalla
from backhaul.sandbox.vendor import Clock, Vendor, Window, utc_now


class StandIns:
    """The ASGI app. A test in the same process may also order faults at `desk` and read `store` without HTTP."""

    def __init__(self, store: Store, desk: FaultDesk, mail: MailServer | None, router: ASGIApp) -> None:
        self.store = store
        self.desk = desk
        self.mail = mail
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every answer says that it comes from a stand-in, also one that no vendor's door gave."""

        async def send_labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Server"] = "backhaul-stand-ins"
                headers.setdefault("X-Stand-In", "stand-ins of Backhaul")
            await send(message)

        await self._router(scope, receive, send_labelled)

    def close(self) -> None:
        """For those who never ran the lifespan; the process does it by itself."""
        self.store.close()


def create_app(
    state_path: Path | str = ":memory:",
    *,
    clock: Clock = utc_now,
    mail_folder: Path | None = None,
    smtp_port: int = 0,
    quo_per_second: int | None = 10,
    routes_elements_per_minute: int | None = 3000,
) -> StandIns:
    """`state_path`: an SQLite file or ":memory:". `clock`: an aware "now"; rate limits and time stamps follow it.

    The mail server runs while the app's lifespan does, and only with a `mail_folder`. The limits are the vendors' own; None lifts
    one.
    """
    store = Store(state_path)
    vendors = _vendors(store, clock, quo_per_second, routes_elements_per_minute)
    desk = FaultDesk(_kinds(vendors))
    mail = MailServer(mail_folder, desk, store, clock) if mail_folder else None
    doors = [
        Route(call.path, Door(vendor, call, desk, store, clock), methods=[call.method])
        for vendor in vendors
        for call in vendor.calls()
    ]

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        if mail:
            await mail.start(smtp_port)
        yield
        if mail:
            await mail.stop()
        store.close()

    routes = [*doors, *Control(store, desk, mail).routes()]
    return StandIns(store, desk, mail, Router(routes, redirect_slashes=False, default=_unknown, lifespan=lifespan))


def _vendors(store: Store, clock: Clock, quo_per_second: int | None, elements_per_minute: int | None) -> Sequence[Vendor]:
    quo, calendar = Reception(Window(quo_per_second, 1, clock)), CalendarReception(store, clock)
    return [
        GoogleRoutes(clock, elements_per_minute),
        GoogleDistanceMatrix(clock),
        GoogleGeocoding(),
        Osrm(),
        Valhalla(),
        Nominatim(),
        QuoContacts(store, clock, quo),
        QuoDatedContacts(store, clock, quo),
        QuoNotes(store, clock, quo),
        QuoMessages(store, clock, quo),
        Slack(store, clock),
        GoogleToken(store, clock),
        GoogleCalendars(store, calendar),
        GoogleEvents(store, clock, calendar),
    ]


def _kinds(vendors: Sequence[Vendor]) -> dict[str, frozenset[str]]:
    """The faults each service has: those of its connection, its vendor's words, and the moods that handlers play themselves."""
    kinds = {
        "maps": GENERAL | {"zero", "fallback"},
        "quo": GENERAL | {"undelivered"},
        "slack": GENERAL,
        "calendar": GENERAL,
        "mail": MAIL_FAULTS,
    }
    for vendor in vendors:
        kinds[vendor.service] |= vendor.refusals.keys()
    return kinds


async def _unknown(scope: Scope, receive: Receive, send: Send) -> None:
    answer = JSONResponse({"message": f"The stand-ins know no {scope.get('path')}. GET / says what they know."}, status_code=404)
    if scope["type"] == "http":
        await answer(scope, receive, send)
