"""Around every exchange: a number for the request, a bound on its body, security headers, a log line, the unforeseen error."""

from __future__ import annotations

import time
from uuid import uuid4

import structlog
from fastapi import Request
from fastapi.responses import Response
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backhaul.core.errors import Problem
from backhaul.core.refusals import refusal

LARGEST_BODY = 1024 * 1024
_STRICT = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
# The one policy that a page of ours makes, in js/core/task-feeds.js, where Supabase Realtime is in use.
_REALTIME_POLICY = "backhaul-realtime"
# Swagger UI writes styles into the page and HTML from strings: it has a page, and a policy, of its own.
_DOCS = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# What is no page does nothing, should a browser be led to show it as one.
_DATA = "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
_DATA_TYPES = ("application/json", "text/event-stream", "text/plain", "text/csv")
_UNUSED = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope",
    "hid", "idle-detection", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock", "serial",
    "usb", "xr-spatial-tracking",
)  # fmt: skip
_SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": ", ".join(f"{feature}=()" for feature in _UNUSED),
    "x-frame-options": "DENY",
}
_ONLY_TLS = "max-age=31536000; includeSubDomains"
_PRIVATE = ("/webhook", "/events", "/sandbox")  # whatever they answer, it is for whoever asked, and for now

_log = structlog.get_logger(__name__)
_ANSWERS = Histogram(
    "backhaul_http_seconds",
    "Time to answer, by endpoint and status",
    ["method", "endpoint", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


class Manners:
    """The middleware.

    realtime: what pages may talk to besides us, as the content security policy says it.
    https: people reach us by TLS alone, so every request counts as such, also where a proxy in between does not say so: cookies
    are Secure, and browsers are told to use nothing else.
    """

    def __init__(self, app: ASGIApp, *, realtime: str = "", https: bool = False) -> None:
        self._app = app
        self._https = https
        policies = _REALTIME_POLICY if realtime else "'none'"
        self._policy = f"{_STRICT}; trusted-types {policies}; connect-src 'self' {realtime}".strip()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._https:
            scope["scheme"] = "https"
        await _Exchange(self._app, scope, receive, send, self._policy).run()


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, policy: str) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._send = send
        self._policy = policy
        self._received = 0
        self._status = 0
        self._began = time.perf_counter()
        scope["request_id"] = uuid4().hex[:16]

    async def run(self) -> None:
        request = Request(self._scope)
        try:
            declared = Headers(scope=self._scope).get("content-length", "0")
            if declared.isdecimal() and int(declared) > LARGEST_BODY:
                raise _too_large()
            await self._app(self._scope, self._bounded, self._carry)
        except Problem as problem:
            await self._instead(refusal(request, problem))
        except ClientDisconnect:
            self._status = self._status or 499  # nobody is there to be answered
        except Exception as error:
            _log.error("unforeseen", request_id=self._scope["request_id"], path=self._endpoint, exc_info=error)
            unforeseen = Problem(
                "Something went wrong inside Backhaul",
                "It may or may not have been saved",
                f"Try again; if it stays, tell whoever runs Backhaul this number: {self._scope['request_id']}",
                code="bug",
            )
            await self._instead(refusal(request, unforeseen))
        finally:
            self._note()

    async def _bounded(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > LARGEST_BODY:
            raise _too_large()
        return message

    async def _carry(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self._scope["request_id"]
            if self._scope["scheme"] == "https":
                headers["strict-transport-security"] = _ONLY_TLS
            kind, path = headers.get("content-type", ""), self._scope["path"]
            if _is_text(kind) and "charset=" not in kind:
                headers["content-type"] = f"{kind}; charset=utf-8"
            is_data = kind.startswith(_DATA_TYPES)
            headers["content-security-policy"] = _DOCS if path == "/docs" else _DATA if is_data else self._policy
            if kind.startswith(("application/json", "text/event-stream")) or path.startswith(_PRIVATE):
                headers["cache-control"] = "no-store"
        await self._send(message)

    async def _instead(self, answer: Response) -> None:
        if not self._status:  # an answer that has begun cannot be taken back
            await answer(self._scope, self._receive, self._carry)

    @property
    def _endpoint(self) -> str:
        """The route, not the address: it has no ids in it, and there are only so many."""
        route = self._scope.get("route")
        return getattr(route, "path", "other")

    def _note(self) -> None:
        seconds = time.perf_counter() - self._began
        method, endpoint = self._scope["method"], self._endpoint
        if endpoint != "other" and not endpoint.startswith("/events"):
            _ANSWERS.labels(method, endpoint, str(self._status)).observe(seconds)
        level = _log.warning if self._status >= 500 else _log.info if self._status >= 400 or method == "POST" else _log.debug
        level(
            "answered",
            request_id=self._scope["request_id"],
            method=method,
            endpoint=endpoint,
            status=self._status,
            ms=round(seconds * 1000, 1),
        )


def _is_text(kind: str) -> bool:
    """Whether bytes of this media type are letters whose encoding has to be told; of JSON it is not, it has but one."""
    return kind.startswith(("text/", "application/javascript")) or kind.endswith("xml")


def _too_large() -> Problem:
    problem = Problem(
        "The request is too large",
        f"At most {LARGEST_BODY // 1024} KB are taken",
        "Shorten the notes, or send less at once",
        code="too_large",
    )
    problem.status = 413
    return problem
