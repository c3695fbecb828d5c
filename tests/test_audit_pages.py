"""The audit log as administrators read it: searched, paged, as somebody's record of activity and as a file.

Whoever must answer "who has seen this?" relies on these, and so does whoever is written about in the answer.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.core import audit_csv
from backhaul.core.audit import Wanted
from backhaul.core.audit_words import CORE_ACTIONS
from backhaul.core.share import share
from backhaul.core.store import Actor, Store, Tx
from backhaul.core.testing import Clock, Database
from backhaul.dispatch import records
from backhaul.dispatch.app import workflows
from tests.api_fixtures import Api, everyone, jane, refused
from tests.test_audit_log import seal, tampering
from tests.trips import Trips

LOG, LOG_FILE = "/webhook/get-audit-log", "/webhook/get-audit-log/export"
RECORD, RECORD_FILE = "/webhook/get-activity-record", "/webhook/get-activity-record/export"
VERIFY = "/webhook/audit-verify"


def write(database: Database, action: str = "view_client", **about: Any) -> int:
    """An entry; its number. about: user, entity_type, entity_id, details, ip, agent, refused, at."""
    at = about.pop("at", None)
    order = ("entity_type", "entity_id", "user", "details", "ip", "agent", "refused")
    values = [json.dumps(about.get("details", {})) if name == "details" else about.get(name) for name in order]
    ident = database.value("select private.write_audit(%s, %s, %s, %s, %s, %s, %s, %s)", action, *values)
    if at is not None:
        with tampering(database) as owner:
            owner.execute("update audit_logs set created_at = %s where id = %s", (at, ident))
    seq: int = database.value("select seq from audit_logs where id = %s", ident)
    return seq


async def numbers(api: Api, by: Actor, path: str = LOG, **asked: Any) -> list[int]:
    answer = await api.get(path, by=by, **asked)
    assert answer.status_code == 200, answer.text
    return [entry["seq"] for entry in answer.json()["entries"]]


async def added(api: Api, by: Actor, **changed: Any) -> UUID:
    """A client saved by somebody; their id."""
    answer = await api.post("/webhook/add-client", jane(**changed), by=by)
    assert answer.status_code == 200, answer.text
    return UUID(answer.json()["client_id"])


def last_entry(database: Database) -> dict[str, Any]:
    return database.one("select * from audit_logs order by seq desc limit 1")


# ── Who may ──


async def test_administrators_read_the_log_and_nobody_else_does_which_is_written_down(api: Api) -> None:
    """ASVS 5.0: 8.2.1, 8.3.1, 16.3.2."""
    people = everyone(api.database)
    client = await added(api, people["booking_agent"])
    paths = {LOG: {}, LOG_FILE: {}, RECORD: {"client": client}, RECORD_FILE: {"client": client}, VERIFY: {}}
    for path, asked in paths.items():
        refused(await api.get(path, **asked), 401)
        for role, who in people.items():
            answer = await api.get(path, by=who, **asked)
            if role == "admin":
                assert answer.status_code == 200, (path, answer.text)
                assert answer.headers["cache-control"] == "no-store"
            else:
                refused(answer, 403, "role")
                entry = last_entry(api.database)
                assert (entry["action"], entry["user_id"], entry["details"]["endpoint"]) == ("permission_denied", who.id, path)


async def test_the_role_counts_that_the_database_knows_not_the_tokens(api: Api, supervisor: Actor) -> None:
    token = api.token(Actor(supervisor.id, "admin", "", supervisor.session_id))
    refused(await api.get(LOG, by=token), 403, "role")


# ── What is found ──


async def test_entries_come_newest_first_with_the_names_people_use(api: Api, admin: Actor, agent: Actor) -> None:
    client = await added(api, agent)
    await api.get("/webhook/get-client", by=agent, id=client)
    told = (await api.get(LOG, by=admin)).json()
    seen, made = told["entries"]
    assert (seen["action_label"], made["action_label"]) == ("Looked at a client", "Added a client")
    assert seen["entity_label"] == made["entity_label"] == "Jane Roe (K1234567)"
    assert (made["user_name"], made["role"], made["ip_address"]) == ("Alex Agent", "booking_agent", "203.0.113.7")
    assert {(task["task_label"], task["status"]) for task in made["tasks"]} == {
        ("Calculate drive times", "pending"),
        ("Sync to Quo", "pending"),
    }
    assert made["details"] == {"client_name": "Jane Roe", "knumber": "K1234567"}
    assert {"action": "sign_in", "label": "Signed in"} in told["actions"]


async def test_a_name_that_has_changed_and_a_record_that_is_gone_are_told_as_such(api: Api, admin: Actor, agent: Actor) -> None:
    gone = uuid4()
    write(api.database, entity_type="client", entity_id=gone, user=agent.id)
    api.database.all("update users set full_name = 'Alex Married' where id = %s", agent.id)
    (entry,) = (await api.get(LOG, by=admin)).json()["entries"]
    assert (entry["user_name"], entry["user_name_now"]) == ("Alex Agent", "Alex Married")
    assert (entry["entity_id"], entry["entity_label"]) == (str(gone), None)


async def test_work_that_was_archived_meanwhile_is_still_told(api: Api, admin: Actor, agent: Actor, clock: Clock) -> None:
    await added(api, agent)
    for task in api.database.all("select id from background_tasks"):
        api.database.all("select start_background_task(%s)", task["id"])
        api.database.all("select complete_background_task(%s)", task["id"])
    clock.advance(days=8)
    assert api.database.value("select archive_old_tasks()") == 2
    later = api.database.person("admin")  # the first one's session has ended meanwhile
    (entry,) = (await api.get(LOG, by=later, action="create_client")).json()["entries"]
    assert {task["status"] for task in entry["tasks"]} == {"completed"}


@pytest.fixture
def log(api: Api, agent: Actor, supervisor: Actor) -> dict[str, int]:
    """Seven entries, by what each is there for."""
    database, client = api.database, UUID(int=7)
    database.all(
        "insert into clients (id, knumber, firstname, lastname, phone, civicaddress, city, prov, postalcode)"
        " values (%s, 'K0000007', 'Zoë', 'Quux', '+19025550123', '1 High St', 'Halifax', 'NS', 'B3H 1A1')",
        client,
    )
    # in Halifax, which left daylight saving that very night, 23:30 of one day and 00:00 of the next
    nights = datetime(2026, 11, 2, 3, 30, tzinfo=UTC), datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
    return {
        "late": write(database, user=agent.id, entity_type="client", entity_id=client, at=nights[0]),
        "next day": write(database, user=agent.id, entity_type="client", entity_id=uuid4(), at=nights[1]),
        "change": write(database, "update_client", user=supervisor.id, details={"fields": ["100% new_phone"]}),
        "refusal": write(database, "permission_denied", user=agent.id, refused="Only the office's staff may see clients"),
        "house": write(database, "archive"),
        "sign-in": write(database, "sign_in", user=supervisor.id, entity_type="user", entity_id=supervisor.id, ip="198.51.100.4"),
        "renamed": write(database, "sign_in", user=agent.id, details={"x": "new-phone"}),
    }  # fmt: skip


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "renamed sign-in house refusal change next_day late"),
    ({"from": "2026-11-02", "to": "2026-11-02"}, "next_day"),
    ({"to": "2026-11-01"}, "late"),
    ({"from": "2026-11-01", "to": "2026-11-02"}, "next_day late"),
    ({"from": "2026-11-03"}, "renamed sign-in house refusal change"),
    ({"who": "alex"}, "renamed refusal next_day late"),
    ({"who": "  SUPER "}, "sign-in change"),
    ({"who": "system"}, "house"),
    ({"who": "%"}, ""),
    ({"action": "sign_in"}, "renamed sign-in"),
    ({"action": ["sign_in", "archive"]}, "renamed sign-in house"),
    ({"action": "never_done"}, ""),
    ({"entity_type": "client"}, "next_day late"),
    ({"entity_type": "client", "entity_id": UUID(int=7)}, "late"),
    ({"refused": "true"}, "refusal"),
    ({"q": "staff may see"}, "refusal"),
    ({"q": "198.51"}, "sign-in"),
    ({"q": "quux"}, "late"),
    ({"q": "k0000007"}, "late"),
    ({"q": "new_phone"}, "change"),
    ({"q": "100%"}, "change"),
    ({"q": "fields"}, ""),
    ({"q": " ", "who": " "}, "renamed sign-in house refusal change next_day late"),
    ({"who": "alex", "action": "view_client", "from": "2026-11-02"}, "next_day"),
]


async def test_each_filter_finds_what_it_says_and_all_narrow_down_together(api: Api, admin: Actor, log: dict[str, int]) -> None:
    for asked, found in FILTERS:
        before = max(log.values()) + 1  # these questions are entries themselves
        assert (asked, await numbers(api, admin, before=before, **asked)) == (
            asked,
            [log[name.replace("_", " ")] for name in found.split()],
        )


async def test_somebody_renamed_is_found_by_id_by_the_old_name_and_by_the_new(
    api: Api, admin: Actor, agent: Actor, log: dict[str, int]
) -> None:
    api.database.all("update users set full_name = 'Sacha Marchbanks' where id = %s", agent.id)
    new = write(api.database, "sign_out", user=agent.id)
    before = [log[name] for name in ("renamed", "refusal", "next day", "late")]
    assert await numbers(api, admin, who=str(agent.id)) == [new, *before]
    assert await numbers(api, admin, who="sacha") == [new, *before]
    assert await numbers(api, admin, who="alex") == before


NONSENSE: list[dict[str, Any]] = [
    {"from": "yesterday"},
    {"from": "2026-11-03", "to": "2026-11-02"},
    {"from": "0001-01-01"},
    {"to": "9999-12-31"},
    {"action": "Jane Roe"},
    {"action": "x' or true --"},
    {"entity_id": "7"},
    {"limit": 0},
    {"limit": 201},
    {"before": -1},
    {"before": 2**63},
    {"q": "x" * 101},
    {"q": "\x00"},
    {"refused": "perhaps"},
]


async def test_a_question_that_makes_no_sense_is_a_400_that_says_so(api: Api, admin: Actor) -> None:
    for asked in NONSENSE:
        refused(await api.get(LOG, by=admin, **asked), 400)
        if not asked.keys() & {"limit", "before"}:
            refused(await api.get(LOG_FILE, by=admin, **asked), 400)


async def test_pages_follow_one_another_without_a_gap_or_a_repeat_while_others_write(
    api: Api, admin: Actor, agent: Actor
) -> None:
    written = [write(api.database, user=agent.id) for _ in range(7)]
    seen: list[int] = []
    before: dict[str, int] = {}
    for _ in range(3):
        page = (await api.get(LOG, by=admin, limit=3, action="view_client", **before)).json()
        seen += [entry["seq"] for entry in page["entries"]]
        before = {"before": page["next"]}
        write(api.database, user=agent.id)
    assert seen == written[::-1]
    assert page["next"] is None


async def test_a_search_that_takes_too_long_says_how_to_make_it_shorter(
    api: Api, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.database.all(
        "create function slow() returns boolean language plpgsql as $$ begin perform pg_sleep(9); return true; end $$;"
        " create policy slow on audit_logs as restrictive for select to authenticated using (slow())"
    )
    monkeypatch.setattr("backhaul.core.store._ENTER", b"select * from private.enter(%(user)s, %(session)s, '50ms')")
    write(api.database)
    said = refused(await api.get(LOG, by=admin, q="x"), 400, "audit.too_long")
    assert "Narrow it down" in said["todo"]


# ── One's record of activity ──


async def test_the_record_of_a_client_has_every_view_change_and_the_work_that_followed_and_nobody_elses(
    api: Api, admin: Actor, agent: Actor, supervisor: Actor
) -> None:
    client = await added(api, agent)
    other = await added(api, agent, kNumber="K7654321", firstName="Somebody", lastName="Else")
    await api.get("/webhook/get-client", by=supervisor, id=client)
    await api.get("/webhook/get-client", by=supervisor, id=other)
    task = api.database.value("select id from background_tasks where entity_id = %s and task_type = 'sync_quo'", client)
    api.database.all("select start_background_task(%s)", task)
    api.database.all("select fail_background_task(%s, 'Quo did not answer.')", task)
    await api.post("/webhook/dismiss-task", {"task_id": str(task)}, by=supervisor)
    await api.get(LOG, by=admin, entity_type="client", entity_id=client)
    told = (await api.get(RECORD, by=admin, client=client)).json()
    assert told["subject"] == {"type": "client", "id": str(client), "label": "Jane Roe (K1234567)"}
    assert [(entry["action"], entry["user_name"]) for entry in told["entries"]] == [
        ("view_audit_log", "Ada Admin"),
        ("dismiss_task", "Sam Supervisor"),
        ("view_client", "Sam Supervisor"),
        ("create_client", "Alex Agent"),
    ]
    assert told["entries"][1]["entity_label"] == "Sync to Quo for Jane Roe (K1234567)"
    again = (await api.get(RECORD, by=admin, client=client)).json()["entries"]
    assert again[0]["action"] == "view_activity_record"


async def test_a_clients_record_has_their_trips_and_what_followed_from_those_and_no_other_clients(api: Api) -> None:
    trips = Trips(api.database)
    people, agent = trips.people, trips.people["booking_agent"]
    other = trips.client("K7654321", "Somebody")
    booked, others = trips.trip(), trips.trip("2026-12-02 09:00", client_id=other)
    for trip in (booked, others):
        write(api.database, "create_appointment", entity_type="appointment", entity_id=trip, user=agent.id)
        await api.post("/webhook/soft-delete-appointment", {"appointmentId": str(trip)}, by=agent)
    task = api.database.value("select create_background_task('appointment', %s, 'A trip', 'sync_quo')", booked)
    api.database.all("select start_background_task(%s)", task)
    api.database.all("select fail_background_task(%s, 'Quo did not answer.')", task)
    await api.post("/webhook/dismiss-task", {"task_id": str(task)}, by=people["supervisor"])
    entries = (await api.get(RECORD, by=people["admin"], client=trips.jane)).json()["entries"]
    assert [entry["action_label"] for entry in entries] == ["Dismissed a failed task", "Archived a trip", "Booked a trip"]
    assert entries[-1]["entity_label"] == "Jane Roe (K1234567), 1 Dec 9:00"
    found = (await api.get(LOG, by=people["admin"], q="Somebody Roe", action="create_appointment")).json()["entries"]
    assert [entry["entity_id"] for entry in found] == [str(others)]


async def test_the_record_of_a_user_has_what_they_did_and_what_was_done_to_their_account(
    api: Api, admin: Actor, agent: Actor, supervisor: Actor
) -> None:
    mine = [
        write(api.database, user=agent.id, entity_type="client", entity_id=uuid4()),
        write(api.database, "update_user", user=admin.id, entity_type="user", entity_id=agent.id),
    ]
    write(api.database, user=supervisor.id, entity_type="client", entity_id=agent.id)
    told = (await api.get(RECORD, by=admin, user=agent.id)).json()
    assert [entry["seq"] for entry in told["entries"]] == mine[::-1]
    assert told["subject"]["label"] == "Alex Agent"


async def test_a_record_is_paged_and_limited_to_days_like_the_log(api: Api, admin: Actor, agent: Actor) -> None:
    old = write(api.database, user=agent.id, at=datetime(2026, 1, 5, 12, tzinfo=UTC))
    written = [write(api.database, user=agent.id) for _ in range(3)]
    first = (await api.get(RECORD, by=admin, user=agent.id, limit=2)).json()
    assert [entry["seq"] for entry in first["entries"]] == written[:0:-1]
    assert await numbers(api, admin, RECORD, user=agent.id, before=first["next"]) == [written[0], old]
    assert await numbers(api, admin, RECORD, user=agent.id, to="2026-01-05") == [old]


async def test_a_record_outlives_the_client_it_is_about(api: Api, admin: Actor, agent: Actor) -> None:
    """Retention: what was done is known after the record itself is gone."""
    client = await added(api, agent)
    api.database.all("delete from clients where id = %s", client)
    told = (await api.get(RECORD, by=admin, client=client)).json()
    assert (told["subject"]["label"], [entry["action"] for entry in told["entries"]]) == (None, ["create_client"])
    refused(await api.get(RECORD, by=admin, client=uuid4()), 404, "audit.nobody")


async def test_a_record_is_of_exactly_one(api: Api, admin: Actor) -> None:
    for asked in ({}, {"client": uuid4(), "user": uuid4()}, {"client": "K1234567"}):
        refused(await api.get(RECORD, by=admin, **asked), 400)
        refused(await api.get(RECORD_FILE, by=admin, **asked), 400)


# ── Reading is written down ──


async def test_whoever_reads_the_log_is_in_it_with_their_conditions_and_without_the_words_they_typed(
    api: Api, admin: Actor, agent: Actor
) -> None:
    """ASVS 5.0: 16.2.5, 16.3.3."""
    asked = {"q": "Wilhelmina", "who": "Zebulon", "action": "view_client", "from": "2026-11-01", "refused": "true"}
    for path, action in ((LOG, "view_audit_log"), (LOG_FILE, "export_audit_log")):
        await api.get(path, by=admin, **asked)
        entry = last_entry(api.database)
        assert (entry["action"], entry["user_id"], str(entry["ip_address"])) == (action, admin.id, "203.0.113.7")
        assert entry["details"] == {
            "from": "2026-11-01T00:00:00-03:00",
            "actions": ["view_client"],
            "only_refused": True,
            "part_of_a_name": True,
            "words": True,
        }
    everything = json.dumps(api.database.all("select to_jsonb(a) as a from audit_logs a"))
    assert "Wilhelmina" not in everything
    assert "Zebulon" not in everything


async def test_every_page_and_file_of_somebodys_record_is_in_that_record(api: Api, admin: Actor, agent: Actor) -> None:
    client = await added(api, agent)
    for _ in range(2):
        await api.get(RECORD, by=admin, client=client, limit=1)
    await api.get(RECORD_FILE, by=admin, client=client)
    await api.get(LOG_FILE, by=admin, entity_type="client", entity_id=client)
    found = api.database.all("select action from audit_logs where entity_id = %s and user_id = %s order by seq", client, admin.id)
    assert [row["action"] for row in found] == [
        "view_activity_record",
        "view_activity_record",
        "export_activity_record",
        "export_audit_log",
    ]


# ── As a file ──


def table(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


async def test_a_file_has_all_that_was_asked_for_in_words_and_in_excels_encoding(api: Api, admin: Actor, agent: Actor) -> None:
    await added(api, agent, firstName="Zoë", lastName="Brûlé")
    answer = await api.get(LOG_FILE, by=admin, action="create_client")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-log-20')
    assert answer.content.startswith("\ufeff".encode())
    head, row = table(answer.content.decode("utf-8-sig"))
    told = dict(zip(head, row, strict=True))
    assert told["Time (America/Halifax)"] == "2026-11-23 10:00:00"
    assert told["Time (UTC)"] == "2026-11-23T14:00:00.000Z"
    assert (told["Who"], told["What"], told["Record"]) == ("Alex Agent", "Added a client", "Zoë Brûlé (K1234567)")
    assert json.loads(told["Details"]) == {"client_name": "Zoë Brûlé", "knumber": "K1234567"}
    assert told["Work that followed"] == "Calculate drive times: pending; Sync to Quo: pending"


async def test_a_records_file_is_named_after_no_person(api: Api, admin: Actor, agent: Actor) -> None:
    client = await added(api, agent)
    answer = await api.get(RECORD_FILE, by=admin, client=client)
    name = answer.headers["content-disposition"]
    assert name.startswith(f'attachment; filename="activity-client-{str(client)[:8]}-20')
    assert name.endswith('.csv"')
    assert len(table(answer.content.decode("utf-8-sig"))) == 2


async def test_what_somebody_typed_is_no_formula_in_a_file(api: Api, admin: Actor) -> None:
    """ASVS 5.0: 1.2.10."""
    sly = api.database.person("booking_agent", '=HYPERLINK("https://evil.test","Click")')
    write(api.database, user=sly.id, agent="@SUM(1+1)*cmd|' /C calc'!A0", refused="\tx")
    text = (await api.get(LOG_FILE, by=admin)).content.decode("utf-8-sig")
    told = dict(zip(*table(text), strict=True))
    assert told["Who"] == '\'=HYPERLINK("https://evil.test","Click")'
    assert told["Browser"].startswith("'@SUM")
    assert told["Why not"] == "'\tx"


_TYPED = st.text(st.sampled_from("=+-@\t\r\n;,\"' ＝＋－＠\u200b\ufeff\u00a0a1"), max_size=8) | st.text(max_size=8)


@given(st.lists(st.tuples(_TYPED, _TYPED), min_size=1, max_size=3))
def test_no_text_becomes_a_formula_in_any_cell_whatever_is_taken_for_the_separator(rows: list[tuple[str, str]]) -> None:
    """ASVS 5.0: 1.2.10. Read by the rules of RFC 4180 it is what was written, but for the apostrophes."""
    text = audit_csv.lines(rows)
    for delimiter in ",;\t":
        for one in itertools.chain(*table(text, delimiter)):
            assert one.lstrip('\t\r\n \u00a0\u200b\ufeff"')[:1] not in tuple("=+-@＝＋－＠")
    read = table(text)
    assert all(one[:1] not in ("\t", "\r", "\n") for one in itertools.chain(*read))
    assert [[one.replace("'", "") for one in line] for line in read] == [[one.replace("'", "") for one in row] for row in rows]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("\t=1", "'\t'=1"), ("\rx", "'\rx"), ("＝1", "'＝1"),
        (" =1", "' =1"), ("\u200b=1", "'\u200b=1"), ("a;=1", "a;'=1"), ("a\n=1", "a\n'=1"), ("a; b", "a; b"), ("a=1", "a=1"),
        ("", ""), (None, ""), (7, "7"), (-7, "'-7"),
    ],
)  # fmt: skip
def test_a_cell_is_left_as_it_is_unless_it_begins_like_a_formula(value: object, cell: str) -> None:
    """ASVS 5.0: 1.2.10."""
    assert audit_csv.cell(value) == cell


async def test_a_long_log_goes_out_in_batches_each_read_in_a_transaction_of_its_own(
    api: Api, store: Store, admin: Actor, agent: Actor
) -> None:
    api.database.all(
        "insert into audit_logs (action, user_id, user_name, role)"
        " select 'view_client', %s, 'Alex', 'booking_agent' from generate_series(1, 2500)",
        agent.id,
    )
    opened = 0

    @asynccontextmanager
    async def transaction() -> Any:
        nonlocal opened
        opened += 1
        async with store.service() as tx:
            yield tx

    log = records.audit_log(workflows)
    async with store.service() as tx:
        first = await log.page(tx, Wanted(), limit=1000)
    sizes = [len(batch) async for batch in log.batches(Wanted(), first, transaction)]
    assert (sizes, opened) == ([1000, 1000, 500], 2)
    file = table((await api.get(LOG_FILE, by=admin)).content.decode("utf-8-sig"))
    assert [int(row[0]) for row in file[1:]] == list(range(2500, 0, -1))


async def test_a_file_is_cut_off_when_the_session_ends_under_it_and_does_not_look_whole(
    api: Api, admin: Actor, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.database.all(
        "insert into audit_logs (action, user_id, user_name, role)"
        " select 'view_client', %s, 'Alex', 'booking_agent' from generate_series(1, 1001)",
        agent.id,
    )
    lines = audit_csv.lines

    def lines_and_out(rows: Any) -> str:
        api.database.all("select private.end_session(%s, 'signed out')", admin.session_id)
        return lines(rows)

    monkeypatch.setattr(audit_csv, "lines", lines_and_out)
    with pytest.raises(AssertionError):  # the answer never came to its end
        await api.get(LOG_FILE, by=admin)


# ── The chain, checked ──


async def test_the_check_says_that_all_is_as_it_was_sealed_and_gives_the_digest_to_keep(
    api: Api, admin: Actor, agent: Actor
) -> None:
    assert (await api.get(VERIFY, by=admin)).json()["message"] == "Nothing has been sealed yet."
    write(api.database, user=agent.id)
    seal(api.database)
    write(api.database, user=agent.id)
    told = (await api.get(VERIFY, by=admin)).json()
    assert (told["well"], told["message"]) == (True, "All is as it was sealed: 1 entry.")
    assert (told["sealed"], told["unsealed"], told["last_seal"], len(told["digest"])) == (1, 1, 1, 64)


async def test_the_check_names_the_first_broken_entry_in_words(api: Api, admin: Actor, agent: Actor) -> None:
    write(api.database, user=agent.id)
    seal(api.database)
    with tampering(api.database) as owner:
        owner.execute("update audit_logs set action = 'create_client'")
    told = (await api.get(VERIFY, by=admin)).json()
    assert (told["well"], told["digest"], told["broken"]["seq"]) == (False, None, 1)
    assert told["message"] == (
        "Entry 1 of 2026-11-23 10:00:00 AST, Alex Agent (booking_agent), “Added a client”, sealed 2026-11-23 10:00:00 AST:"
        " The entry was changed."
    )


async def test_one_check_at_a_time_walks_the_log(api: Api, admin: Actor) -> None:
    with psycopg.connect(api.database.dsn) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('backhaul.verify_audit_logs'))")
        refused(await api.get(VERIFY, by=admin), 409, "audit.busy")
    assert (await api.get(VERIFY, by=admin)).status_code == 200


# ── Words, and plans ──


def test_every_action_that_is_written_anywhere_is_said_in_words() -> None:
    written = {*written_actions(), *(workflow.audit for workflow in workflows.by_name.values())}
    assert len(written) > 10
    assert written - {*CORE_ACTIONS, *records.ACTIONS} == set(), "say it in core/audit_words.py or dispatch/records.py"
    names = records.audit_log(workflows).names
    assert (names.action("create_client"), names.action("mark_invoice_paid")) == ("Added a client", "Mark invoice paid")


def written_actions() -> Iterator[str]:
    """The verbs in the statements and calls that write to the log, in the sources."""
    sources = [*share("sql").rglob("*.sql"), *(share("sql").parent / "src").rglob("*.py")]
    for source in sources:
        text = source.read_text("utf-8")
        yield from re.findall(r"write_audit\('([a-z_]+)'", text)
        yield from re.findall(r"\bnote\(\s*tx,\s*\"([a-z_]+)\"", text)
        yield from (f"view_{entity}" for entity in re.findall(r"\bnote_look\([^\"\n]*\"([a-z_]+)\"", text))


async def test_the_common_questions_are_answered_by_an_index(database: Database, store: Store, admin: Actor) -> None:
    database.all(
        "insert into audit_logs (action, entity_type, entity_id, user_id, user_name, role, success, error_message, created_at)"
        " select (array['view_client', 'sign_in', 'create_client', 'sign_out'])[1 + n %% 4], 'client', gen_random_uuid(),"
        "        case when n %% 50 = 0 then %s::uuid end, 'Person ' || n %% 50, 'driver', n %% 40 <> 0,"
        "        case when n %% 40 = 0 then 'No.' end, task_now() - n * interval '30 minutes' from generate_series(1, 20000) n",
        admin.id,
    )
    database.all("analyze")
    plans: list[str] = []

    class Explained(Tx):
        async def all(self, query: bytes, params: Any = None, *, into: Any = None) -> Any:
            if b"from public.audit_logs a\n" in query:
                plan = await super().all(b"explain " + query, params)
                plans.append("\n".join(row["QUERY PLAN"] for row in plan))
            return await super().all(query, params)

    log = records.audit_log(workflows)
    day = datetime(2026, 11, 20, tzinfo=UTC)
    async with store.person(admin.id, admin.session_id) as (tx, _):
        explained = Explained(tx.connection)
        for wanted in (
            Wanted(),
            Wanted(since=day),
            Wanted(since=day, until=day.replace(day=21)),
            Wanted(who=admin.id),
            Wanted(name="Person 7"),
            Wanted(actions=["create_client"]),
            Wanted(actions=["never_done"]),
            Wanted(entity_type="client", entity_id=uuid4()),
            Wanted(refused=True),
            Wanted(about=await log.subject(tx, "user", admin.id)),
            Wanted(about=await log.subject(tx, "client", uuid4())),
        ):
            await log.page(explained, wanted)
    assert len(plans) == 11
    for plan in plans:
        assert "Seq Scan on audit_logs" not in plan, plan
