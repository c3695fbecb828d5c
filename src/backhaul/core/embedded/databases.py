"""Databases on a server of our own: created, and given what SQL written for Supabase expects to find."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from backhaul.core.share import share

# Any number will do, as long as nothing else on this server locks it: "prep" in ASCII.
_PREPARING = 0x70726570


def prepare_database(dsn: Callable[[str], str], name: str) -> None:
    """Create the database `name` unless it is there, owned by `postgres`, and apply the shim unless it has.

    `dsn` gives the superuser's way into a database. Safe to repeat after a crash at any point, and to call from many processes.
    """
    shim = shim_file().read_text(encoding="utf-8")
    applied = f"plain_postgres_shim.sql, sha256 {hashlib.sha256(shim.encode()).hexdigest()}"
    with psycopg.connect(dsn("postgres"), autocommit=True) as server:
        # Roles belong to the server but an advisory lock to one database: everybody takes this one, until the connection closes.
        server.execute("select pg_advisory_lock(%s)", (_PREPARING,))
        if server.execute("select from pg_database where datname = %s", (name,)).fetchone() is None:
            server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        with psycopg.connect(dsn(name)) as database:
            found = database.execute("select obj_description(to_regnamespace('auth'), 'pg_namespace')").fetchone()
            if found != (applied,):
                database.execute("set local client_min_messages = warning")
                database.execute(shim.encode())
                database.execute(sql.SQL("comment on schema auth is {}").format(applied))


def shim_file() -> Path:
    return share("sql", "plain_postgres_shim.sql")
