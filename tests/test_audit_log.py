"""The audit log: what whoever must show who asked for what relies on. Not even the database's owner changes it unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from backhaul.core.store import Actor, Row
from backhaul.core.testing import Clock, Database

_WRITE = "select private.write_audit('create_client', 'client', gen_random_uuid(), %s, '{\"n\": 1}', '203.0.113.7', 'Firefox')"


def write(database: Database, by: Actor, times: int = 1) -> list[int]:
    """New entries, each in a transaction of its own; their numbers."""
    ids = [database.value(_WRITE, by.id) for _ in range(times)]
    return [row["seq"] for row in database.all("select seq from audit_logs where id = any(%s) order by seq", ids)]


def seal(database: Database) -> int:
    sealed: int = database.value("select private.seal_audit_logs()")
    return sealed


def verify(database: Database) -> Row:
    return database.one("select checked, unsealed, broken_seq, why from private.verify_audit_logs()")


@contextmanager
def tampering(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """As a superuser past every trigger: what no lock can keep out."""
    dsn = psycopg.conninfo.make_conninfo(database.dsn, user="supabase_admin")
    with psycopg.connect(dsn) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection


# ── Append-only ──


@pytest.mark.parametrize(
    "statement", ["update audit_logs set action = 'nothing'", "delete from audit_logs", "truncate audit_logs cascade"]
)
@pytest.mark.parametrize("user", ["postgres", "supabase_admin"])
def test_not_even_the_owner_changes_or_removes_an_entry(
    database: Database, agent: Actor, statement: LiteralString, user: str
) -> None:
    write(database, agent)
    dsn = psycopg.conninfo.make_conninfo(database.dsn, user=user)
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.Error, match="append-only") as refused:
        connection.execute(statement)
    assert (refused.value.sqlstate, refused.value.diag.message_hint) == ("BT403", "Write a new entry that corrects the old one.")
    assert database.value("select count(*) from audit_logs where action = 'create_client'") == 1


def test_the_house_adds_entries_and_changes_none(database: Database, agent: Actor) -> None:
    with database.acting("service_role") as connection:
        connection.execute(_WRITE, (agent.id,))
        for statement in ("update audit_logs set action = 'x'", "delete from audit_logs", "truncate audit_logs"):
            connection.execute("savepoint before")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
            connection.execute("rollback to before")


def test_a_user_with_entries_cannot_be_deleted(database: Database, agent: Actor) -> None:
    write(database, agent)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        database.all("delete from users where id = %s", agent.id)


def test_an_entry_keeps_the_name_and_role_of_its_moment(database: Database, agent: Actor) -> None:
    write(database, agent)
    database.all("update users set full_name = 'Renamed', role = 'driver' where id = %s", agent.id)
    assert database.one("select user_name, role from audit_logs") == {"user_name": "Alex Agent", "role": "booking_agent"}


def test_the_house_acting_for_itself_is_named_system(database: Database) -> None:
    database.value("select private.write_audit('archive', null, null, null)")
    assert database.one("select user_id, user_name, role from audit_logs") == {
        "user_id": None,
        "user_name": "system",
        "role": "system",
    }


# ── Sealing ──


def test_entries_are_sealed_once_and_verified(database: Database, agent: Actor) -> None:
    write(database, agent, 3)
    assert verify(database) == {"checked": 0, "unsealed": 3, "broken_seq": None, "why": None}
    assert seal(database) == 3
    assert seal(database) == 0
    write(database, agent)
    assert seal(database) == 1
    assert verify(database) == {"checked": 4, "unsealed": 0, "broken_seq": None, "why": None}
    assert database.value("select count(*) from private.audit_seals") == 2


def test_an_empty_log_is_in_order(database: Database) -> None:
    assert seal(database) == 0
    assert verify(database) == {"checked": 0, "unsealed": 0, "broken_seq": None, "why": None}


def test_a_slow_transaction_that_commits_after_later_ones_were_sealed_is_sealed_next(
    database: Database, agent: Actor, clock: Clock
) -> None:
    with psycopg.connect(database.dsn) as slow:
        slow.execute(_WRITE, (agent.id,))
        later = write(database, agent, 2)
        clock.advance(hours=1)
        assert seal(database) == 2
        slow.commit()
    assert seal(database) == 1
    assert verify(database)["broken_seq"] is None
    order = database.all("select seq, seal_no from private.audit_sealed order by seq")
    assert [row["seal_no"] for row in order] == [2, 1, 1]
    assert [row["seq"] for row in order[1:]] == later


@pytest.mark.parametrize("days", [1.5, 30])
def test_workers_that_were_away_for_days_seal_all_that_came_meanwhile(
    database: Database, agent: Actor, clock: Clock, days: float
) -> None:
    """A weekend without a worker is not tampering."""
    write(database, agent)
    seal(database)
    clock.advance(minutes=1)
    write(database, agent)
    clock.advance(days=days)
    write(database, agent)
    assert verify(database)["broken_seq"] is None
    assert seal(database) == 2
    assert verify(database) == {"checked": 3, "unsealed": 0, "broken_seq": None, "why": None}


def test_the_first_seal_takes_whatever_the_log_holds(database: Database, agent: Actor, clock: Clock) -> None:
    write(database, agent)
    clock.advance(days=400)
    assert seal(database) == 1
    assert verify(database)["broken_seq"] is None


def test_sealing_while_many_write_leaves_out_none_and_seals_none_twice(live_database: Database) -> None:
    agent = live_database.person("booking_agent")

    def busy(number: int) -> None:
        with psycopg.connect(live_database.dsn) as connection:
            for n in range(40):
                connection.execute(_WRITE, (agent.id,))
                connection.rollback() if (n + number) % 7 == 0 else connection.commit()

    def sealing(_: int) -> int:
        return sum(seal(live_database) for _ in range(20))

    with ThreadPoolExecutor(6) as threads:
        writers = [threads.submit(busy, n) for n in range(4)]
        sealers = [threads.submit(sealing, n) for n in range(2)]
        for writer in writers:
            writer.result(timeout=60)
        sealed = sum(sealer.result(timeout=60) for sealer in sealers)
    sealed += seal(live_database)
    assert sealed == live_database.value("select count(*) from audit_logs")
    assert verify(live_database) == {"checked": sealed, "unsealed": 0, "broken_seq": None, "why": None}


def test_two_who_seal_at_once_do_it_once(database: Database, agent: Actor) -> None:
    write(database, agent)
    with psycopg.connect(database.dsn) as first:
        assert first.execute("select private.seal_audit_logs()").fetchone() == (1,)
        assert seal(database) == 0
    assert verify(database)["checked"] == 1


def test_a_writer_waits_neither_for_a_seal_that_is_being_made_nor_for_a_check_nor_for_another_writer(
    database: Database, agent: Actor
) -> None:
    """A chain whose links were made by the writers would let one write at a time; this one is made behind them."""
    write(database, agent, 3)
    with psycopg.connect(database.dsn) as sealing, psycopg.connect(database.dsn) as writing:
        sealing.execute("select private.seal_audit_logs()")
        writing.execute(_WRITE, (agent.id,))
        with psycopg.connect(database.dsn, options="-c lock_timeout=1s") as another:
            another.execute("select * from private.verify_audit_logs()")
            another.execute(_WRITE, (agent.id,))
            another.commit()
        writing.commit()
        sealing.commit()
    assert seal(database) == 2
    assert verify(database)["broken_seq"] is None


def test_the_sweep_seals(database: Database, agent: Actor) -> None:
    write(database, agent, 2)
    assert database.one("select * from private.sweep()")["sealed"] == 2


# ── Tampering is noticed ──

_CHANGES: dict[str, LiteralString] = {
    "seq": "99",
    "id": "gen_random_uuid()",
    "action": "'delete_client'",
    "entity_type": "'driver'",
    "entity_id": "gen_random_uuid()",
    "user_id": "null",
    "user_name": "'Somebody Else'",
    "role": "'admin'",
    "details": "'{\"n\": 2}'",
    "ip_address": "'203.0.113.7/24'",
    "user_agent": "'Chrome'",
    "success": "false",
    "error_message": "'No.'",
    "created_at": "created_at + interval '1 microsecond'",
}


def test_every_column_of_an_entry_is_under_its_seal(database: Database, agent: Actor) -> None:
    columns = {
        row["attname"]
        for row in database.all("select attname from pg_attribute where attrelid = 'audit_logs'::regclass and attnum > 0")
    }
    assert columns == set(_CHANGES), "a new column belongs into private.audit_digest, and into this test"
    write(database, agent)
    seal(database)
    for column, value in _CHANGES.items():
        with tampering(database) as owner:
            owner.execute(
                "alter table audit_logs disable trigger all; alter table audit_logs drop constraint if exists a_refusal_says_why"
            )
            owner.execute("alter table audit_logs alter column seq set generated by default")
            if column == "seq":
                owner.execute(
                    "create table before as select * from audit_logs; delete from audit_logs; update before set seq = 99"
                )
                owner.execute("insert into audit_logs overriding system value select * from before")
            else:
                owner.execute(sql.SQL("update audit_logs set {} = {}").format(sql.Identifier(column), sql.SQL(value)))
            found = owner.execute("select broken_seq, why from private.verify_audit_logs()").fetchone()
            assert found is not None, column
            assert found == (1, "The entry was removed." if column == "seq" else "The entry was changed."), column
            owner.rollback()
            owner.execute("set session_replication_role = replica")
    assert verify(database)["broken_seq"] is None


def test_the_first_of_several_faults_is_the_one_that_is_named(database: Database, agent: Actor, clock: Clock) -> None:
    entries = write(database, agent, 6)
    seal(database)
    with tampering(database) as owner:
        owner.execute("update audit_logs set action = 'x' where seq = %s", (entries[5],))
        owner.execute("delete from audit_logs where seq = %s", (entries[3],))
        owner.execute("update audit_logs set details = '{}' where seq = %s", (entries[4],))
    assert verify(database) == {"checked": 6, "unsealed": 0, "broken_seq": entries[3], "why": "The entry was removed."}
    with tampering(database) as owner:
        owner.execute("update audit_logs set user_name = 'x' where seq = %s", (entries[1],))
    assert verify(database) == {"checked": 6, "unsealed": 0, "broken_seq": entries[1], "why": "The entry was changed."}


def test_an_entry_slipped_in_with_an_old_date_is_never_sealed_and_is_named(
    database: Database, agent: Actor, clock: Clock
) -> None:
    write(database, agent)
    seal(database)
    clock.advance(days=3)
    write(database, agent)
    seal(database)
    database.all(
        "insert into audit_logs (action, user_id, user_name, role, created_at)"
        " values ('create_client', %s, 'Alex Agent', 'booking_agent', %s)",
        agent.id,
        datetime(2026, 11, 24, tzinfo=UTC),
    )
    assert seal(database) == 0
    slipped = database.value("select max(seq) from audit_logs")
    told = verify(database)
    assert (told["broken_seq"], told["unsealed"]) == (slipped, 1)
    assert told["why"].startswith("The entry was slipped in")


def test_an_entry_changed_together_with_its_digest_breaks_the_seal_it_is_in(database: Database, agent: Actor) -> None:
    entries = write(database, agent, 2)
    seal(database)
    later = write(database, agent)
    seal(database)
    with tampering(database) as owner:
        owner.execute("update audit_logs set action = 'x' where seq = %s", (entries[1],))
        owner.execute("update private.audit_sealed s set digest = private.audit_digest(a) from audit_logs a where a.seq = s.seq")
    assert verify(database)["broken_seq"] == entries[0]
    assert verify(database)["why"] == "Seal 1 does not fit the chain."
    assert later


def test_a_seal_made_anew_breaks_the_one_after_it(database: Database, agent: Actor) -> None:
    write(database, agent)
    seal(database)
    later = write(database, agent)
    seal(database)
    with tampering(database) as owner:
        owner.execute("update audit_logs set action = 'x' where seq = 1")
        owner.execute(
            "update private.audit_sealed s set digest = private.audit_digest(a)"
            " from audit_logs a where a.seq = s.seq and s.seq = 1"
        )
        owner.execute(
            "update private.audit_seals set digest = private.chain_digest('', array(select digest from private.audit_sealed"
            " where seq = 1)) where seal_no = 1"
        )
    assert verify(database)["broken_seq"] == later[0]
    assert verify(database)["why"] == "Seal 2 does not fit the chain."


@pytest.mark.parametrize(
    "tamper",
    [
        "delete from private.audit_sealed where seq = 1; delete from audit_logs where seq = 1",
        (
            "delete from private.audit_sealed where seal_no = 1; delete from private.audit_seals where seal_no = 1;"
            " delete from audit_logs where seq <= 2"
        ),
        "update private.audit_sealed set seal_no = 2 where seq = 1",
        "update private.audit_seals set entries = 1 where seal_no = 1",
    ],
)
def test_entries_taken_out_together_with_their_seals_break_the_chain(
    database: Database, agent: Actor, tamper: LiteralString
) -> None:
    write(database, agent, 2)
    seal(database)
    write(database, agent)
    seal(database)
    with tampering(database) as owner:
        owner.execute(tamper)
    assert "does not fit the chain" in verify(database)["why"]


def test_a_digest_kept_elsewhere_shows_a_chain_rewritten_whole_or_cut_short(
    database: Database, agent: Actor, clock: Clock
) -> None:
    write(database, agent)
    seal(database)
    kept = database.one("select last_seal, last_digest from private.verify_audit_logs()")
    assert (kept["last_seal"], len(kept["last_digest"])) == (1, 32)
    with tampering(database) as owner:
        owner.execute("delete from private.audit_sealed; delete from private.audit_seals; update audit_logs set action = 'x'")
    clock.advance(seconds=1)
    seal(database)
    assert verify(database)["broken_seq"] is None
    assert database.one("select last_seal, last_digest from private.verify_audit_logs()") != kept


def test_entries_whose_seal_was_taken_away_are_named(database: Database, agent: Actor) -> None:
    write(database, agent)
    seal(database)
    later = write(database, agent, 2)
    seal(database)
    with tampering(database) as owner:
        owner.execute("delete from private.audit_seals where seal_no = 2")
    assert verify(database)["broken_seq"] == later[0]
    assert verify(database)["why"] == "The seal it was under was removed."


def test_an_entry_slipped_in_before_all_others_is_found(database: Database, agent: Actor, clock: Clock) -> None:
    write(database, agent)
    clock.advance(days=2)
    seal(database)
    with tampering(database) as owner:
        owner.execute("insert into audit_logs (seq, action, user_name, role, created_at) overriding system value"
                      " values (-5, 'create_client', 'Alex', 'admin', '2020-01-01')")  # fmt: skip
    assert verify(database)["broken_seq"] == -5


# ── Walked in parts ──


def parts(database: Database, at_most: int) -> list[Row]:
    """The looks at the entries, each from where the one before ended."""
    looks: list[Row] = []
    while not looks or looks[-1]["up_to"] is not None:
        after = looks[-1]["up_to"] if looks else None
        looks.append(database.one("select * from private.verify_audit_entries(%s, %s)", after, at_most))
    return looks


@pytest.mark.parametrize("at_most", [1, 3, 7, 8])
def test_parts_of_any_size_look_at_every_entry_once_and_find_what_the_whole_finds(
    database: Database, agent: Actor, at_most: int
) -> None:
    entries = write(database, agent, 7)
    seal(database)
    write(database, agent)
    assert sum(look["checked"] for look in parts(database, at_most)) == 7
    for seq in entries:
        with tampering(database) as owner:
            owner.execute("update audit_logs set action = 'x' where seq = %s", (seq,))
        assert next(look["broken_seq"] for look in parts(database, at_most) if look["broken_seq"]) == seq
        with tampering(database) as owner:
            owner.execute("update audit_logs set action = 'create_client' where seq = %s", (seq,))
    assert verify(database)["broken_seq"] is None


def test_the_seals_walked_one_by_one_end_in_the_same_digest_and_find_a_kept_one(database: Database, agent: Actor) -> None:
    kept: list[bytes] = []
    for _ in range(3):
        write(database, agent)
        seal(database)
        kept.append(database.value("select last_digest from private.verify_audit_logs()"))
    after, digest, found = None, b"", []
    for _ in range(3):
        look = database.one("select * from private.verify_audit_seals(%s, %s, 1, %s)", after, digest, kept[1])
        after, digest = look["up_to"], look["digest"]
        found.append(look["kept_seal"])
    assert digest == kept[2]
    assert found == [None, 2, None]


def test_a_look_at_the_log_costs_little_on_a_busy_day(database: Database, agent: Actor) -> None:
    """The sweep asks every second: a day's entries, all sealed, must not make it slow."""
    database.all(
        "insert into audit_logs (action, user_id, user_name, role)"
        " select 'create_client', %s, 'Alex', 'booking_agent' from generate_series(1, 5000)",
        agent.id,
    )
    assert seal(database) == 5000
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        began = connection.execute("select clock_timestamp()").fetchone()
        connection.execute("select private.seal_audit_logs() from generate_series(1, 10)")
        ended = connection.execute("select clock_timestamp()").fetchone()
    assert began is not None
    assert ended is not None
    assert ended[0] - began[0] < timedelta(seconds=2)
