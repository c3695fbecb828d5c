"""`backhaul users`: for whoever runs the machine, when nobody can get to the page, or nobody can get in at all."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import select
import subprocess
import sys
from typing import Any

import httpx
import pytest

from backhaul.core.testing import Clock, Database
from tests.api_fixtures import PASSWORD, Api, refused
from tests.test_cli import Terminal, Told, terminal

__all__ = ["terminal"]  # the fixture

CHOSEN = "chosen at the terminal 5"


def audit(database: Database) -> list[dict[str, Any]]:
    return database.all(
        "select action, user_id, user_name, details, user_agent from audit_logs where role = 'system' order by seq"
    )


async def run(terminal: Terminal, *words: str) -> Told:
    """Beside the event loop, since a command has its own."""
    return await asyncio.to_thread(terminal.run, *words)


async def sign_in(api: Api, username: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/webhook/user-login", {"username": username, "password": password})


@pytest.fixture
def jane(api: Api) -> str:
    """Jane Roe's username. Somebody else is the administrator."""
    api.database.person("admin", "Ada Admin")
    return api.user("booking_agent", "Jane Roe")


# ── list ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_an_account_the_first_step_is_said(terminal: Terminal) -> None:
    assert terminal.run("users", "list").out.strip() == "No accounts. Make the first: backhaul users create-admin USERNAME"
    assert terminal.run("users", "list", "--json").json == []


async def test_accounts_are_listed_one_to_a_line_with_their_state(terminal: Terminal, api: Api, jane: str, clock: Clock) -> None:
    locked, closed, waiting = api.user("driver", "Lou"), api.user("driver", "Clo"), api.user("driver", "[bold]Wai[/]")
    for _ in range(5):
        await sign_in(api, locked, "wrong")
    await sign_in(api, jane)
    await run(terminal, "users", "deactivate", closed)
    await run(terminal, "users", "reset", waiting)
    told = await run(terminal, "users", "list")
    lines = {line.split()[0]: " ".join(line.split()) for line in told.out.splitlines()}
    assert len(told.out.splitlines()) == 6
    assert lines[jane] == f"{jane} Jane Roe booking_agent active 2026-11-23 10:00 1"
    assert lines[locked] == f"{locked} Lou driver locked until 2026-11-23 10:15 never 0"
    assert lines[closed] == f"{closed} Clo driver deactivated never 0"
    assert lines[waiting] == f"{waiting} [bold]Wai[/] driver temporary password until 2026-11-24 10:00 never 0"
    rows = {row["username"]: row for row in (await run(terminal, "users", "list", "--json")).json}
    assert (rows[jane]["open_sessions"], rows[closed]["is_active"]) == (1, False)
    assert "hash" not in str(rows)


# ── create-admin ────────────────────────────────────────────────────────────────────────────────────────────────────


def typed_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


async def test_the_first_administrator_is_made_by_a_script_and_can_sign_in(
    terminal: Terminal, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed_in(monkeypatch, f"{CHOSEN}\nmore\n")
    told = await run(terminal, "users", "create-admin", "Ada@Example.Test", "--name", "Ada First", "--password-stdin")
    assert (told.code, told.out.strip()) == (0, "Ada First is an administrator now, and signs in as ada@example.test.")
    said = (await sign_in(api, "ada@example.test", CHOSEN)).json()
    assert (said["userRole"], said["must_change_password"]) == ("admin", False)
    assert audit(api.database) == [
        {
            "action": "create_user",
            "user_id": None,
            "user_name": "system",
            "details": {"username": "ada@example.test", "role": "admin"},
            "user_agent": "backhaul users",
        }
    ]


@pytest.mark.parametrize(
    ("username", "name", "password", "told"),
    [("ada", "Ada", CHOSEN, "E-mail must be a valid address"), ("ada@example.test", " ", CHOSEN, "Full name is required"),
     ("ada@example.test", "Ada", "short", "at least 12 characters"), ("ada@example.test", "Ada", "", "at least 12 characters"),
     ("ada@example.test", "Ada", "password12345", "attackers try first")],
)  # fmt: skip
def test_what_will_not_do_is_told_by_the_rules_of_the_installation_and_nobody_is_made(
    terminal: Terminal, database: Database, monkeypatch: pytest.MonkeyPatch, username: str, name: str, password: str, told: str
) -> None:
    terminal.set(BACKHAUL_PASSWORD_LEAST="12")
    typed_in(monkeypatch, f"{password}\n")
    ended = terminal.run("users", "create-admin", username, "--name", name, "--password-stdin")
    assert (ended.code, told in ended.err) == (1, True)
    assert password == "" or password not in ended.out + ended.err
    assert database.value("select count(*) from users") == 0


async def test_a_name_that_is_taken_stays_whose_it_is(
    terminal: Terminal, api: Api, jane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed_in(monkeypatch, f"{CHOSEN}\n")
    told = await run(terminal, "users", "create-admin", jane, "--name", "X", "--password-stdin")
    assert (told.code, "Username already in use" in told.err) == (1, True)
    assert (await sign_in(api, jane)).json()["userRole"] == "booking_agent"


def test_without_a_terminal_nothing_is_asked(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    typed_in(monkeypatch, f"{CHOSEN}\n")
    told = terminal.run("users", "create-admin", "ada@example.test", "--name", "Ada")
    assert (told.code, "--password-stdin" in told.err) == (1, True)
    told = terminal.run("users", "create-admin", "ada@example.test", "--password-stdin")
    assert (told.code, "--name is needed" in told.err) == (2, True)


async def test_at_a_terminal_the_password_is_asked_for_twice_and_never_shown(terminal: Terminal, api: Api) -> None:
    typing = {"Full name": "Ada First", "Password": CHOSEN, "The same again": CHOSEN}
    shown = await asyncio.to_thread(at_a_terminal, "users", "create-admin", "ada@example.test", typing=typing)
    assert "Ada First is an administrator now" in shown
    assert CHOSEN not in shown
    assert (await sign_in(api, "ada@example.test", CHOSEN)).status_code == 200


def at_a_terminal(*words: str, typing: dict[str, str]) -> str:
    """What a real terminal shows while somebody answers each question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, "-c", _AT_HOME_HERE, *words], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = ""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        for question, answer in typing.items():
            while not shown.endswith(f"{question}: "):
                shown += _read(screen)
            os.write(ours, f"{answer}\n".encode())
            shown += "\n"
        while read := _read(screen):
            shown += read
    assert process.wait(30) == 0, shown
    return shown


def _read(screen: io.RawIOBase) -> str:
    assert select.select([screen], [], [], 60)[0], "nothing comes any more"
    try:
        return (screen.read(1024) or b"").decode()
    except OSError:  # the other side has closed it
        return ""


# Makes the terminal its own, as a shell does, so that the question for a password finds it.
_AT_HOME_HERE = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from backhaul.cli import main
main()
"""


# ── reset, unlock ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reset_prints_a_password_once_that_is_good_for_choosing_ones_own(terminal: Terminal, api: Api, jane: str) -> None:
    token = (await sign_in(api, jane)).json()["access_token"]
    told = await run(terminal, "users", "reset", jane.upper())
    first, password = told.out.splitlines()
    assert first == "Jane Roe is signed out everywhere. Temporary password, good until 2026-11-24 10:00:"
    refused(await api.get("/webhook/get-clients", by=token), 401, "session.ended")
    refused(await sign_in(api, jane), 403, "credentials")
    limited = (await sign_in(api, jane, password.strip())).json()["limited_token"]
    body = {"current_password": password.strip(), "new_password": CHOSEN, "confirm_password": CHOSEN}
    assert (await api.post("/webhook/change-password", body, by=limited)).status_code == 200
    (entry,) = audit(api.database)
    assert (entry["action"], entry["details"]) == ("reset_password", {"username": jane, "sessions_ended": 1})
    assert password.strip() not in str(entry)


async def test_somebody_locked_out_may_try_again(terminal: Terminal, api: Api, jane: str) -> None:
    for _ in range(5):
        await sign_in(api, jane, "wrong")
    refused(await sign_in(api, jane), 423)
    assert (await run(terminal, "users", "unlock", jane)).out.strip() == "Jane Roe may try again at once."
    assert (await sign_in(api, jane)).status_code == 200
    assert (await run(terminal, "users", "unlock", jane)).out.strip() == "Jane Roe was not locked out."
    assert [entry["action"] for entry in audit(api.database)] == ["unlock_user"]


# ── deactivate, activate, sign-out ──────────────────────────────────────────────────────────────────────────────────


async def test_a_leaver_is_out_at_once_and_may_come_back(terminal: Terminal, api: Api, jane: str) -> None:
    token = (await sign_in(api, jane)).json()["access_token"]
    assert (await run(terminal, "users", "deactivate", jane)).out.strip() == "Jane Roe's account is deactivated now."
    refused(await api.get("/webhook/get-clients", by=token), 401, "disabled")
    assert (await run(terminal, "users", "deactivate", jane)).out.strip() == "Jane Roe's account was deactivated already."
    told = await run(terminal, "users", "reset", jane)
    assert (told.code, "Activate the account first" in told.err) == (1, True)
    assert (await run(terminal, "users", "activate", jane)).out.strip() == "Jane Roe's account is active now."
    assert (await sign_in(api, jane)).status_code == 200
    assert [entry["action"] for entry in audit(api.database)] == ["deactivate_user", "update_user"]


def test_the_last_administrator_stays_and_it_is_said_why(terminal: Terminal, database: Database) -> None:
    admin = database.person("admin", "Ada Admin")
    username = database.value("select username from users where id = %s", admin.id)
    told = terminal.run("users", "deactivate", username)
    assert told.code == 1
    assert told.err.splitlines() == [
        "This is the last administrator",
        "  Without one, nobody could manage users any more.",
        "  Make somebody else an administrator first.",
    ]
    assert audit(database) == []


async def test_one_person_or_everybody_is_signed_out(terminal: Terminal, api: Api, jane: str) -> None:
    await sign_in(api, jane)
    await sign_in(api, jane)
    assert (await run(terminal, "users", "sign-out", jane)).out.strip() == "Jane Roe: 2 sessions ended."
    assert (await run(terminal, "users", "sign-out", jane)).out.strip() == "Jane Roe: 0 sessions ended."
    assert (await run(terminal, "users", "sign-out", "--everybody")).out.strip() == "1 session ended."  # Ada's
    assert [entry["action"] for entry in audit(api.database)] == ["end_user_sessions", "end_all_sessions"]
    for words in ((), (jane, "--everybody")):
        assert (await run(terminal, "users", "sign-out", *words)).code == 2


@pytest.mark.parametrize("command", ["reset", "unlock", "deactivate", "activate", "sign-out"])
def test_somebody_whom_nobody_knows_is_said_to_be_unknown(terminal: Terminal, command: str) -> None:
    told = terminal.run("users", command, "nobody@example.test")
    assert (told.code, "There is no such user" in told.err) == (1, True)
