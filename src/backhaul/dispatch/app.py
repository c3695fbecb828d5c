"""The whole product as one ASGI application: workflows, tasks, sessions, health, pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from backhaul.core.account_api import account_endpoints
from backhaul.core.accounts import Accounts
from backhaul.core.audit_api import audit_endpoints
from backhaul.core.health import health_endpoints
from backhaul.core.http import Answer
from backhaul.core.limits import SharedLimits
from backhaul.core.manners import Manners
from backhaul.core.passwords import Passwords
from backhaul.core.refusals import REFUSED, answer_errors
from backhaul.core.session_api import session_endpoints
from backhaul.core.sessions import Sessions
from backhaul.core.share import share
from backhaul.core.store import Store
from backhaul.core.stream import Stream
from backhaul.core.task_api import process_endpoint, shaper, task_endpoints
from backhaul.core.task_feed import TaskFeed
from backhaul.core.tokens import Tokens
from backhaul.core.worker import Worker, worker_name
from backhaul.dispatch.accounts.activity_api import activity_endpoints
from backhaul.dispatch.accounts.no_password_api import no_password_endpoints
from backhaul.dispatch.accounts.profile_api import profile_endpoints
from backhaul.dispatch.accounts.user_api import user_endpoints
from backhaul.dispatch.accounts.users import password_rules
from backhaul.dispatch.admin.office_api import office_words_endpoints
from backhaul.dispatch.admin.system_api import system_endpoints
from backhaul.dispatch.api import office_endpoints, sandbox_endpoints, workflow_endpoint
from backhaul.dispatch.clients.lists import client_list_endpoints
from backhaul.dispatch.destinations.api import destination_endpoints
from backhaul.dispatch.drivers.api import driver_endpoints
from backhaul.dispatch.invoices.api import invoice_endpoints
from backhaul.dispatch.outside import outside
from backhaul.dispatch.records import audit_log
from backhaul.dispatch.settings import Settings
from backhaul.dispatch.trips.appointment_api import appointment_endpoints
from backhaul.dispatch.trips.dashboard_api import dashboard_endpoints
from backhaul.dispatch.trips.trip_api import trip_endpoints
from backhaul.dispatch.trips.trip_feed import TripFeed
from backhaul.dispatch.workflows import add_client, all_of_them

__all__ = ["create_app", "put_on", "workflows"]

workflows = all_of_them()


def create_app(settings: Settings, dsn: str) -> FastAPI:
    """The application. dsn: a login that may become `authenticated` and `service_role`. It opens its own connections."""
    shape = shaper(workflows.label)
    app = FastAPI(
        title="Backhaul",
        version=version("backhaul"),
        summary="Save now, haul the slow work in the background, speak only when something failed.",
        lifespan=_life,
        docs_url=None,
        redoc_url=None,
        default_response_class=Answer,
    )
    put_on(app, settings, dsn)
    app.state.audit_log = audit_log(workflows)
    answer_errors(app)
    for router in (
        session_endpoints(),
        account_endpoints(),
        no_password_endpoints(),
        profile_endpoints(),
        user_endpoints(),
        task_endpoints(shape),
        _workflow_endpoints(),
        office_endpoints(shape),
        client_list_endpoints(),
        destination_endpoints(shape),
        driver_endpoints(shape),
        audit_endpoints(),
        activity_endpoints(),
        appointment_endpoints(),
        office_words_endpoints(),
        system_endpoints(),
        invoice_endpoints(shape),
        trip_endpoints(shape),
        dashboard_endpoints(),
        sandbox_endpoints(),
    ):
        app.include_router(router, responses=REFUSED)
    app.include_router(health_endpoints(share("supabase", "migrations")))
    _pages(app)
    app.add_middleware(Manners, realtime=_realtime(settings["supabase_url"]), https=settings.public_address.startswith("https:"))
    return app


def put_on(app: FastAPI, settings: Settings, dsn: str, *, connections: int = 4) -> None:
    """What the application stands on when it starts; it may be put on something else once it has stopped.

    connections: how many it opens before anybody asks; more come as they are needed.
    """
    app.state.settings, app.state.dsn, app.state.connections = settings, dsn, connections
    app.state.service_key = settings.service_key


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    store = Store(app.state.dsn, at_least=app.state.connections, at_most=20, pooled=settings["database_pooled"])
    await store.open()
    tokens = Tokens(settings.jwt_secret)
    passwords = Passwords()
    sessions = Sessions(store, tokens, passwords)
    stream = Stream(store, [TaskFeed(shaper(workflows.label)), TripFeed()], listen_to=settings["session_url"])
    await stream.open()
    async with outside(settings, SharedLimits(store)) as office:
        app.state.store, app.state.tokens, app.state.sessions, app.state.stream = store, tokens, sessions, stream
        app.state.accounts = Accounts(store, passwords, sessions, password_rules(settings))
        app.state.worker = Worker(store, workflows, office, name=f"api:{worker_name()}")
        yield
    await stream.close()
    await store.close()


def _workflow_endpoints() -> APIRouter:
    api = APIRouter(default_response_class=Answer)
    for workflow in workflows.by_name.values():
        workflow_endpoint(api, workflow)
    process_endpoint(api, "/webhook/process-drive-times", add_client.calculate_drive_times.name)
    process_endpoint(api, "/webhook/process-quo-sync", add_client.sync_quo.name)
    return api


def _pages(app: FastAPI) -> None:
    web = share("web")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(web / "docs.html")

    app.router.default = _Pages(
        directory=web, html=True
    )  # not a mount: that would answer for endpoints asked with a wrong method


class _Pages(StaticFiles):
    """The pages as they lie in web/. A browser asks each time whether a file has changed, so an edited page is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD") and self.lookup_path(path)[1] is None:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if path.startswith("vendor/") else "no-cache"
        return response


def _realtime(supabase_url: str | None) -> str:
    """What the pages may connect to besides us, for the content security policy."""
    if not supabase_url:
        return ""
    host = urlsplit(supabase_url).netloc
    return f"https://{host} wss://{host}" if supabase_url.startswith("https") else f"http://{host} ws://{host}"
