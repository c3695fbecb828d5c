"""The stand-in for Google Calendar in the same process, as the adapter's tests ask it: it keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from backhaul.core.outbound import NO_LIMITS, Limits
from backhaul.outside.google_calendar import GoogleCalendar
from backhaul.outside.google_token import throw_away_key
from backhaul.sandbox.app import create_app

AT = "http://stand-ins.test"
USER = "office@demo.test"
KEY = throw_away_key("robot@project.iam.test")

Body = dict[str, Any]


def key_file(**changed: Any) -> str:
    """KEY as Google's console gives it. None: left out."""
    pem = KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    written = {"type": "service_account", "client_email": KEY.account, "private_key": pem, "private_key_id": "kid-1"}
    return json.dumps({name: value for name, value in {**written, **changed}.items() if value is not None})


class FarGoogle(httpx.AsyncBaseTransport):
    """before: may answer in the stand-in's place; after: may act once the stand-in has answered, or raise."""

    def __init__(self, limits: Limits = NO_LIMITS) -> None:
        self.now = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
        self.app = create_app(":memory:", clock=lambda: self.now)
        self.requests: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.after: Callable[[httpx.Request], None] = lambda _: None
        self._inner = httpx.ASGITransport(app=self.app)
        self.calendar = GoogleCalendar(KEY, USER, limits=limits, base_url=AT, token_url=AT, transport=self, now=lambda: self.now)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.before(request) or await self._inner.handle_async_request(request)
        self.after(request)
        return answer

    def close(self) -> None:
        self.app.close()

    def fails(self, fault: str, *, path: str = "/calendar", **order: object) -> None:
        """From now on, on the given calls; by default on every one but those for a token."""
        self.app.desk.order({"service": "calendar", "fault": fault, "path": path, **order})

    def works(self) -> None:
        self.app.desk.clear()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def asked(self) -> list[str]:
        """What was asked of the calendars, without the query."""
        short = (f"{request.method} {request.url.path}" for request in self.requests if request.url.path != "/token")
        return [line.replace("/calendar/v3/", "") for line in short]

    @property
    def tokens(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path == "/token"]

    def body(self, method: str) -> Body:
        """Of the last request with this method."""
        return dict(json.loads([request for request in self.requests if request.method == method][-1].content))

    @property
    def events(self) -> list[Body]:
        """Those that are not deleted."""
        return [event for event in self.app.store.find("event") if event["status"] != "cancelled"]

    @property
    def calendars(self) -> list[Body]:
        return self.app.store.find("calendar")

    def readers(self, calendar_id: str) -> dict[str, str]:
        """Who may do what in it, but for the owner."""
        rules: list[Body] = self.app.store.find("acl", label=calendar_id)
        return {rule["scope"]["value"]: rule["role"] for rule in rules if rule["scope"]["value"] != USER}
