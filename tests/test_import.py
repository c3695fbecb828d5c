"""`backhaul import`: a file of clients, line by line, each through the same checks and the same work as the page's form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backhaul.core.errors import Rejected
from backhaul.core.share import share
from backhaul.core.testing import Database
from backhaul.dispatch.clients import importing
from tests.test_cli import Terminal
from tests.test_cli import terminal as terminal  # noqa: PLC0414  (a fixture, made known here)

HEADINGS = "kNumber,firstName,lastName,phone,email,civicAddress,city,province,postalCode,appointmentLength,notes"
JANE = "K1234567,Jane,Roe,902-555-0123,jane@example.test,1 High St,Halifax,NS,B3H 1A1,90,"
JOHN = 'K7654321,John,Doe,902-555-0124,john@example.test,"2 Low St, rear",Truro,NS,B2N 1K4,,"says ""hello"", walks slowly"'


@pytest.fixture
def username(database: Database) -> str:
    person = database.person("booking_agent", "Alex Agent")
    name: str = database.value("select username from users where id = %s", person.id)
    return name


def written(folder: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    file = folder / "clients.csv"
    file.write_bytes((end.join(lines) + end).encode(encoding) if lines else b"")
    return file


def states(lines: Sequence[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(line["line"], line["state"]) for line in lines]


def test_every_line_becomes_a_client_with_its_work(terminal: Terminal, tmp_path: Path, database: Database, username: str) -> None:
    told = terminal.run("import", written(tmp_path, HEADINGS, JANE, JOHN), "--as", username)
    assert (told.code, told.out.strip()) == (0, "2 saved, 0 there already, 0 refused")
    john = database.one("select * from clients where knumber = 'K7654321'")
    assert (john["civicaddress"], john["notes"], john["appointment_length"]) == (
        "2 Low St, rear",
        'says "hello", walks slowly',
        120,
    )
    assert database.value("select count(*) from background_tasks where status = 'pending'") == 4
    assert database.all("select distinct action, user_name from audit_logs") == [
        {"action": "create_client", "user_name": "Alex Agent"}
    ]
    assert database.value("select count(*) from user_sessions where ended_at is null") == 1  # the person's own, not the import's


def test_repeating_an_import_saves_nothing_twice(terminal: Terminal, tmp_path: Path, database: Database, username: str) -> None:
    file = written(tmp_path, HEADINGS, JANE)
    terminal.run("import", file, "--as", username)
    told = terminal.run("import", written(tmp_path, HEADINGS, JANE, JOHN), "--as", username, "--json")
    assert states(told.json) == [(2, "there already"), (3, "saved")]
    database.all("delete from private.clicks")  # as after a week: the K number alone tells
    assert terminal.run("import", file, "--as", username).out.strip() == "0 saved, 2 there already, 0 refused"
    assert database.value("select count(*) from clients") == 2


def test_a_corrected_line_of_the_same_client_is_there_already_and_changes_nothing(
    terminal: Terminal, tmp_path: Path, database: Database, username: str
) -> None:
    terminal.run("import", written(tmp_path, HEADINGS, JANE), "--as", username)
    moved = JANE.replace("1 High St", "9 New St").replace("Jane,Roe", "JANE,roe")
    told = terminal.run("import", written(tmp_path, HEADINGS, moved), "--as", username, "--json")
    assert states(told.json) == [(2, "there already")]
    assert database.value("select civicaddress from clients") == "1 High St"


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
def test_a_k_number_of_somebody_elses_is_a_fault_and_not_passed_over(
    terminal: Terminal, tmp_path: Path, username: str, option: tuple[str, ...]
) -> None:
    terminal.run("import", written(tmp_path, HEADINGS, JANE), "--as", username)
    told = terminal.run("import", written(tmp_path, HEADINGS, JOHN.replace("K7654321", "k1234567")), "--as", username, *option)
    assert told.code == 1
    assert "line 2 (K1234567): K number K1234567 belongs to Jane Roe. Check the number" in told.out


def test_faults_are_told_for_each_line_all_at_once_and_the_others_are_saved(
    terminal: Terminal, tmp_path: Path, database: Database, username: str
) -> None:
    lines = (
        HEADINGS,
        JANE.replace("902-555-0123", "555"),
        "",
        JOHN,
        JANE.replace("K1234567", "").replace("NS", "ON").replace(",90,", ",ten,"),
    )
    told = terminal.run("import", written(tmp_path, *lines), "--as", username)
    assert told.code == 1
    assert told.out.splitlines() == [
        "line 2 (K1234567): Phone must be in format 902-555-0123",
        (
            "line 5 (no K number): K Number is required; Province must be one of NS, NB, PE, NL;"
            " Appointment length must be between 15 and 480 minutes"
        ),
        "1 saved, 0 there already, 2 refused",
    ]
    assert database.value("select array_agg(knumber) from clients") == ["K7654321"]


def test_a_dry_run_looks_at_everything_and_saves_nothing(
    terminal: Terminal, tmp_path: Path, database: Database, username: str
) -> None:
    terminal.run("import", written(tmp_path, HEADINGS, JOHN), "--as", username)
    lines = (HEADINGS, JANE, JOHN, JANE.replace("Jane", "Joan"), JANE, JANE.replace("K1234567", "K1"))
    told = terminal.run("import", written(tmp_path, *lines), "--as", username, "--dry-run", "--json")
    assert states(told.json) == [(2, "saved"), (3, "there already"), (4, "refused"), (5, "there already"), (6, "refused")]
    assert "Jane Roe" in told.json[2]["faults"][0]
    assert database.value("select count(*) from clients") == 1
    assert database.value("select count(*) from background_tasks") == 2
    told = terminal.run("import", written(tmp_path, HEADINGS, JANE), "--as", username, "--dry-run")
    assert told.out.strip() == "1 would be saved, 0 there already, 0 refused"


@pytest.mark.parametrize(("encoding", "end"), [("utf-8-sig", "\r\n"), ("utf-8", "\r\n"), ("utf-8", "\n")])
def test_files_as_spreadsheets_write_them_are_read(
    terminal: Terminal, tmp_path: Path, database: Database, username: str, *, encoding: str, end: str
) -> None:
    told = terminal.run(
        "import", written(tmp_path, HEADINGS, JANE.replace("Roe", "Röe"), encoding=encoding, end=end), "--as", username
    )
    assert told.code == 0, told.out
    assert database.value("select lastname from clients") == "Röe"


def test_headings_may_be_spelled_as_the_documents_spell_them(terminal: Terminal, tmp_path: Path, username: str) -> None:
    headings = "knumber,firstname,last_name,phone,email,civicaddress,city,prov,postal_code,appointment_length,notes,active"
    assert terminal.run("import", written(tmp_path, headings, f"{JANE},no"), "--as", username).code == 0


NOT_LISTS = (
    ((), "is empty"),
    (("",), "is empty"),
    (("first,second", "1,2"), "no column kNumber"),
    (("first,second",), "no column kNumber"),
    ((HEADINGS.replace(",", ";"), JANE.replace(",", ";")), "no column kNumber"),
    ((f"{HEADINGS},shoeSize", f"{JANE},42"), "columns nobody knows: shoeSize"),
    ((f"{HEADINGS},", f"{JANE},"), "columns nobody knows"),
    ((f"{HEADINGS},phone", f"{JANE},902"), "two columns for phone"),
    ((f"{HEADINGS},postal_code", f"{JANE},B3H 1A1"), "two columns for postalCode"),
    ((HEADINGS, JANE + ",one more"), "Line 2 of clients.csv has another number of columns"),
    ((HEADINGS, JANE, "K7654321,John"), "Line 3 of clients.csv has another number of columns"),
    ((HEADINGS, JANE + '"open'), "cannot be read"),
    ((HEADINGS, JANE.replace("Jane", '"Ja"ne')), "cannot be read"),
)


def test_a_file_that_is_not_a_list_of_clients_is_refused_whole(
    terminal: Terminal, tmp_path: Path, database: Database, username: str
) -> None:
    for lines, said in NOT_LISTS:
        told = terminal.run("import", written(tmp_path, *lines), "--as", username)
        assert told.code == 1
        assert said in told.err, told.err
    assert database.value("select count(*) from clients") == 0


def test_a_file_that_is_no_text_is_refused(terminal: Terminal, tmp_path: Path, username: str) -> None:
    for content in (b"\xff\xfe\x00", "kNumber,firstName\nK1234567,Zoë".encode("latin-1")):
        (tmp_path / "clients.csv").write_bytes(content)
        told = terminal.run("import", tmp_path / "clients.csv", "--as", username)
        assert told.code == 1
        assert "UTF-8" in told.err
    for path in (tmp_path, tmp_path / "nowhere.csv"):
        assert "cannot be read" in terminal.run("import", path, "--as", username).err


def test_a_list_without_lines_is_no_fault(terminal: Terminal, tmp_path: Path, username: str) -> None:
    told = terminal.run("import", written(tmp_path, HEADINGS), "--as", username)
    assert (told.code, told.out.strip()) == (0, "0 saved, 0 there already, 0 refused")
    assert terminal.run("import", written(tmp_path, HEADINGS), "--as", username, "--json").json == []


def test_only_staff_may_import_and_it_is_said_once(terminal: Terminal, tmp_path: Path, database: Database) -> None:
    driver = database.person("driver").id
    name = database.value("select username from users where id = %s", driver)
    for option in ((), ("--dry-run",)):
        told = terminal.run("import", written(tmp_path, HEADINGS, JANE, JOHN), "--as", name, *option)
        assert (told.code, told.out) == (1, "")
        assert "may not add clients" in told.err
    told = terminal.run("import", written(tmp_path, HEADINGS, JANE), "--as", "nobody@example.test")
    assert "There is no active user nobody@example.test" in told.err


def test_the_demo_data_are_without_fault(terminal: Terminal, username: str) -> None:
    told = terminal.run("import", share("demo", "clients.csv"), "--as", username)
    assert told.code == 0, told.out


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    for end in ("\n", "\r\n"):
        file = written(tmp_path, HEADINGS, JANE + '"one', 'two"', "", JOHN, end=end)
        assert [number for number, _ in importing.read(file)] == [2, 5]
    with pytest.raises(Rejected, match="cannot be read"):
        importing.read(tmp_path / "nowhere.csv")
