"""`backhaul up`: the whole product from one command.

Database, schema, stand-ins, worker, API and demo data, as one family of processes.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from backhaul.core.embedded import FileLock
from backhaul.core.errors import Problem
from backhaul.core.family import START_S, Family, Say
from backhaul.core.migrations import migrate
from backhaul.core.share import share
from backhaul.core.store import Store
from backhaul.dispatch.accounts import first_admin
from backhaul.dispatch.clients import importing
from backhaul.dispatch.database import Access, database
from backhaul.dispatch.demo import people, trips
from backhaul.dispatch.messages.kept_mail import KeptMail
from backhaul.dispatch.outside import stand_in_names
from backhaul.dispatch.settings import Settings


def up(settings: Settings, *, stand_ins: bool, with_demo: bool, say: Say) -> None:
    """Starts everything, says where it is, and stops everything on Ctrl-C or SIGTERM. Raises: Problem."""
    _make_sure_of_port(settings["host"], settings["port"])
    family = Family(settings.home / "logs")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: family.stopping.set())
    with _alone(settings.home), database(settings) as access:
        mail = _kept_mail(settings, stand_ins, say)
        applied = migrate(access.owner, share("supabase", "migrations"))
        say(f"schema: {len(applied)} migrations applied" if applied else "schema: up to date")
        try:
            _start(family, settings, access, stand_ins, say, with_demo=with_demo)

            def look_after() -> None:
                access.revive()
                if mail is not None:
                    mail.look_now_and_then()

            family.watch(say, also=look_after)
        finally:
            say("stopping …")
            family.stop()
            settings.stand_ins_file.unlink(missing_ok=True)
    say("stopped")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One at a time for each home: two would fight over the stand-ins. The kernel gives the lock back however we end."""
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "up.lock")
    try:
        if not lock.try_acquire(shared=False):
            raise Problem(
                f"Backhaul runs already, with its state in {home}",
                "Another `backhaul up` holds it",
                "Stop that one, or give this one a home of its own: BACKHAUL_HOME",
                code="up.running",
            )
        yield
    finally:
        lock.close()


def _make_sure_of_port(host: str, port: int) -> None:
    """Before anything is started: most often the port is taken by a Backhaul that runs already."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise Problem(
            f"Nothing can listen on {host}, port {port}",
            f"{error.strerror}; perhaps another `backhaul up` runs already",
            "Stop it, or choose another port: backhaul up --port 8081, or BACKHAUL_PORT",
            code="up.port",
        ) from error


def _start(family: Family, settings: Settings, access: Access, stand_ins: bool, say: Say, *, with_demo: bool) -> None:
    env = {"BACKHAUL_HOME": str(settings.home), "BACKHAUL_DEMO": "yes" if with_demo else "no"}
    if stand_ins:
        env["BACKHAUL_STAND_INS"] = _start_stand_ins(family, settings, say)
    password = asyncio.run(_demo(access, settings["demo_password"])) if with_demo else None
    try:
        command = [sys.executable, "-m", "backhaul", "serve", "--port", str(settings["port"]), "--until-stdin-closes"]
        address = family.start("api", command, env)
        env["BACKHAUL_PUBLIC_URL"] = settings["public_url"] or address  # for links in mails; only the API knows a free port
        family.start("worker", [sys.executable, "-m", "backhaul", "worker", "--until-stdin-closes"], env)
        _wait_until_well(address, family)
    except Problem:
        if with_demo:
            _say_how_to_sign_in(say, password)  # it is never shown again
        raise
    if family.stopping.is_set():
        return
    say(f"ready {address}")
    if with_demo:
        _say_how_to_sign_in(say, password)
    else:
        _say_how_to_begin(say, access, env["BACKHAUL_PUBLIC_URL"])
    say(f"state and logs: {settings.home} · Ctrl-C stops all of it")


def _start_stand_ins(family: Family, settings: Settings, say: Say) -> str:
    """The address is only for us, so any free port serves."""
    home = settings.home / "stand-ins"
    command = [sys.executable, "-m", "backhaul.sandbox", "--port", "0", "--home", str(home), "--until-stdin-closes"]
    address = family.start("stand-ins", command, {})
    settings.stand_ins_file.write_text(address, "utf-8")  # where other commands on this home find them
    say(f"stand-ins for {', '.join(stand_in_names(settings))}: {address} (nothing leaves this machine)")
    return address


def _kept_mail(settings: Settings, stand_ins: bool, say: Say) -> KeptMail | None:
    """What is to be shown here; None where mails are really sent."""
    if stand_ins or settings["stand_ins"]:
        return KeptMail(settings.home / "stand-ins" / "mail", say)
    return None if settings["smtp_url"] else KeptMail(settings.mail_folder, say)


async def _demo(access: Access, password: str | None) -> str | None:
    store = Store(access.login, at_least=1, at_most=2)
    await store.open()
    try:
        made = await people.put_people(store, password)
        await people.put_places(store)
        if await people.wants_clients(store):
            async with importing.acting_as(store, "agent@demo.test") as agent:
                await importing.import_clients(store, importing.read(people.CLIENTS), agent)
        await trips.put_trips(store)
    finally:
        await store.close()
    return made


def _say_how_to_sign_in(say: Say, password: str | None) -> None:
    say("sign in as " + ", ".join(person[0] for person in people.PEOPLE))
    if password is not None:
        say(f"password: {password}   (shown once; BACKHAUL_DEMO_PASSWORD sets another)")
    else:
        say("password: the one shown at the first start; BACKHAUL_DEMO_PASSWORD sets another")


def _say_how_to_begin(say: Say, access: Access, portal_url: str) -> None:
    """Nobody can sign in to a new installation, and no account of ours with a known password lies about in it."""

    async def make() -> str | None:
        store = Store(access.login, at_least=1, at_most=2)
        await store.open()
        try:
            return await first_admin.setup_link(store, portal_url)
        finally:
            await store.close()

    link = asyncio.run(make())
    if link is not None:
        say("nobody can sign in yet. Make the first administrator here, within 24 hours; the link works once:")
        say(link)
        say("lost it? Start Backhaul again for another, or use: backhaul users create-admin")


def _wait_until_well(address: str, family: Family) -> None:
    deadline = time.monotonic() + START_S
    last = ""
    while time.monotonic() < deadline and not family.stopping.is_set():
        try:
            answer = httpx.get(f"{address}/health/ready", timeout=2, trust_env=False)
        except httpx.HTTPError as error:
            last = type(error).__name__
        else:
            if answer.status_code == 200:
                return
            last = "; ".join(f"{name}: {check['what']}" for name, check in answer.json()["checks"].items() if not check["ok"])
        time.sleep(0.1)
    if not family.stopping.is_set():
        raise Problem("Backhaul did not become ready", last, "See the logs under its home", code="up.ready")
