"""The one way in to every vendor's operations: reads the call, plays the fault in force, journals what happened, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from backhaul.sandbox.faults import Fault, FaultDesk
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused, Vendor

HANG_UP: Final = "backhaul.sandbox.hang-up"
"""The ASGI extension by which our own server lets an application drop the connection; see `server.py`."""

_LARGEST_BODY = 2 * 1024 * 1024
_SILENCE_S = 60.0
_SLOWNESS_S = 3.0
_PROXY_PAGE = (
    "<!DOCTYPE html><html><head><title>{status} from a proxy (stand-in)</title></head><body><h1>{headline}</h1>"
    "<p>This page stands in for one a proxy on the way might send instead of the vendor's answer.</p></body></html>"
)


class Door:
    """An ASGI endpoint for one operation.

    `lost` and `timeout` need a server that can hang up. Inside a test (httpx.ASGITransport) there is no connection to drop, so
    the exception which httpx would raise is raised here: RemoteProtocolError for `lost`; ReadTimeout, at once, for `timeout`.
    """

    def __init__(self, vendor: Vendor, call: Call, desk: FaultDesk, store: Store, clock: Clock) -> None:
        self._vendor = vendor
        self._call = call
        self._desk = desk
        self._store = store
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        body = await request.body()
        fault = self._desk.take(self._vendor.service, request.method, self._call.path)
        ask = Ask(request.method, self._call.path, request.path_params, request.query_params, request.headers, body, fault)
        entry = self._store.arrived(self._clock(), self._vendor.service, ask.method, ask.path)

        def journal(outcome: str, status: int | None = None) -> None:
            self._store.ended(entry, outcome, status, ask.notes)

        kind = fault.fault if fault else ""
        if fault and kind == "timeout":
            journal("timeout: nothing done, no answer")
            if HANG_UP not in scope.get("extensions", {}):
                raise httpx.ReadTimeout("the stand-in does not answer, as ordered", request=_as_httpx(request))
            await _outlasts(asyncio.sleep(_SILENCE_S if fault.seconds is None else fault.seconds), receive)
            await _hang_up(scope, receive)
            return

        response = self._answer(ask)
        response.headers["X-Stand-In"] = f"stand-in for {self._vendor.label}"
        if fault:
            response.headers["X-Stand-In-Fault"] = kind
        if fault and kind == "lost":
            journal("lost: done, connection dropped", response.status_code)
            if HANG_UP not in scope.get("extensions", {}):
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=_as_httpx(request))
            await _hang_up(scope, receive)
            return
        if fault and kind in ("slow", "hold"):
            journal(f"{kind}: done, not yet answered", response.status_code)
            wait = self._desk.held(self._vendor.service) if kind == "hold" else asyncio.sleep(_slowness(fault))
            if not await _outlasts(wait, receive):
                journal(f"{kind}: done, the caller went away", response.status_code)
                return
        journal(f"fault {kind}" if kind else "answered", response.status_code)
        await response(scope, receive, send)

    def _answer(self, ask: Ask) -> Response:
        fault = ask.fault
        if len(ask.body) > _LARGEST_BODY:
            return JSONResponse({"message": "The stand-ins take bodies of up to 2 MiB"}, status_code=413)
        if fault and fault.fault == "html":
            return proxy_page(fault.status)
        if fault and fault.fault in self._vendor.refusals:
            return self._vendor.refusals[fault.fault](fault)
        try:
            return self._call.answer(ask)
        except Refused as refused:
            return refused.response


def proxy_page(status: int) -> HTMLResponse:
    """What a proxy in between says in HTML: the form in which errors of no documented shape arrive."""
    headline = "Please sign in to the network" if status == 200 else HTTPStatus(status).phrase
    return HTMLResponse(_PROXY_PAGE.format(status=status, headline=headline), status_code=status)


def _refused_by_a_proxy(status: int) -> Refusal:
    def refuse(fault: Fault) -> Response:
        page = proxy_page(status)
        if fault.retry_after is not None:
            page.headers["Retry-After"] = str(fault.retry_after)
        return page

    return refuse


PROXY_REFUSALS: Mapping[str, Refusal] = {
    str(status): _refused_by_a_proxy(status) for status in (401, 402, 403, 404, 429, 500, 503, 504)
} | {"denied": _refused_by_a_proxy(403)}
"""Of servers that know neither keys nor quotas: whatever stands before them says no in their place."""


def _slowness(fault: Fault) -> float:
    return _SLOWNESS_S if fault.seconds is None else fault.seconds


async def _outlasts(waiting: Awaitable[None], receive: Receive) -> bool:
    """True when `waiting` ended while the caller was still there; False when the caller left first."""
    waited = asyncio.ensure_future(waiting)
    left = asyncio.ensure_future(_caller_left(receive))
    try:
        await asyncio.wait({waited, left}, return_when=asyncio.FIRST_COMPLETED)
        return waited.done()
    finally:
        waited.cancel()
        left.cancel()
        await asyncio.gather(waited, left, return_exceptions=True)


async def _caller_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _hang_up(scope: Scope, receive: Receive) -> None:
    hang_up: Callable[[], None] = scope["extensions"][HANG_UP]["now"]
    hang_up()
    await _caller_left(receive)


def _as_httpx(request: Request) -> httpx.Request:
    return httpx.Request(request.method, str(request.url))
