"""Notes on Quo's contacts, which its dated surface alone has. A PATCH replaces the whole text.

Source: external service notes 3.1; Quo docs, Contact notes (2026-03-30).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints
from starlette.responses import JSONResponse, Response

from backhaul.sandbox.quo import QuoBody, read
from backhaul.sandbox.quo_dated import BAD, DatedSurface, not_found, page
from backhaul.sandbox.vendor import Ask, Call


class QuoNotes(DatedSurface):
    label = "Quo notes"

    def calls(self) -> Sequence[Call]:
        calls = [
            Call("GET", "/contacts/{id}/notes", self._list),
            Call("POST", "/contacts/{id}/notes", self._create),
            Call("GET", "/contacts/{id}/notes/{note}", lambda ask: JSONResponse({"data": self._note(ask)})),
            Call("PATCH", "/contacts/{id}/notes/{note}", self._update),
            Call("DELETE", "/contacts/{id}/notes/{note}", self._delete),
        ]
        return [Call(call.method, call.path, self.answering(call.answer)) for call in calls]

    def _list(self, ask: Ask) -> Response:
        return page(ask, self.store.find("note", label=str(self.contact(ask)["id"])))

    def _create(self, ask: Ask) -> Response:
        """200, not 201, as documented."""
        now = self.now()
        note: dict[str, object] = {"id": uuid.uuid4().hex[:24], "media": [], "createdAt": now, "actorId": "USstandin"}
        return self._keep(ask, str(self.contact(ask)["id"]), note)

    def _update(self, ask: Ask) -> Response:
        return self._keep(ask, ask.params["id"], self._note(ask))

    def _keep(self, ask: Ask, contact_id: str, note: dict[str, object]) -> Response:
        note |= {"text": read(ask, _Text, BAD).text, "updatedAt": self.now()}
        self.store.put("note", str(note["id"]), note, label=contact_id)
        ask.notes.update(note=note["id"])
        return JSONResponse({"data": note})

    def _delete(self, ask: Ask) -> Response:
        self.store.remove("note", str(self._note(ask)["id"]))
        return Response(status_code=204)

    def _note(self, ask: Ask) -> dict[str, object]:
        contact_id = str(self.contact(ask)["id"])
        for note in self.store.find("note", label=contact_id):
            if note["id"] == ask.params["note"]:
                return note
        raise not_found("note")


class _Text(QuoBody):
    text: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
