"""EmbeddedPostgres: what a program holds while it uses the server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import psycopg

from backhaul.core.embedded import address, binaries, keeper
from backhaul.core.embedded.account import server_account
from backhaul.core.embedded.cluster import SUPERUSER, make_cluster
from backhaul.core.embedded.databases import prepare_database
from backhaul.core.embedded.locks import POLL_S, FileLock, exclusive, is_free
from backhaul.core.embedded.trouble import why_not
from backhaul.core.errors import Problem

APPLICATION_DATABASE = "backhaul"

# What psycopg says of a server that is not up, or went down in the middle: no code at all, or one of these.
_LOST = (None, "57P01", "57P02", "57P03")

_START_TIMEOUT_S = 60.0
_TRIES = 2  # the first keeper may have been killed
_STOP_TIMEOUT_S = 30.0
_KEPT_LOG_BYTES = 1_000_000
_TAIL_BYTES = 4_000

# For one office on one small machine. What users wrote stays out of the log: it has the server's own events only, not the
# statements and values of failed queries, which the caller hears anyway.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(keeper.PORT),
    "unix_socket_directories": "../socket",
    "cluster_name": "backhaul",
    "wal_level": "logical",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
# Not synchronous_commit as well: it would save little more, and lose commits when only the server is killed.
_UNSAFE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One user's hold on the server whose files lie under `home`; the first to take hold starts it, after the last it stops.

    `fsync=False` gives up every promise about crashes of the machine, for tests. `settings` are added to the server's own;
    they count for whoever starts it. Not for use by several threads at once, and by processes one object each.
    """

    def __init__(self, home: Path, *, fsync: bool = True, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self.home = home.absolute()
        self._fsync = fsync
        self._settings = {**_SETTINGS, **({} if fsync else _UNSAFE), **settings}
        self._hold: FileLock | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self) -> Self:
        """Take hold, start the server unless it runs, and return once the application's database is there.

        To call it again is harmless, and brings back a server whose keeper was killed. Raises: Problem.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        held_before = self._hold is not None
        try:
            self._take_hold(deadline)
            with exclusive(self.home / "start.lock", deadline=deadline) as alone:
                if not alone:
                    raise _taking_too_long("Another process has been starting it all that time", self._log)
                self._ensure_ready(deadline)
        except BaseException as error:
            if not held_before:
                self._let_go()
            if isinstance(error, OSError):
                raise _cannot_use(self.home, error) from error
            raise
        return self

    def close(self) -> None:
        """Let go. If nobody else holds on, return once the server is down (or after half a minute: it goes down by itself)."""
        if self._hold is None:
            return
        self._let_go()
        if not self.home.exists():
            return  # somebody removed it under us: there is nothing to wait for
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while self._is_there() and not self._others_hold_on() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        with exclusive(self.home / "start.lock", deadline=0) as nobody_starts_it:
            if nobody_starts_it and not self._is_there():
                address.forget(self.home / "server" / "socket")

    def revive(self) -> None:
        """Start the server again if nobody keeps it any more. Costs nothing while all is well, so it may be called often."""
        if self._hold is not None and is_free(self.home / "keeper.lock"):
            self.start()

    def dsn(self, database: str = APPLICATION_DATABASE, user: str = "postgres") -> str:
        """How libpq, and so psycopg, connects. "supabase_admin" is the superuser, "postgres" the application's owner."""
        return address.conninfo(self.home / "server" / "socket", database, user)

    def url(self, database: str = APPLICATION_DATABASE, user: str = "postgres") -> str:
        """The same as a URL, for programs that take nothing else."""
        return address.url(self.home / "server" / "socket", database, user)

    def prepare_database(self, name: str) -> None:
        """Make the database `name`, or complete it: owned by "postgres", with what Supabase's SQL expects. Raises: Problem."""
        try:
            prepare_database(lambda database: self.dsn(database, SUPERUSER), name)
        except psycopg.Error as error:
            raise why_not(f"The database {name} could not be prepared", self.home, str(error), code="embedded.prepare") from error

    @property
    def programs(self) -> Path:
        """The folder with psql, pg_dump and the rest, of this server's version."""
        return binaries.installed()

    @property
    def _log(self) -> Path:
        return self.home / "server" / "server.log"

    def _take_hold(self, deadline: float) -> None:
        if self._hold is not None:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        self._hold = FileLock(self.home / "clients.lock")
        if not self._hold.acquire(shared=True, deadline=deadline):
            raise _taking_too_long("The server is still shutting down", self._log)

    def _let_go(self) -> None:
        if self._hold is not None:
            self._hold.close()
            self._hold = None

    def _is_there(self) -> bool:
        return not (is_free(self.home / "server.lock") and is_free(self.home / "keeper.lock"))

    def _others_hold_on(self) -> bool:
        """Neither nobody (the keeper will notice) nor the keeper (it has, and holds the lock alone while it stops the server)."""
        clients = self.home / "clients.lock"
        return not is_free(clients) and is_free(clients, shared=True)

    def _ensure_ready(self, deadline: float) -> None:
        log_before: int | None = None
        tries = 0
        while True:
            if is_free(self.home / "keeper.lock"):
                if tries == _TRIES:
                    raise why_not("The embedded Postgres did not start", self.home, self._said(log_before), code="embedded.start")
                log_before = self._start_keeper()
                tries += 1
            if self._serves():
                return
            if time.monotonic() > deadline:
                raise why_not(
                    "The embedded Postgres runs but does not answer", self.home, self._said(log_before), code="embedded.slow"
                )
            time.sleep(POLL_S)

    def _start_keeper(self) -> int:
        """Returns the log's size before it."""
        server = self.home / "server"
        account = server_account(server)
        programs = binaries.runnable(self.home, account)
        make_cluster(server, programs, account, fsync=self._fsync)
        if self._log.exists() and self._log.stat().st_size > _KEPT_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as log:
            if account:
                os.chown(log.fileno(), account.uid, account.gid)
            size = log.tell()
            subprocess.run(  # noqa: S603  # our own keeper
                [
                    *(sys.executable, "-I", "-S", keeper.__file__),
                    *(str(self.home), str(programs), str(account or "")),
                    *(f"{name}={value}" for name, value in self._settings.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=keeper.environment(),
                start_new_session=True,
                check=False,  # whether it took its lock says more
            )
        return size

    def _said(self, since: int | None) -> str:
        """What the log says from there on; by default, its end."""
        with self._log.open("rb") as log:
            log.seek(since if since is not None else max(0, self._log.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace")

    def _serves(self) -> bool:
        """Whether the application's database is ready for use; False while the server comes up."""
        if not keeper.says_ready(self.home / "server" / "data"):
            return False
        try:
            self.prepare_database(APPLICATION_DATABASE)
        except Problem as problem:
            lost = isinstance(problem.__cause__, psycopg.OperationalError) and problem.__cause__.sqlstate in _LOST
            if not lost:
                raise
            return False
        return True


def _taking_too_long(why: str, log: Path) -> Problem:
    return Problem(
        f"The embedded Postgres was not ready after {_START_TIMEOUT_S:.0f} seconds",
        why,
        f"Start again in a moment; if that does not help, see {log}",
        code="embedded.slow",
    )


def _cannot_use(home: Path, error: OSError) -> Problem:
    return Problem(
        f"The embedded Postgres cannot use {home}",
        f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""),
        "Make that possible, or choose another home (BACKHAUL_HOME)",
        code="embedded.home",
    )
