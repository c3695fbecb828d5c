"""Quo's contacts at the far end of the line, on both of its surfaces: in memory, looked up by external id, never made unique."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx

EXTERNAL_ID = "client:7"

Body = dict[str, Any]
Items = Sequence[Body]


class FarEnd:
    """One surface. before: may answer a request in place of Quo. after: sees a request that was carried out."""

    api = ""
    contacts_path = ""

    def __init__(self) -> None:
        self.contacts: dict[str, Body] = {}
        self.requests: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.after: Callable[[httpx.Request], None] = lambda _: None
        self.transport = httpx.MockTransport(self._answer)

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.path.removeprefix('/v1')}" for request in self.requests]

    def body(self, method: str) -> Body:
        """Of the one request with this method."""
        (request,) = (request for request in self.requests if request.method == method)
        return dict(json.loads(request.content))

    def keep(self, contact_id: str = "Q1", external_id: str | None = EXTERNAL_ID, **fields: Any) -> FarEnd:
        """A contact is there: first_name, last_name, company, created_at, phones, emails."""
        raise NotImplementedError

    def view(self, contact_id: str) -> Body:
        """What is there: {firstName, lastName, company, phones, emails}; items as {name, value}, without their ids."""
        raise NotImplementedError

    def act(self, request: httpx.Request, below: list[str]) -> httpx.Response:
        """below: the path's parts under the contacts."""
        raise NotImplementedError

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        below = request.url.path.removeprefix(self.contacts_path).strip("/")
        answer = self.before(request) or self.act(request, below.split("/") if below else [])
        self.after(request)
        return answer

    def _find(self, wanted: list[str]) -> list[Body]:
        return [contact for contact in self.contacts.values() if contact.get("externalId") in wanted]


class V1(FarEnd):
    """One document each; a PATCH replaces it whole, and so deletes what it leaves out."""

    api = "v1"
    contacts_path = "/v1/contacts"

    def keep(self, contact_id: str = "Q1", external_id: str | None = EXTERNAL_ID, **fields: Any) -> V1:
        scalars = {name: fields.get(key) for name, key in _SCALARS.items()}
        scalars["firstName"] = fields.get("first_name", "J.")
        lists = {"phoneNumbers": list(fields.get("phones", [])), "emails": list(fields.get("emails", []))}
        return self.store(
            contact_id, externalId=external_id, createdAt=fields.get("created_at", ""), defaultFields=scalars | lists
        )

    def store(self, contact_id: str = "Q1", **body: Any) -> V1:
        """A contact as v1 itself has it."""
        bare: Body = {"id": contact_id, "externalId": EXTERNAL_ID, "defaultFields": {"firstName": "J."}, "customFields": []}
        self.contacts[contact_id] = bare | body
        return self

    def view(self, contact_id: str) -> Body:
        fields = self.contacts[contact_id]["defaultFields"]
        return {
            **{name: fields.get(name) for name in _SCALARS},
            "phones": _named(fields.get("phoneNumbers", [])),
            "emails": _named(fields.get("emails", [])),
        }

    def act(self, request: httpx.Request, below: list[str]) -> httpx.Response:
        match request.method, below:
            case "GET", []:
                found = self._find(request.url.params.get_list("externalIds"))
                return httpx.Response(200, json={"data": found, "totalItems": 0, "nextPageToken": None})
            case "POST", []:
                made = json.loads(request.content) | {"id": f"made-{len(self.contacts)}"}
                self.contacts[made["id"]] = made
                return httpx.Response(201, json={"data": made})
            case _, [contact_id] if contact_id in self.contacts:
                if request.method == "PATCH":
                    self.contacts[contact_id] = json.loads(request.content) | {"id": contact_id}
                return httpx.Response(200, json={"data": self.contacts[contact_id]})
        return httpx.Response(404, json={"message": "no such contact", "code": "0800404", "status": 404})


class Dated(FarEnd):
    """Flat contacts, with properties and notes of their own; nothing deletes what it does not name."""

    api = "2026-03-30"
    contacts_path = "/contacts"

    def __init__(self) -> None:
        super().__init__()
        self.properties: dict[str, list[Body]] = {}
        self.notes: dict[str, list[Body]] = {}

    def keep(self, contact_id: str = "Q1", external_id: str | None = EXTERNAL_ID, **fields: Any) -> Dated:
        scalars = {name: fields.get(key) for name, key in _SCALARS.items()}
        scalars["firstName"] = fields.get("first_name", "J.")
        self._store(contact_id, {"externalId": external_id, "createdAt": fields.get("created_at", ""), **scalars})
        for kind, key in (("phone-number", "phones"), ("email", "emails")):
            self.properties[contact_id] += [
                {"type": kind, **item, "id": f"{key}-{n}"} for n, item in enumerate(fields.get(key, []))
            ]
        return self

    def view(self, contact_id: str) -> Body:
        of = {kind: [item for item in self.properties[contact_id] if item["type"] == kind] for kind in ("phone-number", "email")}
        scalars = {name: self.contacts[contact_id].get(name) for name in _SCALARS}
        return {**scalars, "phones": _named(of["phone-number"]), "emails": _named(of["email"])}

    def act(self, request: httpx.Request, below: list[str]) -> httpx.Response:
        if request.headers.get("Quo-Api-Version") != "2026-03-30":
            return httpx.Response(400, json={"message": "Quo-Api-Version is missing"})
        match request.method, below:
            case "GET", []:
                return _page(request, self._find(request.url.params.get_list("externalId")))
            case "POST", []:
                made = self._store(f"made-{len(self.contacts)}", json.loads(request.content))
                return httpx.Response(201, json={"data": made})
            case _, [contact_id, *rest] if contact_id in self.contacts:
                return self._below(request, contact_id, rest)
        return httpx.Response(404, json={"message": "no such contact", "title": "Not Found"})

    def _store(self, contact_id: str, body: Body) -> Body:
        self.contacts[contact_id] = {"actorId": "US1", **body, "id": contact_id}
        self.properties[contact_id], self.notes[contact_id] = [], []
        return self.contacts[contact_id]

    def _below(self, request: httpx.Request, contact_id: str, rest: list[str]) -> httpx.Response:
        if not rest:
            if request.method == "PATCH":
                self.contacts[contact_id] |= json.loads(request.content)
            return httpx.Response(200, json={"data": self.contacts[contact_id]})
        items = (self.properties if rest[0] == "properties" else self.notes)[contact_id]
        match request.method, rest[1:]:
            case "GET", []:
                kind = request.url.params.get("type")
                return _page(request, [item for item in items if kind in (None, item.get("type"))])
            case "POST", []:
                items.append(json.loads(request.content) | {"id": f"{rest[0]}-{len(items)}"})
                return httpx.Response(200, json={"data": items[-1]})
            case method, [item_id] if one := next((item for item in items if item["id"] == item_id), None):
                if method == "DELETE":
                    items.remove(one)
                    return httpx.Response(204)
                one |= json.loads(request.content)
                return httpx.Response(200, json={"data": one})
        return httpx.Response(404, json={"message": "no such thing", "title": "Not Found"})


_SCALARS = {"firstName": "first_name", "lastName": "last_name", "company": "company"}


def _named(items: Items) -> list[Body]:
    return [{"name": item["name"], "value": item["value"]} for item in items]


def _page(request: httpx.Request, items: list[Body]) -> httpx.Response:
    """Three to a page, whatever was asked for, so that whoever forgets the rest is found out."""
    start = int(request.url.params.get("after", "0"))
    more = str(start + 3) if len(items) > start + 3 else None
    return httpx.Response(200, json={"data": items[start : start + 3], "nextCursor": more})
