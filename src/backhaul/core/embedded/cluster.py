"""The server's files: made once, complete or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from backhaul.core.embedded import binaries
from backhaul.core.embedded.account import Account, run_as
from backhaul.core.embedded.keeper import data_argument, environment
from backhaul.core.embedded.trouble import why_not
from backhaul.core.errors import Problem

SUPERUSER = "supabase_admin"

_INITDB = (
    f"--username={SUPERUSER}",
    "--auth=trust",  # the folder of its socket is closed to everybody else
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)


def make_cluster(server: Path, programs: Path, account: Account | None, *, fsync: bool) -> None:
    """Make `server`/data and `server`/socket where they are missing. Call it under start.lock, with no keeper at work."""
    _make_folder(server, account)
    _make_folder(server / "socket", account)
    for unfinished in server.glob("data.new*"):
        shutil.rmtree(unfinished, ignore_errors=True)  # a starter was killed; what cannot be removed now is in nobody's way
    data = server / "data"
    if data.exists():
        _require_same_major(data)
        return
    new = server / f"data.new.{os.getpid()}"
    _make_folder(new, account)
    initdb = subprocess.run(  # noqa: S603  # a program of the wheel
        [programs / "initdb", "-D", data_argument(new), *_INITDB, *(() if fsync else ("--no-sync",))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=new,
        env=environment(),
        check=False,
        **run_as(account),
    )
    if initdb.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise why_not("The embedded Postgres could not make its files", server, initdb.stdout, code="embedded.initdb")
    new.rename(data)
    if fsync:
        _sync_folder(server)


def _make_folder(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if account and folder.stat().st_uid != account.uid:
        os.chown(folder, account.uid, account.gid)


def _require_same_major(data: Path) -> None:
    made_by = int((data / "PG_VERSION").read_text())
    if made_by != (ours := binaries.major_version()):
        raise Problem(
            f"The database in {data} cannot be opened",
            f"Postgres {made_by} made it, and Postgres {ours} is installed now",
            f"Install the package's version {made_by} again, or dump the database with it and load the dump into an empty folder",
            code="embedded.version",
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
