"""`backhaul users`: accounts, for whoever runs the machine. What is done here is written down as done by "system"."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from backhaul.cli.shared import Json, new_table, out, print_json, print_table, read_settings, say, with_store
from backhaul.core.errors import Problem, Rejected
from backhaul.core.passwords import Passwords, temporary_password
from backhaul.core.store import Row, Store, Tx
from backhaul.dispatch.accounts import users as accounts
from backhaul.dispatch.forms import rejected
from backhaul.dispatch.office import OFFICE_TIME

Username = Annotated[str, typer.Argument(metavar="USERNAME", help="The e-mail address they sign in with.")]

users = typer.Typer(
    help=(
        "Look after accounts: administrators do it on the page Users; these are for when nobody can get there.\n\n"
        "An account is deactivated and activated, never removed. Everything done here is in the audit log, by system."
    ),
    no_args_is_help=True,
)


@users.command("list")
def list_(as_json: Json = False) -> None:
    """List all accounts by name: role, state, last sign-in (office time) and how many sessions are open."""

    async def run(store: Store) -> list[Row]:
        async with store.service() as tx:
            return await accounts.everybody(tx)

    rows = with_store(run)
    if as_json:
        print_json(rows)
    elif not rows:
        out.print("No accounts. Make the first: backhaul users create-admin USERNAME")
    else:
        table = new_table("username", "name", "role", "state", "last sign-in", "sessions")
        for row in rows:
            shown = (row["username"], row["full_name"], row["role"], _state(row), _when(row["last_login"]), row["open_sessions"])
            table.add_row(*(Text(str(cell)) for cell in shown))
        print_table(table)


@users.command("create-admin")
def create_admin(
    username: Username,
    name: Annotated[str | None, typer.Option("--name", help="Their full name; asked for unless it is given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, one line, and ask nothing.")
    ] = False,
) -> None:
    """Create an administrator, who can then create everybody else on the page Users.

    Asks for the password twice, without showing it; it must meet the rules of this installation.

    An account that exists already gets a new password by `backhaul users reset`.
    """
    if name is None:
        if password_stdin:
            raise typer.BadParameter("Nothing is asked with --password-stdin, so --name is needed too.")
        name = str(typer.prompt("Full name", err=True))
    try:
        form = accounts.NewUser.model_validate({"username": username, "full_name": name, "role": "admin"})
    except ValidationError as error:
        raise rejected(error, accounts.NewUser) from None
    password = _password_of_stdin() if password_stdin else _password_typed()
    faults = accounts.password_rules(read_settings()).faults(password, (form.username, form.full_name))
    if faults:
        raise Rejected(faults[0], "", "Choose another one")

    async def run(store: Store) -> None:
        hashed = await Passwords().hash(password)
        async with store.service() as tx:
            user_id = await accounts.insert(tx, form)
            await accounts.set_own_password(tx, user_id, hashed)
            await accounts.note_by_system(tx, "create_user", user_id, {"username": form.username, "role": form.role})

    with_store(run)
    say(f"{form.full_name} is an administrator now, and signs in as {form.username}.")


@users.command()
def reset(username: Username) -> None:
    """Take somebody's password away, and print a temporary one to tell them: for who cannot get mail.

    They are signed out everywhere, and no longer locked out.

    The temporary password is shown once. It is good for 24 hours, and for nothing but choosing their own.
    """

    async def act(tx: Tx, user: accounts.User) -> str:
        accounts.must_be_active(user)
        ended = await accounts.take_password(tx, user.id)
        password = temporary_password()
        until = await accounts.give_temporary_password(tx, user.id, password)
        await accounts.note_by_system(tx, "reset_password", user.id, {"username": user.username, "sessions_ended": ended})
        return f"{user.full_name} is signed out everywhere. Temporary password, good until {_when(until)}:\n  {password}"

    say(_with_user(username, act))


@users.command()
def unlock(username: Username) -> None:
    """Let somebody who is locked out after wrong passwords try again at once."""

    async def act(tx: Tx, user: accounts.User) -> str:
        if not await accounts.unlock(tx, user.id):
            return f"{user.full_name} was not locked out."
        await accounts.note_by_system(tx, "unlock_user", user.id, {"username": user.username})
        return f"{user.full_name} may try again at once."

    say(_with_user(username, act))


@users.command()
def deactivate(username: Username) -> None:
    """Deactivate somebody's account: they are signed out at once, and stay out until it is activated."""
    say(_with_user(username, lambda tx, user: _set_active(tx, user, is_active=False)))


@users.command()
def activate(username: Username) -> None:
    """Let somebody in again whose account was deactivated, with the password they had."""
    say(_with_user(username, lambda tx, user: _set_active(tx, user, is_active=True)))


@users.command("sign-out")
def sign_out(
    username: Annotated[str | None, typer.Argument(metavar="USERNAME", help="The e-mail address they sign in with.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Everybody, on every device.")] = False,
) -> None:
    """End every session of one person, or of everybody, at once. They may sign in again."""
    if (username is None) != everybody:
        raise typer.BadParameter("Name one USERNAME, or say --everybody.")

    async def one(tx: Tx, user: accounts.User) -> str:
        ended = await accounts.sign_out(tx, user.id)
        if ended:
            await accounts.note_by_system(tx, "end_user_sessions", user.id, {"username": user.username, "sessions_ended": ended})
        return f"{user.full_name}: {_sessions(ended)} ended."

    async def all_of_them(store: Store) -> int:
        async with store.service() as tx:
            ended = await accounts.sign_out_everybody(tx)
            await accounts.note_by_system(tx, "end_all_sessions", None, {"sessions_ended": ended})
        return ended

    say(f"{_sessions(with_store(all_of_them))} ended." if username is None else _with_user(username, one))


async def _set_active(tx: Tx, user: accounts.User, *, is_active: bool) -> str:
    changed, _ = await accounts.change(tx, user.id, {"is_active": is_active})
    state = "active" if is_active else "deactivated"
    if not changed:
        return f"{user.full_name}'s account was {state} already."
    action = "update_user" if is_active else "deactivate_user"
    await accounts.note_by_system(tx, action, user.id, {"username": user.username, "fields_updated": changed})
    return f"{user.full_name}'s account is {state} now."


def _with_user(username: str, act: Callable[[Tx, accounts.User], Awaitable[str]]) -> str:
    """Does it in one commit, with the note of it. Returns what is to be said once it is done."""

    async def run(store: Store) -> str:
        async with store.service() as tx:
            return await act(tx, await accounts.find(tx, username=username))

    return with_store(run)


def _password_of_stdin() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _password_typed() -> str:
    if not sys.stdin.isatty():
        raise Problem(
            "There is nobody to ask for the password", "Standard input is no terminal", "Give it by: --password-stdin < file"
        )
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    return typed


def _state(row: Row) -> str:
    if not row["is_active"]:
        return "deactivated"
    if row["locked_until"]:
        return f"locked until {_when(row['locked_until'])}"
    if row["must_change_password"]:
        until = row["temporary_until"]
        return f"temporary password until {_when(until)}" if until else "no password yet"
    return "active"


def _when(moment: datetime | None) -> str:
    return f"{moment.astimezone(OFFICE_TIME):%Y-%m-%d %H:%M}" if moment else "never"


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
