"""`backhaul audit`: whoever must prove the log, years later and to strangers, relies on what it prints and how it ends."""

from __future__ import annotations

import csv
import io
import stat
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import pytest

from backhaul.core.store import Actor
from backhaul.core.testing import Clock, Database
from tests.test_audit_log import seal, tampering, write
from tests.test_cli import Terminal, terminal

__all__ = ["terminal"]  # a fixture


@pytest.fixture
def sealed(database: Database, agent: Actor, clock: Clock) -> list[int]:
    """Six entries under two seals, a minute apart."""
    first = write(database, agent, 3)
    seal(database)
    clock.advance(minutes=1)
    second = write(database, agent, 3)
    seal(database)
    return first + second


# ── verify ──


def test_a_log_as_it_was_sealed_ends_with_0_and_gives_the_digest_to_keep(
    terminal: Terminal, database: Database, agent: Actor, sealed: list[int]
) -> None:
    write(database, agent)
    told = terminal.run("audit", "verify")
    assert told.code == 0
    digest = database.value("select last_digest from private.verify_audit_logs()").hex()
    assert told.out.splitlines() == [
        "All is as it was sealed: 6 entries.",
        "Not sealed yet: 1. A worker seals what is new every few seconds.",
        f"Last digest, of seal 2; keep it elsewhere: {digest}",
    ]
    told = terminal.run("audit", "verify", "--json")
    assert told.code == 0
    assert told.json == {
        "well": True, "sealed": 6, "unsealed": 1, "last_seal": 2, "digest": digest, "broken": None,
        "message": "All is as it was sealed: 6 entries.", "since_digest": None, "since_seal": None,
    }  # fmt: skip


def test_an_empty_log_is_well(terminal: Terminal) -> None:
    told = terminal.run("audit", "verify")
    assert (told.code, told.out.strip()) == (0, "Nothing has been sealed yet.")


_NAMED = "of 2026-11-23 10:00:00 AST, Alex Agent (booking_agent), “Added a client”, sealed 2026-11-23 10:00:00 AST:"


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        ("update audit_logs set details = '{}' where seq in (2, 5)", f"Entry 2 {_NAMED} The entry was changed."),
        (
            "update audit_logs set user_name = 'Somebody Else' where seq = 3",
            f"Entry 3 {_NAMED.replace('Alex Agent', 'Somebody Else')} The entry was changed.",
        ),
        ("delete from audit_logs where seq = 2", "Entry 2, sealed 2026-11-23 10:00:00 AST: The entry was removed."),
        (
            (
                "insert into audit_logs (action, user_name, role, created_at)"
                " values ('create_client', 'Alex', 'admin', '2026-11-20')"
            ),
            (
                "Entry 7 of 2026-11-19 20:00:00 AST, Alex (admin), “Added a client”:"
                " The entry was slipped in: it is older than what was sealed, and was never sealed itself."
            ),
        ),
        (
            "update private.audit_seals set digest = sha256('') where seal_no = 1",
            f"Entry 1 {_NAMED} Seal 1 does not fit the chain.",
        ),
        (
            "update private.audit_seals set previous = sha256('') where seal_no = 2",
            f"Entry 4 {_NAMED.replace('10:00:00', '10:01:00')} Seal 2 does not fit the chain.",
        ),
        ("delete from private.audit_sealed where seq = 3", f"Entry 1 {_NAMED} Seal 1 does not fit the chain."),
    ],
    ids=["changed", "somebody else's", "removed", "slipped in", "seal made anew", "seal moved", "unsealed"],
)  # fmt: skip
def test_the_first_broken_entry_is_named_in_words_and_it_ends_with_1(
    terminal: Terminal, database: Database, sealed: list[int], tamper: LiteralString, said: str
) -> None:
    with tampering(database) as owner:
        owner.execute(tamper)
    told = terminal.run("audit", "verify")
    assert told.code == 1
    assert told.out == ""
    first, why, todo = (line.strip() for line in told.err.splitlines())
    assert (first, why) == ("The audit log is not as it was sealed", said)
    assert "compare it with a backup" in todo
    scripted = terminal.run("audit", "verify", "--json")
    assert scripted.code == 1
    assert (scripted.json["well"], scripted.json["digest"], scripted.json["message"]) == (False, None, said)
    assert scripted.json["broken"]["seq"] == int(said.split()[1].rstrip(","))


def test_a_digest_kept_earlier_is_found_again_however_much_was_written_since(
    terminal: Terminal, database: Database, agent: Actor, sealed: list[int]
) -> None:
    kept = terminal.run("audit", "verify", "--json").json["digest"]
    write(database, agent)
    seal(database)
    told = terminal.run("audit", "verify", "--since-digest", kept.upper())
    assert told.code == 0
    assert "The digest that was kept is that of seal 2: all that was sealed until then is still the same." in told.out
    assert terminal.run("audit", "verify", "--since-digest", kept, "--json").json["since_seal"] == 2


@pytest.mark.parametrize(
    "tamper",
    [
        "delete from private.audit_sealed; delete from private.audit_seals; update audit_logs set action = 'x' where seq = 1",
        (
            "delete from private.audit_sealed where seal_no = 2; delete from private.audit_seals where seal_no = 2;"
            " delete from audit_logs where seq > 3"
        ),
    ],
    ids=["rewritten whole", "cut short"],
)
def test_a_chain_rewritten_whole_or_cut_short_does_not_hold_the_digest_kept_earlier(
    terminal: Terminal, database: Database, sealed: list[int], tamper: LiteralString
) -> None:
    """What no chain can notice by itself."""
    kept = terminal.run("audit", "verify", "--json").json["digest"]
    with tampering(database) as owner:
        owner.execute(tamper)
    seal(database)
    assert terminal.run("audit", "verify").code == 0
    told = terminal.run("audit", "verify", "--since-digest", kept)
    assert told.code == 1
    assert "The chain does not hold the digest that was kept" in told.err
    scripted = terminal.run("audit", "verify", "--since-digest", kept, "--json")
    assert (scripted.code, scripted.json["well"], scripted.json["broken"]) == (1, False, None)


@pytest.mark.parametrize("typed", ["xyz", "ab", "", "0" * 63])
def test_what_is_no_digest_ends_with_2(terminal: Terminal, typed: str) -> None:
    told = terminal.run("audit", "verify", "--since-digest", typed)
    assert told.code == 2
    assert "64 hexadecimal digits" in told.err


# ── list, export ──


def test_entries_are_listed_in_words_and_for_scripts(terminal: Terminal, database: Database, sealed: list[int]) -> None:
    told = terminal.run("audit", "list", "--limit", "2")
    assert told.code == 0
    heading, newest, next_one = told.out.splitlines()
    assert heading.split() == ["no.", "when", "who", "what", "record", "why", "not"]
    assert newest.split()[:7] == ["6", "2026-11-23", "10:01:00", "Alex", "Agent", "Added", "a"]
    assert next_one.split()[0] == "5"
    listed = terminal.run("audit", "list", "--json", "--who", "alex", "--to", "2026-11-23").json
    assert [entry["seq"] for entry in listed] == sealed[::-1]
    assert terminal.run("audit", "list", "--refused").out.strip() == "No entries."


def test_looking_from_the_command_line_is_written_down_too(terminal: Terminal, database: Database) -> None:
    terminal.run("audit", "list", "--text", "Wilhelmina", "--action", "sign_in")
    entry = database.one("select action, user_name, user_agent, details from audit_logs")
    assert entry == {
        "action": "view_audit_log",
        "user_name": "system",
        "user_agent": "the command line",
        "details": {"actions": ["sign_in"], "words": True},
    }


def test_a_file_is_written_for_its_owner_alone(terminal: Terminal, database: Database, sealed: list[int], tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    assert terminal.run("audit", "export", "--action", "create_client", "-o", file).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline="")))
    assert [int(row[0]) for row in rows[1:]] == sealed[::-1]
    assert database.value("select action from audit_logs order by seq desc limit 1") == "export_audit_log"


def test_without_a_file_it_goes_to_standard_output(terminal: Terminal, sealed: list[int]) -> None:
    told = terminal.run("audit", "export", "--entity-type", "client")
    assert len(list(csv.reader(io.StringIO(told.out, newline="")))) == 7


def test_a_file_that_cannot_be_written_is_told(terminal: Terminal, tmp_path: Path) -> None:
    told = terminal.run("audit", "export", "-o", tmp_path / "nowhere" / "x.csv")
    assert told.code == 1
    assert "cannot be written" in told.err


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--from", "yesterday"),
        ("list", "--action", "Jane Roe"),
        ("export", "--entity-id", "7"),
        ("list", "--entity-id", f"{uuid4()}x"),
        ("list", "--limit", "0"),
    ],
)
def test_a_mistyped_filter_ends_with_2(terminal: Terminal, words: tuple[str, ...]) -> None:
    told = terminal.run("audit", *words)
    assert told.code == 2
    assert told.err.strip()


def test_days_the_wrong_way_round_are_told(terminal: Terminal) -> None:
    told = terminal.run("audit", "list", "--from", "2026-11-02", "--to", "2026-11-01")
    assert told.code == 1
    assert "The last day is before the first" in told.err
