"""Who may see and do what, tried as each role of the database: what keeps one person's work from another's eyes.

Every table, view and function of the schemas is in one of the lists below. A new one fails these tests until somebody has decided
who may use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.core.store import Actor, Row
from backhaul.core.testing import Database, copy_of
from tests.conftest import HELD

ROLES = ("anon", "authenticated", "service_role", "authenticator")
APP_ROLES = ("admin", "supervisor", "booking_agent", "driver", "client")
STAFF = {"admin", "supervisor", "booking_agent"}
SUPERVISORS = {"admin", "supervisor"}

READ, WRITE, ALL = "select", "select insert update", "select insert update delete truncate"

# relation: what `authenticated` may do with it at all (row-level security then says with which rows), and `service_role`
RELATIONS: Mapping[str, tuple[str, str]] = {
    "public.users": (READ, READ),
    "public.user_sessions": (READ, READ),
    "public.audit_logs": (READ, "select insert"),
    "public.background_tasks": (READ, ALL),
    "public.background_task_steps": (READ, ALL),
    "public.background_task_attempts": (READ, ALL),
    "public.background_tasks_archive": (READ, ALL),
    "public.clients": (WRITE, ALL),
    "public.drivers": (WRITE, ALL),
    "public.destinations": (WRITE, ALL),
    "public.client_drive_times": (READ, ALL),
    "public.client_clinic_times": (READ, ALL),
    "public.clinic_times_wanted": (WRITE, ALL),
    "public.clinic_travel_times": (READ, READ),
    "public.driver_schedule_exceptions": ("select insert update delete", ALL),
    "public.driver_time_off_reasons": ("select insert update delete", ALL),
    "public.driver_time_off": ("select insert update delete", ALL),
    "public.office_settings": ("select update", "select update"),
    "public.appointments": (WRITE, ALL),
    "public.appointment_costs": (WRITE, ALL),
    "public.appointment_events": (READ, ALL),
    "public.trips": (READ, READ),
    "public.my_trips": (READ, READ),
    "public.message_templates": ("select update", "select update"),
    "public.messages": (READ, ALL),
    "public.invoices": (READ, READ),
    "public.invoice_lines": (READ, READ),
    "public.invoice_documents": (READ, "select insert"),
    "public.invoice_void_documents": (READ, "select insert"),
    "public.user_failed_tasks": (READ, READ),
    "public.all_failed_tasks": (READ, READ),
    "public.task_status_summary": (READ, READ),
    "public.failed_tasks_summary": (READ, READ),
    "public.failed_tasks_with_audit": (READ, READ),
    "private.credentials": ("", ""),
    "private.sign_in_guesses": ("", ""),
    "private.known_devices": ("", ""),
    "private.inactivity_limits": ("", READ),
    "private.role_permissions": ("", READ),
    "private.role_pages": ("", READ),
    "private.status_moves": ("", READ),
    "private.invoice_counter": ("", ""),
    "private.one_time_links": ("", ""),
    "private.visitors": ("", ""),
    "private.refresh_tokens": ("", ""),
    "private.audit_seals": ("", ""),
    "private.audit_sealed": ("", ""),
    "private.audit_checks": ("", "select insert"),
    "private.clicks": ("", ""),
    "private.ledger_settings": ("", ""),
    "private.workers": ("", READ),
    "private.foreign_lanes": ("", "select insert update delete"),
    "private.services": ("", ""),
    "private.schedules": ("", ""),
    "engine.pgqueuer": ("", ALL),
    "engine.pgqueuer_log": ("", ALL),
    "engine.pgqueuer_schedules": ("", ALL),
    "engine.pgqueuer_statistics": ("", ALL),
}

PEOPLES_FUNCTIONS = {
    "public": {
        "task_now", "retry_background_task", "dismiss_background_task", "undismiss_background_task", "dismiss_all_failed_tasks",
    },
    "private": {
        "my_id", "my_role", "may", "is_staff", "is_supervisor", "is_person", "acting_user",
        "retry_task", "dismiss_task", "undismiss_task", "dismiss_all_tasks", "claim_click",
        "save_profile", "create_user", "change_user", "unlock_user", "sign_out", "open_sessions", "list_users",
        "take_password", "give_temporary_password",
        "link_user", "my_driver", "my_client", "colleagues",
        "office_zone", "local_day", "local_days", "weekday", "is_week", "usual_week", "hours_on", "are_contacts",
        "buffered_minutes", "is_setting", "trip_times", "clock_times", "known_transit", "driver_conflicts",
        "assignment_conflicts", "board_conflicts", "no_such_appointment",
        "cancel_appointment", "archive_appointment", "unarchive_appointment", "delete_appointment", "my_trips",
        "is_my_trip", "trips_to_hear_of",
        "placeholders", "is_template", "spoken_day", "spoken_time", "fill_in", "message_text", "mark_message_sent",
        "tasks_of_message", "is_message_under_way", "failure_of_message",
        "reminder_time", "reminders_ahead",
        "create_invoice", "set_invoice_status", "void_invoice", "address_invoice",
    },
    "engine": set(),
}  # fmt: skip

LOGINS_FUNCTIONS = {"private": {"enter", "session_state"}}

HOUSE_FUNCTIONS = {
    "public": {
        "create_background_task", "start_background_task", "complete_background_task", "fail_background_task",
        "snooze_background_task", "archive_old_tasks",
    },
    "private": {
        "create_task", "start_task", "complete_task", "fail_task", "snooze_task", "archive_tasks",
        "claim_task", "keep_leases", "leave", "sweep_leases", "sweep", "recall_step", "keep_step", "hold_lease",
        "record_save", "answer_click", "prune_clicks", "write_audit", "seal_audit_logs", "verify_audit_logs",
        "count_audit_logs", "verify_audit_entries", "verify_audit_seals",
        "find_credentials", "credentials_of", "note_wrong_password", "open_session", "renew_session", "go_on", "session_of",
        "rehash", "note_activity", "end_session", "end_sessions", "set_password", "replace_password", "put_user",
        "prune_sessions",
        "put_link", "find_link", "use_link", "has_admin", "note_proof", "knock", "prune_accounts",
        "set_limit", "take", "hold_service", "release_service", "set_schedule", "vital_signs", "prune_engine",
        "applied_migrations",
        "intend_message", "settle_message", "reminders_due", "reminders_wait", "note_invoice_mailed",
        "repeat_task", "note_service", "services_seen", "schedules_seen",
    },
    "engine": {"fn_pgqueuer_changed"},
}  # fmt: skip

OWNERS_FUNCTIONS = {
    "private": {
        "lock_task", "moved", "describe", "close_attempt", "no_longer_holds", "back_to_pending", "wake_follower", "take_back",
        "back_off", "foreign_lease", "lock_visible_task", "no_such_task", "must_be_owner_or_supervisor", "guard_task_status",
        "announce_task", "refuse_change", "audit_digest", "chain_digest",
        "job_key", "enqueue_task", "enqueue_due_task", "enqueue_forgotten", "ask_again", "run_schedules",
        "forget_place", "forget_second_place", "forget_destination_place", "forget_times", "keep_client_status", "raise_version",
        "unlink_other_role", "sign_time_off", "write_time_off", "guard_setting", "guard_reminder_window",
        "set_trip", "guard_appointment_status", "guard_appointment_rights", "guard_driver", "announce_trip",
        "sign_cost", "sign_template",
        "guard_invoicing", "must_handle_invoices",
        "name_hash", "end_sessions_of_changed_user", "end_sessions_of_changed_password", "announce_end", "keep_an_admin",
        "must_manage_users", "refuse_taken_name", "write_user", "my_session", "ask_for_password", "void_links_to_old_address",
    }
}  # fmt: skip


# ── Rights, from the catalog ──


def test_every_relation_is_decided_upon_and_grants_just_that(database: Database) -> None:
    rows = database.all(
        "select n.nspname || '.' || c.relname as name, role,"
        "  array(select p from unnest(array['select', 'insert', 'update', 'delete', 'truncate']) p"
        "         where has_table_privilege(role, c.oid, p)) as may,"
        "  array(select p from unnest(array['select', 'insert', 'update']) p"
        "         where has_any_column_privilege(role, c.oid, p)) as may_somewhere"
        "  from pg_class c join pg_namespace n on n.oid = c.relnamespace, unnest(%s::text[]) role"
        " where n.nspname in ('public', 'private', 'engine') and c.relkind in ('r', 'v', 'm', 'p', 'f')",
        list(ROLES),
    )
    assert {row["name"] for row in rows} == set(RELATIONS), "decide who may use it, in RELATIONS above"
    for row in rows:
        people, house = RELATIONS[row["name"]]
        allowed = {"authenticated": people, "service_role": house}.get(row["role"], "").split()
        assert row["may"] == allowed, row
        assert set(row["may_somewhere"]) <= set(allowed), row


def test_every_function_is_decided_upon_and_may_be_called_by_just_those(database: Database) -> None:
    rows = database.all(
        "select n.nspname as schema, p.proname as name,"
        "  array(select role from unnest(%s::text[]) role where has_function_privilege(role, p.oid, 'execute')) as may"
        "  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'private', 'engine')",
        list(ROLES),
    )
    decided: dict[tuple[str, str], list[str]] = {}
    for functions, may in (
        (PEOPLES_FUNCTIONS, ["authenticated", "service_role"]),
        (LOGINS_FUNCTIONS, ["service_role", "authenticator"]),
        (HOUSE_FUNCTIONS, ["service_role"]),
        (OWNERS_FUNCTIONS, []),
    ):
        decided |= {(schema, name): may for schema, names in functions.items() for name in names}
    assert {(row["schema"], row["name"]) for row in rows} == set(decided), "decide who may call it, in the lists above"
    for row in rows:
        assert row["may"] == decided[row["schema"], row["name"]], row


def test_nobody_but_the_house_sees_the_engine_and_anon_sees_no_private_schema(database: Database) -> None:
    may = "select array(select role from unnest(%s::text[]) role where has_schema_privilege(role, %s, %s))"
    assert database.value(may, list(ROLES), "engine", "usage") == ["service_role"]
    assert database.value(may, list(ROLES), "private", "usage") == ["authenticated", "service_role", "authenticator"]
    for schema in ("public", "private", "engine"):
        assert database.value(may, list(ROLES), schema, "create") == []


def test_no_sequence_can_be_moved_by_people(database: Database) -> None:
    sequences = database.all(
        "select s.oid::regclass::text as name, role from pg_class s, unnest(%s::text[]) role where s.relkind = 'S'"
        " and has_sequence_privilege(role, s.oid, 'usage, select, update')",
        ["anon", "authenticated", "authenticator"],
    )
    assert sequences == []


def test_every_definer_function_pins_its_path_and_is_private(database: Database) -> None:
    loose = database.all(
        "select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where p.prosecdef and n.nspname in ('public', 'private', 'engine')"
        "   and (n.nspname <> 'private' or not coalesce(p.proconfig @> array['search_path=\"\"'], false))"
    )
    assert loose == []


def test_every_view_runs_with_the_rights_of_its_reader(database: Database) -> None:
    views = database.all(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'v' and n.nspname in ('public', 'private')"
        " and not coalesce(c.reloptions @> array['security_invoker=true'], false)"
    )
    assert views == []


def test_every_table_that_an_api_could_show_has_row_level_security(database: Database) -> None:
    assert (
        database.all(
            "select relname from pg_class"
            " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity"
        )
        == []
    )


# ── Rows: an office with one of each ──

_TABLES = [name for name, (people, _) in RELATIONS.items() if people]
PEOPLE = [*APP_ROLES, "disabled", "stranger"]


class House:
    """Each person owns a failed task with a step, an attempt and an audit entry, an archived task and a session.

    One more task, with all that belongs to it, is nobody's.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.people: dict[str, Actor] = {role: database.person(role) for role in APP_ROLES}
        self.people["disabled"] = database.person("supervisor", "Dee Disabled")
        database.all("update users set is_active = false where id = %s", self.people["disabled"].id)
        self.tasks = {name: self._failed(person.id) for name, person in self.people.items()}
        self.unowned = self._failed(None)
        self.people["stranger"] = Actor(uuid4(), "admin", "Not in the table of users", uuid4())
        self._records()

    def _failed(self, owner: UUID | None) -> UUID:
        database = self.database
        audit = database.value("select private.write_audit('create_client', 'client', gen_random_uuid(), %s)", owner)
        old = database.value("select create_background_task('client', gen_random_uuid(), 'Old', 'sync_quo', %s)", owner)
        database.one("select * from start_background_task(%s)", old)
        database.one("select * from complete_background_task(%s)", old)
        database.value("select archive_old_tasks(older_than => '-1 second')")
        task: UUID = database.value(
            "select create_background_task('client', gen_random_uuid(), 'Jane', 'sync_quo', %s, %s)", owner, audit
        )
        database.one("select * from start_background_task(%s)", task)
        database.one("select private.keep_step(%s, 1, 'ask', 'hash', '1')", task)
        database.one("select * from fail_background_task(%s, 'Quo refused our key.')", task)
        return task

    def _records(self) -> None:
        self.database.all("insert into drivers (first_name, last_name, email) values ('Ana', 'D', 'ana@x.test')")
        self.database.all("insert into destinations (name, address) values ('Clinic', '1 Main St')")
        self.database.all(_NEW_CLIENT)
        self.database.all(
            "insert into client_drive_times (client_id, driver_id, duration_minutes, source)"
            " select c.id, d.id, 5, 'test' from clients c, drivers d"
        )
        self.database.all(
            "insert into client_clinic_times (client_id, destination_id, duration_minutes, source)"
            " select c.id, d.id, 10, 'test' from clients c, destinations d"
        )
        self.database.all(
            "insert into clinic_times_wanted (client_id, destination_id) select c.id, d.id from clients c, destinations d"
        )
        self.database.all("select private.link_user(%s, d.id) from drivers d", self.people["driver"].id)
        self.database.all("select private.link_user(%s, null, c.id) from clients c", self.people["client"].id)
        self._trip()

    def _trip(self) -> None:
        """Driven by the driver, for the client, told to them, in the calendar, and on an invoice."""
        trip = self.database.value(
            "insert into appointments (client_id, driver_assigned, appointmenttime, operation_status, invoice_status)"
            " select c.id, d.id, task_now(), 'completed', 'ready' from clients c, drivers d returning id"
        )
        self.database.all("insert into appointment_costs (appointment_id, custom_rate) values (%s, 80)", trip)
        self.database.all(
            "insert into driver_time_off (driver_id, start_date, end_date, reason)"
            " select id, '2026-12-24', '2026-12-26', 'Surgery' from drivers"
        )
        self.database.all(
            "insert into appointment_events (appointment_id, calendar_id, driver_id) select %s, 'c', id from drivers", trip
        )
        self.database.all(
            "select private.intend_message(%s, 'driver', id, 'reminder', task_now(), 0, null, 'x') from drivers", trip
        )
        invoice = self.database.value("select (private.create_invoice(array[%s::uuid])).id", trip)
        self.database.all("insert into invoice_documents (invoice_id, content) values (%s, 'x')", invoice)
        self.database.all("insert into invoice_void_documents (invoice_id, content) values (%s, 'x')", invoice)

    @contextmanager
    def as_(self, name: str, **claims: Any) -> Iterator[psycopg.Connection[Row]]:
        """A transaction with the token of one of the people; rolled back, so that the house stays as it is."""
        with self.database.acting(
            "authenticated",
            {"sub": self.people[name].id, "session_id": self.people[name].session_id, "role": "authenticated"} | claims,
        ) as connection:
            yield connection
            connection.rollback()


_NEW_CLIENT: LiteralString = (
    "insert into clients (knumber, firstname, lastname, phone, civicaddress, city, prov, postalcode)"
    " values ('K1234567', 'Jane', 'Roe', '+19025550123', '1 High St', 'Halifax', 'NS', 'B3H 1A1')"
)


@pytest.fixture(scope="module")
def house(postgres: EmbeddedPostgres) -> Iterator[House]:
    """One for all tests that leave it as it is."""
    with copy_of(postgres, HELD) as database:
        yield House(database)


@pytest.fixture
def own_house(database: Database) -> House:
    """One for a test that changes it."""
    return House(database)


def rows_seen(connection: psycopg.Connection[Row], relation: str) -> list[Row]:
    return connection.execute(sql.SQL("select * from {}").format(sql.Identifier(*relation.split(".")))).fetchall()


@pytest.mark.parametrize("name", PEOPLE)
def test_people_see_their_own_and_supervisors_all(house: House, name: str) -> None:
    people = len(APP_ROLES) + 1
    seen: dict[str, int]
    if name in SUPERVISORS:
        seen = dict.fromkeys(
            ("background_tasks", "background_task_steps", "background_task_attempts", "background_tasks_archive"), people + 1
        )
        seen |= dict.fromkeys(
            ("user_failed_tasks", "all_failed_tasks", "failed_tasks_with_audit", "task_status_summary", "audit_logs"), people + 1
        )
        seen |= {"users": people, "user_sessions": people if name == "admin" else 1}
    elif name in APP_ROLES:
        seen = {table.removeprefix("public."): 1 for table in _TABLES}
    else:  # a disabled account counts as nobody at once, though its token still runs
        seen = {}
    records = dict.fromkeys(
        (
            "clients", "drivers", "destinations", "client_drive_times", "client_clinic_times", "clinic_times_wanted",
            "clinic_travel_times", "driver_schedule_exceptions", "driver_time_off", "appointments", "trips", "appointment_events",
            "messages",
        ),
        1,
    ) | {"message_templates": 9, "office_settings": 9}  # fmt: skip
    tables = ("appointment_costs", "invoices", "invoice_lines", "invoice_documents", "invoice_void_documents")
    confidential = dict.fromkeys((*tables, "driver_time_off_reasons"), 1)
    seen |= records if name in STAFF else dict.fromkeys(records, 0)
    seen |= confidential | {"office_settings": 14} if name in SUPERVISORS else dict.fromkeys(confidential, 0)
    own = ("drivers", "driver_schedule_exceptions", "driver_time_off_reasons", "driver_time_off")
    seen |= dict.fromkeys(own, 1) if name == "driver" else {}
    seen["my_trips"] = 1 if name in ("driver", "client") else 0
    seen["failed_tasks_summary"] = 1
    with house.as_(name) as connection:
        counted = {relation.removeprefix("public."): len(rows_seen(connection, relation)) for relation in _TABLES}
        summary = rows_seen(connection, "public.failed_tasks_summary")[0]
    assert counted == {table: seen.get(table, 0) for table in counted}
    assert summary["total_failed"] == seen.get("background_tasks", 0)


@pytest.mark.parametrize("name", ["booking_agent", "driver", "client"])
def test_what_people_see_is_theirs_and_not_somebody_elses(house: House, name: str) -> None:
    me = house.people[name].id
    with house.as_(name) as connection:
        for relation in (
            "background_tasks",
            "background_tasks_archive",
            "user_failed_tasks",
            "all_failed_tasks",
            "task_status_summary",
        ):
            assert {row["created_by"] for row in rows_seen(connection, relation)} == {me}
        for relation in ("background_task_steps", "background_task_attempts", "failed_tasks_with_audit"):
            assert {row["task_id"] for row in rows_seen(connection, relation)} == {house.tasks[name]}
        assert {row["user_id"] for relation in ("audit_logs", "user_sessions") for row in rows_seen(connection, relation)} == {me}
        assert {row["id"] for row in rows_seen(connection, "users")} == {me}


def test_a_task_without_an_owner_is_seen_by_the_supervisors(house: House) -> None:
    for name in PEOPLE:
        with house.as_(name) as connection:
            seen = connection.execute("select id from all_failed_tasks where created_by is null").fetchall()
        assert [row["id"] for row in seen] == ([house.unowned] if name in SUPERVISORS else [])


def test_the_house_sees_everything(house: House) -> None:
    with house.database.acting("service_role") as connection:
        assert len(rows_seen(connection, "background_tasks")) == len(house.tasks) + 1
        assert len(rows_seen(connection, "users")) == len(APP_ROLES) + 1


@pytest.mark.parametrize("relation", RELATIONS)
def test_anon_gets_nothing_from_any_relation(house: House, relation: str) -> None:
    with house.database.acting("anon") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows_seen(connection, relation)


@pytest.mark.parametrize("name", PEOPLE)
def test_why_a_driver_is_away_is_read_by_supervisors_and_by_that_driver_alone(house: House, name: str) -> None:
    when, why = house.database.one("select id, driver_id from driver_schedule_exceptions"), {"reason": "Surgery"}
    knows = name in (*SUPERVISORS, "driver")
    with house.as_(name) as connection:
        through_the_view = connection.execute("select reason from driver_time_off").fetchall()
        alone = connection.execute("select reason from driver_time_off_reasons").fetchall()
        guessed = connection.execute("select id from driver_time_off where reason ilike 'surg%'").fetchall()
    assert through_the_view == ([why] if knows else [{"reason": None}] if name in STAFF else [])
    assert (alone, guessed) == (([why], [{"id": when["id"]}]) if knows else ([], []))


def test_another_driver_reads_neither_when_nor_why_nor_writes_a_reason(own_house: House) -> None:
    database = own_house.database
    database.all("insert into drivers (first_name, last_name, email) values ('Ben', 'D', 'ben@x.test')")
    database.all("select private.link_user(%s, id) from drivers where first_name = 'Ben'", own_house.people["driver"].id)
    entry = database.value("select id from driver_schedule_exceptions")
    with own_house.as_("driver") as connection:
        for relation in ("driver_time_off", "driver_schedule_exceptions", "driver_time_off_reasons"):
            assert rows_seen(connection, relation) == []
        assert connection.execute("update driver_time_off set reason = 'x'").rowcount == 0
        assert connection.execute("delete from driver_time_off_reasons").rowcount == 0
    for name in ("driver", "booking_agent"):
        with own_house.as_(name) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into driver_time_off_reasons values (%s, 'x') on conflict do nothing", (entry,))


def test_time_off_is_written_through_its_view_by_those_who_may(house: House) -> None:
    for name in ("driver", "supervisor"):
        with house.as_(name) as connection:
            for reason in ("Recovery", None, "Flu"):
                changed = connection.execute(
                    "update driver_time_off set reason = %s, end_date = '2026-12-27' returning reason, upper(during)::date::text",
                    (reason,),
                ).fetchall()
                assert changed == [{"reason": reason, "upper": "2026-12-28"}]
                assert connection.execute("select reason from driver_time_off").fetchall() == [{"reason": reason}]
            assert connection.execute("delete from driver_time_off").rowcount == 1
            assert rows_seen(connection, "driver_time_off_reasons") == []
    with house.as_("booking_agent") as connection:
        assert connection.execute("update driver_time_off set end_date = '2026-12-27'").rowcount == 0
        assert connection.execute("delete from driver_time_off").rowcount == 0


# ── Writing around the functions ──


def _columns(database: Database, relation: str) -> list[str]:
    rows = database.all(
        "select attname from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and attgenerated = '' and attidentity = ''",
        relation,
    )
    return [row["attname"] for row in rows]


# A view is also refused for not being a table.
_NOT_ALLOWED = (psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType, psycopg.errors.ObjectNotInPrerequisiteState)


@pytest.mark.parametrize("name", ["admin", "booking_agent"])
def test_no_person_updates_deletes_or_inserts_a_row_directly_but_staff_a_client(house: House, name: str) -> None:
    for relation, (may, _) in RELATIONS.items():
        table, column = sql.Identifier(*relation.split(".")), sql.Identifier(_columns(house.database, relation)[0])
        for verb, statement in (
            ("update", sql.SQL("update {} set {} = {}").format(table, column, column)),
            ("delete", sql.SQL("delete from {}").format(table)),
            ("insert", sql.SQL("insert into {} default values").format(table)),
            ("truncate", sql.SQL("truncate {}").format(table)),
        ):
            if verb in may.split():
                continue
            with house.as_(name) as connection, pytest.raises(_NOT_ALLOWED):
                connection.execute(statement)


def test_an_owner_cannot_edit_a_column_of_a_failed_task(house: House) -> None:
    for column in _columns(house.database, "public.background_tasks"):
        with house.as_("booking_agent") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("update background_tasks set {0} = {0}").format(sql.Identifier(column)))


@pytest.mark.parametrize("name", PEOPLE)
def test_staff_add_and_change_clients_and_nobody_else_does(house: House, name: str) -> None:
    with house.as_(name) as connection:
        changed = connection.execute("update clients set notes = 'x'").rowcount
        assert changed == (1 if name in STAFF else 0)
        connection.execute("savepoint before")
        if name in STAFF:
            connection.execute(_NEW_CLIENT.replace("K1234567", "K7654321").encode())
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                connection.execute(_NEW_CLIENT.replace("K1234567", "K7654321").encode())
            connection.execute("rollback to before")


@pytest.mark.parametrize("relation", ["private.credentials", "private.refresh_tokens", "private.clicks", "private.audit_sealed"])
def test_hashes_and_tokens_are_out_of_everybodys_reach(house: House, relation: str) -> None:
    for role in ROLES:
        with house.database.acting(role if role != "authenticator" else "none") as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                rows_seen(connection, relation)
            connection.rollback()


# ── Calling functions ──


def test_anon_and_people_are_refused_the_functions_of_the_house(house: House) -> None:
    """Called for real, with nulls: the refusal comes before anything runs."""
    functions = house.database.all(
        "select n.nspname as schema, p.proname as name, p.proargtypes::regtype[]::text[] as types"
        "  from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname in ('public', 'private') and p.prorettype <> 'trigger'::regtype"
    )
    assert len(functions) > 60
    for function in functions:
        call = sql.SQL("select {}({})").format(
            sql.Identifier(function["schema"], function["name"]),
            sql.SQL(", ").join(sql.SQL("null::{}").format(sql.SQL(kind)) for kind in function["types"]),
        )
        roles = ["anon"] if function["name"] in PEOPLES_FUNCTIONS[function["schema"]] else ["anon", "authenticated"]
        for role in roles:
            with house.database.acting(role, {"sub": house.people["admin"].id}) as connection:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(call)
                connection.rollback()


@pytest.mark.parametrize("move", ["retry_background_task", "dismiss_background_task"])
@pytest.mark.parametrize("name", PEOPLE)
def test_people_move_their_own_failures_and_supervisors_anybodys(house: House, name: str, move: str) -> None:
    for owner, task in [*house.tasks.items(), ("nobody", house.unowned)]:
        may = name in SUPERVISORS or (owner == name and name in APP_ROLES)
        with house.as_(name) as connection:
            call = sql.SQL("select * from {}(%s)").format(sql.Identifier(move))
            if may:
                moved = connection.execute(call, (task,)).fetchone()
                assert moved is not None
                assert moved["changed"]
            else:
                with pytest.raises(psycopg.Error, match="there is no task") as refused:
                    connection.execute(call, (task,))
                assert refused.value.sqlstate == "BT404"


def test_people_act_in_nobodys_name_but_their_own(house: House) -> None:
    other = house.people["supervisor"].id
    for move in ("dismiss_background_task", "retry_background_task", "undismiss_background_task"):
        call = sql.SQL("select * from {}(%s, %s)").format(sql.Identifier(move))
        with (
            house.as_("booking_agent") as connection,
            pytest.raises(psycopg.Error, match="cannot act for somebody else") as refused,
        ):
            connection.execute(call, (house.tasks["booking_agent"], other))
        assert refused.value.sqlstate == "BT403"
    with house.as_("booking_agent") as connection, pytest.raises(psycopg.Error, match="cannot act for somebody else"):
        connection.execute("select dismiss_all_failed_tasks(%s, true)", (other,))


def test_dismiss_all_by_a_person_is_theirs_alone_and_everybodys_for_supervisors(house: House) -> None:
    for name in PEOPLE:
        with house.as_(name) as connection:
            if name in APP_ROLES:
                assert connection.execute("select dismiss_all_failed_tasks(null)").fetchone() == {"dismiss_all_failed_tasks": 1}
            connection.rollback()
        with house.as_(name) as connection:
            if name in SUPERVISORS:
                everybodys = connection.execute("select dismiss_all_failed_tasks(everybody => true)").fetchone()
                assert everybodys == {"dismiss_all_failed_tasks": len(house.tasks) + 1}
            else:
                with pytest.raises(psycopg.Error) as refused:
                    connection.execute("select dismiss_all_failed_tasks(everybody => true)")
                assert refused.value.sqlstate == "BT403"
            connection.rollback()


# ── Tokens that say more than is true, and roles that try to be others ──


def test_a_role_smuggled_into_the_token_counts_for_nothing(house: House) -> None:
    smuggled = {"user_role": "admin", "app_metadata": {"role": "admin"}, "user_metadata": {"role": "admin"}}
    with house.as_("driver", **smuggled) as connection:
        assert connection.execute("select private.my_role() as role").fetchone() == {"role": "driver"}
        assert len(rows_seen(connection, "background_tasks")) == 1
        assert rows_seen(connection, "clients") == []


def test_a_service_role_smuggled_into_the_token_counts_for_nothing(house: House) -> None:
    with house.as_("driver", role="service_role") as connection:
        assert connection.execute("select private.is_person() as person").fetchone() == {"person": True}
        with pytest.raises(psycopg.Error, match="there is no task"):
            connection.execute("select * from dismiss_background_task(%s)", (house.unowned,))


@pytest.mark.parametrize("claims", [{}, {"sub": None}, {"sub": ""}])
def test_a_token_that_names_nobody_sees_and_does_nothing(house: House, claims: dict[str, Any]) -> None:
    with house.database.acting("authenticated", claims) as connection:
        if claims.get("sub") != "":
            assert rows_seen(connection, "background_tasks") == []
            with pytest.raises(psycopg.Error, match="nobody is signed in") as refused:
                connection.execute("select dismiss_all_failed_tasks()")
            assert refused.value.sqlstate == "BT403"
        else:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                rows_seen(connection, "background_tasks")
        connection.rollback()


def test_a_changed_role_and_a_disabled_account_count_at_once(own_house: House) -> None:
    with own_house.as_("supervisor") as connection:
        assert len(rows_seen(connection, "background_tasks")) > 1
        own_house.database.all("update users set role = 'driver' where id = %s", own_house.people["supervisor"].id)
        assert (
            rows_seen(connection, "background_tasks") == []
        )  # the session of the old role is over; what is left is the new role's
        own_house.database.all("update user_sessions set ended_at = null, ended_because = null")
        assert len(rows_seen(connection, "background_tasks")) == 1
        own_house.database.all("update users set is_active = false where id = %s", own_house.people["supervisor"].id)
        assert rows_seen(connection, "background_tasks") == []
        with pytest.raises(psycopg.Error, match="there is no task"):
            connection.execute("select * from dismiss_background_task(%s)", (own_house.tasks["supervisor"],))


def test_giving_the_role_back_leaves_a_login_that_may_do_nothing(house: House) -> None:
    for trick in ("reset role", "set local role none", "select set_config('role', 'none', true)"):
        with house.as_("driver") as connection:
            connection.execute(trick.encode())
            connection.execute("savepoint before")
            for attempt in (
                "select * from background_tasks",
                "select dismiss_all_failed_tasks(everybody => true)",
                "select private.is_person()",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(attempt.encode())
                connection.execute("rollback to before")


def test_a_person_cannot_become_anybody_the_login_is_not(house: House) -> None:
    for trick in ("set local role postgres", "set local role supabase_admin", "set local session authorization postgres"):
        with house.as_("driver") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(trick.encode())


def test_whoever_logs_in_with_the_rights_of_people_is_taken_for_a_person(house: House, postgres: EmbeddedPostgres) -> None:
    """Not by `set role`, so that no setting says so: still only the rights of the house make one the house."""
    name = f"guest_{uuid4().hex[:8]}"
    with psycopg.connect(postgres.dsn("postgres", "supabase_admin"), autocommit=True) as server:
        server.execute(sql.SQL("create role {} login in role authenticated").format(sql.Identifier(name)))
        try:
            with psycopg.connect(psycopg.conninfo.make_conninfo(house.database.dsn, user=name)) as guest:
                assert guest.execute("select private.is_person()").fetchone() == (True,)
                with pytest.raises(psycopg.Error, match="there is no task"):
                    guest.execute("select * from dismiss_background_task(%s, %s)", (house.unowned, house.people["admin"].id))
        finally:
            server.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_a_person_makes_no_object_that_a_definer_function_could_trip_over(house: House) -> None:
    for statement in (
        "create table public.users2 (id int)",
        "create function public.f() returns int language sql as 'select 1'",
        "create schema mine",
    ):
        with house.as_("admin") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
    with house.as_(
        "driver"
    ) as connection:  # temporary names come first in an empty path, but every name is written with its schema
        connection.execute("create temporary table users (id uuid, role text, is_active boolean)")
        connection.execute("insert into users values (%s, 'admin', true)", (house.people["driver"].id,))
        connection.execute("create temporary table background_tasks as select * from public.background_tasks")
        assert connection.execute("select private.my_role() as role").fetchone() == {"role": "driver"}


# ── The door of the API ──


def test_the_door_opens_for_a_living_session_and_stays_shut_with_a_reason_otherwise(house: House) -> None:
    agent, other = house.people["booking_agent"], house.people["driver"]
    cases: list[tuple[UUID, UUID, str | None]] = [
        (agent.id, agent.session_id, None),
        (agent.id, other.session_id, "This session is not known."),
        (agent.id, uuid4(), "This session is not known."),
        (uuid4(), agent.session_id, "This account is not known."),
        (house.people["disabled"].id, house.people["disabled"].session_id, "Account is disabled. Contact administrator."),
    ]
    for user, session, refused in cases:
        with house.database.acting("none") as connection:
            door = connection.execute("select * from private.enter(%s, %s)", (user, session)).fetchone()
            assert door is not None
            assert door["refused"] == refused
            role = connection.execute("select current_user as role").fetchone()
            assert role == {"role": "authenticator" if refused else "authenticated"}


def test_the_door_closes_behind_a_transaction(house: House) -> None:
    agent = house.people["booking_agent"]
    with house.database.acting("none") as connection:
        connection.execute("select * from private.enter(%s, %s)", (agent.id, agent.session_id))
        assert len(rows_seen(connection, "background_tasks")) == 1
        connection.commit()
        assert connection.execute("select current_user as role").fetchone() == {"role": "authenticator"}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows_seen(connection, "background_tasks")


def test_a_session_that_ended_or_ran_out_is_told_so(own_house: House) -> None:
    agent = own_house.people["booking_agent"]
    enter = "select refused from private.enter(%s, %s)"
    own_house.database.all("update user_sessions set expires_at = task_now() where id = %s", agent.session_id)
    assert own_house.database.value(enter, agent.id, agent.session_id) == "Your session has ended."
    own_house.database.value("select private.end_session(%s, 'signed out')", agent.session_id)
    assert own_house.database.value(enter, agent.id, agent.session_id) == "You have signed out, or were signed out: signed out."


def test_guesses_made_at_once_lock_the_account_and_do_not_unlock_it(live_database: Database) -> None:
    live_database.value("select private.put_user('jo@example.test', 'Jo', 'driver', 'hash')")

    def guess(_: int) -> int:
        left: int = live_database.value("select private.note_wrong_password('jo@example.test', '')")
        return left

    with ThreadPoolExecutor(8) as threads:
        left = sorted(threads.map(guess, range(12)), reverse=True)
    assert left == [4, 3, 2, 1, *[0] * 8]
    assert live_database.value(
        "select locked_until > now() + interval '14 minutes' from private.find_credentials('jo@example.test')"
    )
