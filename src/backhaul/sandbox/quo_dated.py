"""Quo's contacts on its dated surface: flat, their numbers and addresses apart as properties. The same contacts as v1's.

Nothing here is unique either: a second property with the same type, name and value is a second one. Every request must name the
version. Other properties than telephone numbers and e-mail addresses are not kept by this stand-in.
Source: external service notes 3.1 and 3.2; Quo docs, Contacts; Contact properties (2026-03-30).
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from typing import Annotated, Literal

from pydantic import StringConstraints, TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response

from backhaul.sandbox.quo import (
    ExternalId,
    PhoneNumber,
    QuoBody,
    Reception,
    Source,
    SourceUrl,
    Text,
    invalid,
    problem,
    read,
    refusals,
)
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused

VERSION = "2026-03-30"
BAD = "0800400"  # taken out again: errors of this surface have no code
_LISTS = {"phone-number": "phoneNumbers", "email": "emails"}
_SCALARS = ("firstName", "lastName", "company", "role")


class DatedSurface:
    """What its groups of calls have in common: the version, and errors without code and status."""

    service = "quo"

    def __init__(self, store: Store, clock: Clock, reception: Reception) -> None:
        self.store = store
        self._clock = clock
        self._reception = reception

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return {kind: _reworded(refusal) for kind, refusal in refusals("0800").items()}

    def answering(self, handler: Callable[[Ask], Response]) -> Callable[[Ask], Response]:
        """The handler, once key, pace and version are right."""

        def answer(ask: Ask) -> Response:
            try:
                self._reception.admit(ask)
                if ask.headers.get("Quo-Api-Version") != VERSION:
                    raise invalid(BAD, "header/Quo-Api-Version", f"Value must be one of: {VERSION}")
                return handler(ask)
            except Refused as refused:
                raise Refused(_without_code(refused.response)) from refused

        return answer

    def contact(self, ask: Ask) -> dict[str, object]:
        contact = self.store.get("contact", ask.params["id"])
        ask.notes.update(contact=ask.params["id"])
        if contact is None:
            raise not_found("contact")
        return contact

    def now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class QuoDatedContacts(DatedSurface):
    label = "Quo contacts"

    def calls(self) -> Sequence[Call]:
        one, all_properties = "/contacts/{id}", "/contacts/{id}/properties"
        calls = [
            Call("POST", "/contacts", self._create),
            Call("GET", "/contacts", self._list),
            Call("GET", one, lambda ask: JSONResponse({"data": _flat(self.contact(ask))})),
            Call("PATCH", one, self._update),
            Call("DELETE", one, self._delete),
            Call("GET", all_properties, self._list_properties),
            Call("POST", all_properties, self._add_property),
            Call("PATCH", f"{all_properties}/{{property}}", self._change_property),
            Call("DELETE", f"{all_properties}/{{property}}", self._remove_property),
        ]
        return [Call(call.method, call.path, self.answering(call.answer)) for call in calls]

    def _create(self, ask: Ask) -> Response:
        wish = read(ask, _NewContact, BAD)
        contact: dict[str, object] = {
            "id": uuid.uuid4().hex[:24],
            "createdByUserId": wish.actor_id or "USstandin",
            "createdAt": self.now(),
            "defaultFields": {"phoneNumbers": [], "emails": []},
            "customFields": [],
        }
        return self._keep(ask, contact, wish.model_dump(exclude={"actor_id"}, by_alias=True), status=201)

    def _update(self, ask: Ask) -> Response:
        contact = self.contact(ask)
        return self._keep(ask, contact, read(ask, _Scalars, BAD).model_dump(exclude_unset=True, by_alias=True), status=200)

    def _keep(self, ask: Ask, contact: dict[str, object], named: Mapping[str, object], *, status: int) -> Response:
        fields = contact["defaultFields"]
        assert isinstance(fields, dict)  # noqa: S101 - every stored contact has them; the store's type cannot say so
        fields |= {name: value for name, value in named.items() if name in _SCALARS}
        contact |= {name: value for name, value in named.items() if name not in _SCALARS} | {"updatedAt": self.now()}
        self._put(contact)
        ask.notes.update(contact=contact["id"], external_id=contact["externalId"])
        return JSONResponse({"data": _flat(contact)}, status_code=status)

    def _put(self, contact: dict[str, object]) -> None:
        self.store.put("contact", str(contact["id"]), contact, label=str(contact["externalId"] or ""))

    def _list(self, ask: Ask) -> Response:
        """`externalId[in]` takes several; another operator is refused, another parameter passed over."""
        if wrong := [name for name in ask.query if name.startswith("externalId[") and name != "externalId[in]"]:
            raise invalid(BAD, f"query/{wrong[0]}", "Unsupported operator")
        some = ask.query.get("externalId[in]")
        wanted = some.split(",") if some is not None else ask.query.getlist("externalId")
        ask.notes.update(external_ids=wanted)
        if wanted:
            found = [contact for external in dict.fromkeys(wanted) for contact in self.store.find("contact", label=external)]
        else:
            found = self.store.find("contact")
        return page(ask, [_flat(contact) for contact in found])

    def _delete(self, ask: Ask) -> Response:
        self.store.remove("contact", str(self.contact(ask)["id"]))
        return Response(status_code=204)

    def _list_properties(self, ask: Ask) -> Response:
        contact, kind = self.contact(ask), ask.query.get("type")
        found = [_property(contact, each, item) for each in _LISTS for item in _items(contact, each)]
        return page(ask, [item for item in found if kind in (None, item["type"])])

    def _add_property(self, ask: Ask) -> Response:
        contact, wish = self.contact(ask), read(ask, _NewProperty, BAD)
        item: dict[str, object] = {"id": uuid.uuid4().hex[:12], "name": wish.name, "value": _value(wish.type, wish.value)}
        _items(contact, wish.type).append(item)
        self._put(contact)
        return JSONResponse({"data": _property(contact, wish.type, item)})

    def _change_property(self, ask: Ask) -> Response:
        contact, wish = self.contact(ask), read(ask, _PropertyUpdate, BAD)
        kind, item = self._one_property(ask, contact)
        if wish.value is not None:
            _value(kind, wish.value)
        item |= wish.model_dump(exclude_unset=True)
        self._put(contact)
        return JSONResponse({"data": _property(contact, kind, item)})

    def _remove_property(self, ask: Ask) -> Response:
        contact = self.contact(ask)
        kind, item = self._one_property(ask, contact)
        _items(contact, kind).remove(item)
        self._put(contact)
        return Response(status_code=204)

    def _one_property(self, ask: Ask, contact: dict[str, object]) -> tuple[str, dict[str, object]]:
        for kind in _LISTS:
            for item in _items(contact, kind):
                if item["id"] == ask.params["property"]:
                    return kind, item
        raise not_found("contact property")


class _Scalars(QuoBody):
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    role: str | None = None
    external_id: ExternalId | None = None
    source: Source | None = None
    source_url: SourceUrl | None = None


class _NewContact(_Scalars):
    first_name: Text
    actor_id: Annotated[str, StringConstraints(pattern=r"^US")] | None = None


class _PropertyUpdate(QuoBody):
    name: str | None = None
    value: str | None = None


class _NewProperty(_PropertyUpdate):
    type: Literal["phone-number", "email"]
    value: str


def page(ask: Ask, found: Sequence[Mapping[str, object]]) -> Response:
    """A page of a list: `limit` is 10 unless asked for, `after` comes from the page before."""
    wish = ask.query.get("limit", "10")
    size = int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 9 else 0
    if not 1 <= size <= 50:
        raise invalid(BAD, "query/limit", "Expected integer from 1 to 50", wish, "integer")
    try:
        start = int(base64.urlsafe_b64decode(ask.query.get("after", "MA==")))
    except ValueError as unreadable:
        raise invalid(BAD, "query/after", "Expected a cursor of an earlier answer") from unreadable
    end = start + size
    more = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else None
    return JSONResponse({"data": list(found[start:end]), "nextCursor": more})


def not_found(what: str) -> Refused:
    return Refused(problem(404, "0800404", f"The {what} was not found"))


def _flat(contact: Mapping[str, object]) -> dict[str, object]:
    fields = contact["defaultFields"]
    assert isinstance(fields, dict)  # noqa: S101 - every stored contact has them; the store's type cannot say so
    own = {name: contact[name] for name in ("id", "externalId", "source", "sourceUrl", "createdAt", "updatedAt")}
    return own | {name: fields.get(name) for name in _SCALARS} | {"actorId": contact["createdByUserId"]}


def _items(contact: Mapping[str, object], kind: str) -> list[dict[str, object]]:
    """The stored list itself, to be changed in place."""
    fields = contact["defaultFields"]
    assert isinstance(fields, dict)  # noqa: S101 - as above
    items: list[dict[str, object]] = fields.setdefault(_LISTS[kind], [])
    return items


def _property(contact: Mapping[str, object], kind: str, item: Mapping[str, object]) -> dict[str, object]:
    times = {"createdAt": contact["createdAt"], "updatedAt": contact["updatedAt"]}
    return {"id": item["id"], "type": kind, "name": item["name"], "value": item["value"]} | times


def _value(kind: str, value: str) -> str:
    if kind == "phone-number":
        try:
            _PHONE.validate_python(value)
        except ValidationError as wrong:
            raise invalid(BAD, "value", "Expected a telephone number", value) from wrong
    return value


_PHONE = TypeAdapter(PhoneNumber)


def _reworded(refusal: Refusal) -> Refusal:
    return lambda fault: _without_code(refusal(fault))


def _without_code(response: Response) -> Response:
    """This surface's error body; what is no JSON, a proxy's page, stays as it is."""
    if not isinstance(response, JSONResponse):
        return response
    body = {name: value for name, value in json.loads(bytes(response.body)).items() if name not in ("code", "status")}
    headers = {"Retry-After": response.headers["Retry-After"]} if "Retry-After" in response.headers else None
    return JSONResponse(body, status_code=response.status_code, headers=headers)
