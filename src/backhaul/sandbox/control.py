"""How a person or a test talks to the stand-ins themselves: faults, held calls, the journal, what is stored.

GET  /                            what this is
GET  /_stand-ins/faults           orders in force, calls held now, and every fault each service has
POST /_stand-ins/faults           {service, fault, times?, seconds?, retry_after?, status?, wrapped?, method?, path?}
POST /_stand-ins/release          {service?}: answer the held calls
GET  /_stand-ins/journal          calls received; ?service= &method= &path= (a template's prefix)
DELETE /_stand-ins/journal        forget them
GET  /_stand-ins/state            counts: contacts by externalId, messages, events, the mail server's address …
GET  /_stand-ins/state/{kind}     the stored documents: contact, note, message, slack, calendar, event, mail
POST /_stand-ins/reset            forget calls, documents and orders; files of delivered mail stay
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from backhaul.sandbox.faults import BadOrder, FaultDesk
from backhaul.sandbox.mail import MailServer
from backhaul.sandbox.store import Store

_KINDS = ("contact", "note", "message", "slack", "calendar", "event", "mail")
_PAGE = """<!DOCTYPE html><html lang="en">
<head><meta charset="utf-8"><title>Stand-ins for Google, Quo, Slack and mail</title></head><body>
<h1>Stand-ins</h1><p>These answer in place of Google Maps, Google Calendar, Quo, Slack and a mail server,
and of OSRM, Valhalla and Nominatim, for demos and tests.
Nothing here reaches any of them, and nobody receives what is sent here.</p><pre>{manual}</pre></body></html>"""


class Control:
    def __init__(self, store: Store, desk: FaultDesk, mail: MailServer | None) -> None:
        self._store = store
        self._desk = desk
        self._mail = mail

    def routes(self) -> Sequence[Route]:
        return [
            Route("/", self._front),
            Route("/_stand-ins/faults", self._faults),
            Route("/_stand-ins/faults", self._order, methods=["POST"]),
            Route("/_stand-ins/release", self._release, methods=["POST"]),
            Route("/_stand-ins/journal", self._journal),
            Route("/_stand-ins/journal", self._forget_calls, methods=["DELETE"]),
            Route("/_stand-ins/state", self._state),
            Route("/_stand-ins/state/{kind}", self._documents),
            Route("/_stand-ins/reset", self._reset, methods=["POST"]),
        ]

    async def _front(self, _: Request) -> Response:
        return HTMLResponse(_PAGE.format(manual=__doc__))

    async def _faults(self, _: Request) -> Response:
        return JSONResponse(self._at_the_desk())

    async def _order(self, request: Request) -> Response:
        try:
            self._desk.order(json.loads(await request.body()))
        except BadOrder as problem:
            return JSONResponse({"message": str(problem)}, status_code=400)
        except ValueError as problem:
            return JSONResponse({"message": f"The body is no JSON: {problem}"}, status_code=400)
        return JSONResponse(self._at_the_desk())

    async def _release(self, request: Request) -> Response:
        body = await request.body()
        try:
            wish = json.loads(body) if body else {}
        except ValueError as problem:
            return JSONResponse({"message": f"The body is no JSON: {problem}"}, status_code=400)
        service = wish.get("service") if isinstance(wish, dict) else None
        return JSONResponse({"released": self._desk.release(service)})

    async def _journal(self, request: Request) -> Response:
        asked = request.query_params
        calls = self._store.journal(service=asked.get("service"), method=asked.get("method"), path=asked.get("path"))
        return JSONResponse({"calls": calls, "total": len(calls)})

    async def _forget_calls(self, _: Request) -> Response:
        self._store.forget_calls()
        return Response(status_code=204)

    async def _state(self, _: Request) -> Response:
        by_external_id = self._store.tally("contact")
        return JSONResponse(
            {
                "quo": {
                    "contacts": sum(by_external_id.values()),
                    "by_external_id": by_external_id,
                    "messages": self._store.count("message"),
                },
                "calendar": {"calendars": self._store.count("calendar"), "events": self._store.count("event")},
                "slack": {"messages": self._store.count("slack")},
                "mail": {
                    "messages": self._store.count("mail"),
                    "host": "127.0.0.1",
                    "port": self._mail.port if self._mail else None,
                },
            }
        )

    async def _documents(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in _KINDS:
            return JSONResponse({"message": f"There are no {kind!r}. Stored are: {', '.join(_KINDS)}."}, status_code=404)
        return JSONResponse({"documents": self._store.find(kind)})

    async def _reset(self, _: Request) -> Response:
        self._store.forget_everything()
        self._desk.clear()
        self._desk.release()
        return Response(status_code=204)

    def _at_the_desk(self) -> dict[str, object]:
        kinds = {service: sorted(kinds) for service, kinds in self._desk.kinds.items()}
        return {"orders": self._desk.orders(), "held": self._desk.holding(), "kinds": kinds}
