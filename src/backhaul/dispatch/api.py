"""The office's endpoints: one for each workflow, and what the pages read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backhaul.core.accounts import Accounts
from backhaul.core.doors import PUBLIC, limited
from backhaul.core.errors import Forbidden, NotFound, Rejected
from backhaul.core.faults import NOT_AN_OBJECT, NOT_JSON
from backhaul.core.http import Answer, Asking, IdempotencyKey, actor, caller, person
from backhaul.core.queries import Queries
from backhaul.core.store import Row, Store
from backhaul.core.task_api import Shape
from backhaul.core.workflow import Workflow
from backhaul.dispatch.clients import clients
from backhaul.dispatch.forms import Form, WithNewPassword, WithPassword, rejected
from backhaul.dispatch.looks import note_look
from backhaul.dispatch.office import STAFF, Office
from backhaul.dispatch.outside import stand_in_names
from backhaul.dispatch.settings import Settings
from backhaul.dispatch.stand_ins import ask_stand_ins
from backhaul.dispatch.travel import clinic_times, wanted_times

FormT = TypeVar("FormT", bound=Form)
_tasks = Queries("tasks")
_LIMITS = b"""
select l.role, extract(epoch from l.idle_for)::double precision as limit_s,
       extract(epoch from l.warn_before)::double precision as warn_s
  from private.inactivity_limits l
"""


def workflow_endpoint(api: APIRouter, workflow: Workflow[Any, Office]) -> None:
    """POST /webhook/<workflow>: validates the form, every fault at once, then saves and answers.

    Besides the workflow's own reply, `data.backgroundTasks` names the tasks that follow: {task type: id}.
    """

    async def submit(request: Request, claims: Asking, idempotency_key: IdempotencyKey = None) -> Any:
        form = await read_form(request, workflow.form)
        accounts: Accounts = request.app.state.accounts
        if isinstance(form, WithNewPassword):
            form.must_suit(accounts.rules)
        if isinstance(form, WithPassword) and form.current_password:
            await accounts.prove_in_session(claims, form.current_password.get_secret_value(), caller(request))
        store: Store = request.app.state.store
        reply = await workflow.submit(store, form, actor(request, claims), key=idempotency_key)
        tasks = reply.body.get("task_ids", {})
        return {**reply.body, "task_ids": tasks, "data": {**reply.body.get("data", {}), "backgroundTasks": tasks}}

    submit.__doc__ = (workflow.form.__doc__ or "").strip()
    for name in (workflow.name, *workflow.aliases):
        for method in workflow.methods:
            api.add_api_route(
                f"/webhook/{name}",
                submit,
                methods=[method],
                name=name,
                tags=["workflows"],
                openapi_extra=described(workflow.form),
                operation_id=f"{name}-{method.lower()}",
                include_in_schema=name == workflow.name,  # an alias is the same endpoint, described once
            )


def office_endpoints(shape: Shape) -> APIRouter:
    api = APIRouter(tags=["office"], default_response_class=Answer)

    @api.get("/webhook/get-clients")
    async def get_clients(
        request: Request,
        claims: Asking,
        *,
        q: Annotated[
            str | None, Query(max_length=100, description="A part of a name, K number, telephone number, town or e-mail")
        ] = None,
        status: Annotated[str | None, Query(pattern="^(active|inactive|archived)$")] = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Any:
        """Clients by name, each with the newest task of each type and its drive times in a nutshell."""
        async with person(request, claims) as (tx, who):
            _staff_only(who)
            page = await clients.page(tx, q=q, status=status, after=after, limit=limit)
        shown = [client | {"tasks": [shape(task) for task in client["tasks"]]} for client in page.clients]
        return {
            "success": True,
            "clients": shown,
            "next": page.next,
            "count": page.count,  # of all that were asked for, not of this page
            "activeCount": page.active,
            "inactiveCount": page.count - page.active,
        }

    @api.get("/webhook/get-client")
    async def get_client(
        request: Request,
        claims: Asking,
        ident: Annotated[UUID | None, Query(alias="id")] = None,
        knumber: Annotated[str | None, Query(max_length=20)] = None,
    ) -> Any:
        """One client whole: record, times to and from them, trips, all their tasks, and who changed what, as far as one may know.

        clinic_times_pending: the clinics whose travel times are still being calculated.
        """
        async with person(request, claims) as (tx, who):
            _staff_only(who)
            record = await clients.whole(tx, client_id=ident, knumber=knumber)
            around = {
                "drive_times": await clients.drive_times(tx, record["id"]),
                "clinic_times": await clinic_times.of_client(tx, record["id"]),
                "clinic_times_pending": await wanted_times.pending(tx, record["id"]),
                "trips": await clients.trips(tx, record["id"]),
                "changes": await clients.changes(tx, record["id"]),
            }
            tasks = await tx.all(_tasks.of_entity, {"entity_type": "client", "entity_id": record["id"]})
            await note_look(tx, request, claims, "client", record["id"])
        return {"success": True, "client": record, **around, "tasks": [shape(task) for task in tasks]}

    @api.get("/portal-config", tags=["pages"], dependencies=[Depends(limited(PUBLIC))])
    async def portal_config(request: Request) -> Any:
        """What a page must know before anybody signs in."""
        settings: Settings = request.app.state.settings
        store: Store = request.app.state.store
        async with store.service() as tx:
            limits = await tx.all(_LIMITS)
        return {
            "product": "Backhaul",
            "inactivity": {row.pop("role"): row for row in limits},
            "supabaseUrl": settings["supabase_url"],
            "supabaseAnonKey": settings["supabase_anon_key"],
            "pollMs": 30_000,
            "standIns": stand_in_names(settings) if settings["stand_ins"] else [],
            "demo": {"users": DEMO_USERS} if settings["demo"] else None,
        }

    return api


DEMO_USERS = ("admin@demo.test", "supervisor@demo.test", "agent@demo.test", "agent2@demo.test")


class Fault(BaseModel):
    """A fault for one stand-in: `ok` ends it; `times` is how often, or until it is ended."""

    model_config = ConfigDict(extra="allow")
    service: str = Field(max_length=20)
    fault: str = Field(max_length=20)
    times: int | None = Field(default=None, ge=1, le=100_000)


def sandbox_endpoints() -> APIRouter:
    """Faults on demand. There only while the stand-ins are in use, and for admins only."""
    api = APIRouter(prefix="/sandbox", tags=["stand-ins"], default_response_class=Answer)

    @api.get("/faults")
    async def get_faults(request: Request, claims: Asking) -> Any:
        """The faults in force, and what can be chosen."""
        async with person(request, claims) as (_, who):
            address = _stand_ins(request, who)
        return await ask_stand_ins(address, "GET")

    @api.post("/faults")
    async def set_fault(request: Request, claims: Asking, fault: Fault) -> Any:
        """Makes a stand-in fail, or work again."""
        async with person(request, claims) as (_, who):
            address = _stand_ins(request, who)
        return await ask_stand_ins(address, "POST", fault.model_dump(exclude_none=True))

    return api


def described(form: type[Form]) -> dict[str, Any]:
    """A form as the body of an endpoint, for the description at /docs."""
    schema = form.model_json_schema(by_alias=True)
    schema = _whole(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _whole(part: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema with what it refers to in its place: inside a larger description its own definitions are out of reach."""
    match part:
        case {"$ref": str(name)} if name.startswith("#/$defs/"):
            return _whole(definitions[name.removeprefix("#/$defs/")], definitions)
        case dict():
            return {key: _whole(value, definitions) for key, value in part.items()}
        case list():
            return [_whole(value, definitions) for value in part]
        case _:
            return part


async def read_form(request: Request, form: type[FormT]) -> FormT:
    """The request's body as a form. Raises: Rejected with every fault at once."""
    try:
        sent = json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Rejected(NOT_JSON, "", "Send a JSON object in UTF-8", code="json") from None
    if not isinstance(sent, dict):
        raise Rejected(NOT_AN_OBJECT, "", "Send a JSON object", code="json")
    try:
        return form.model_validate(sent)
    except ValidationError as error:
        raise rejected(error, form) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _staff_only(who: Row) -> None:
    if who["role"] not in STAFF:
        raise Forbidden("Only the office's staff may see clients", "", "Ask the office", code="role")


def _stand_ins(request: Request, who: Row) -> str:
    settings: Settings = request.app.state.settings
    address: str | None = settings["stand_ins"]
    if address is None:
        raise NotFound("There are no stand-ins here", "The real services are in use", "", code="no_stand_ins")
    if who["role"] != "admin":
        raise Forbidden("Only admins may make the stand-ins fail", "", "Sign in as an admin", code="role")
    return address
