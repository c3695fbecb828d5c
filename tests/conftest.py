"""One Postgres for the whole run, one database for each test, and nothing outside but what a test puts there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg.rows import dict_row

from backhaul.core.embedded import EmbeddedPostgres, throwaway_postgres
from backhaul.core.migrations import migrate
from backhaul.core.share import share
from backhaul.core.store import Actor, Store, Tx
from backhaul.core.testing import Clock, Database, TestOffice, copy_of, hold_clock
from backhaul.dispatch.app import workflows
from backhaul.dispatch.office import Office
from tests.fakes import PORTAL, FakeCalendars, FakeMail, FakeMaps, FakeQuo, FakeSlack, FakeTexts
from tests.far_google import FarGoogle
from tests.processes import StandIn, Workers, stand_in_process, workers_on
from tests.trips import As, Trips

TEMPLATE, HELD = "template_office", "template_office_held"  # its clock runs, or stands still

# how long an example takes is the machine's business; what it shows is ours
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    with throwaway_postgres({"max_connections": "200"}) as server:
        server.prepare_database(TEMPLATE)
        migrate(server.dsn(TEMPLATE), share("supabase", "migrations"))
        with psycopg.connect(server.dsn("postgres", "supabase_admin"), autocommit=True) as admin:
            admin.execute(f"create database {HELD} template {TEMPLATE} owner postgres".encode())
        hold_clock(server.dsn(HELD))
        yield server


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database whose clock stands still."""
    with copy_of(postgres, HELD) as database:
        yield database


@pytest.fixture
def live_database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database whose clock runs, for real processes."""
    with copy_of(postgres, TEMPLATE) as database:
        yield database


@pytest.fixture(scope="module")
def stand_in_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The stand-ins as a process of their own, one for all tests of a file."""
    with stand_in_process(tmp_path_factory.mktemp("stand-ins")) as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(stand_in_of_module: StandIn) -> StandIn:
    """As on its first day."""
    stand_in_of_module.reset()
    return stand_in_of_module


@pytest.fixture
def workers(live_database: Database, stand_in: StandIn, tmp_path: Path) -> Iterator[Workers]:
    """Where worker processes are started, on the live database and the stand-ins."""
    with workers_on(as_login(live_database.dsn), stand_in.address, tmp_path) as workers:
        yield workers


@pytest.fixture
def clock(database: Database) -> Clock:
    return Clock(database)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    opened = Store(as_login(database.dsn), at_least=1, at_most=8)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def maps() -> FakeMaps:
    return FakeMaps()


@pytest.fixture
def quo() -> FakeQuo:
    return FakeQuo()


@pytest.fixture
def slack() -> FakeSlack:
    return FakeSlack()


@pytest.fixture
def texts() -> FakeTexts:
    return FakeTexts()


@pytest.fixture
def calendars() -> FakeCalendars:
    return FakeCalendars()


@pytest.fixture
def google() -> Iterator[FarGoogle]:
    with closing(FarGoogle()) as far_end:
        yield far_end


@pytest.fixture
def mail() -> FakeMail:
    return FakeMail()


@pytest.fixture
def office(
    database: Database,
    store: Store,
    clock: Clock,
    maps: FakeMaps,
    quo: FakeQuo,
    texts: FakeTexts,
    slack: FakeSlack,
    calendars: FakeCalendars,
    mail: FakeMail,
) -> TestOffice[Office]:
    outside = Office(maps=maps, quo=quo, texts=texts, notices=slack, calendars=calendars, mail=mail, portal_url=PORTAL)
    return TestOffice(database, store, workflows, outside, clock)


@pytest.fixture
def agent(database: Database) -> Actor:
    return database.person("booking_agent", "Alex Agent")


@pytest.fixture
def supervisor(database: Database) -> Actor:
    return database.person("supervisor", "Sam Supervisor")


@pytest.fixture
def admin(database: Database) -> Actor:
    return database.person("admin", "Ada Admin")


@pytest.fixture(scope="module")
def standing_trips(postgres: EmbeddedPostgres) -> Iterator[Trips]:
    """One for all tests of a file, which leave it as it is."""
    with copy_of(postgres, HELD) as database:
        yield Trips(database)


@pytest.fixture
def trips(standing_trips: Trips) -> Iterator[Trips]:
    with psycopg.connect(standing_trips.database.dsn, row_factory=dict_row) as connection:
        connection.execute("select")  # opens the transaction that everything else is nested in
        yield standing_trips.undone(connection)
        connection.rollback()


@pytest.fixture
def own_trips(database: Database) -> Trips:
    return Trips(database)


@pytest.fixture
def as_(own_trips: Trips, store: Store) -> As:
    @asynccontextmanager
    async def transaction(role: str) -> AsyncIterator[Tx]:
        who = own_trips.people[role]
        async with store.person(who.id, who.session_id) as (tx, _):
            yield tx

    return transaction


def as_login(dsn: str) -> str:
    """The same database by the login role that the program itself uses: it owns nothing and must say for whom it acts."""
    return psycopg.conninfo.make_conninfo(dsn, user="authenticator")


pytest_plugins = ["tests.api_fixtures", "tests.open_pages"]
