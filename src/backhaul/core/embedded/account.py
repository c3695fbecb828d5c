"""Who the server runs as. Postgres refuses root, so root lends it an account that owns nothing else."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backhaul.core.embedded import keeper
from backhaul.core.errors import Problem


@dataclass(frozen=True)
class Account:
    """An operating-system account other than our own."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    def __str__(self) -> str:
        """As the keeper takes it."""
        return f"{self.uid}:{self.gid}"


def server_account(server_folder: Path) -> Account | None:
    """The account to run the server as; None for our own.

    As root that is the owner of files already there (an ordinary user's home, visited by root), or else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise Problem(
            "The embedded Postgres cannot be started by root",
            "Postgres refuses to run as root",
            "Run as an ordinary user, or set DATABASE_URL",
            code="embedded.root",
        )
    try:
        owner = server_folder.stat()
    except FileNotFoundError:
        owner = None
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise Problem(
            "The embedded Postgres cannot be started by root",
            "Postgres refuses to run as root, and this system has no account called nobody to run it as",
            "Run as an ordinary user, or set DATABASE_URL",
            code="embedded.root",
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def run_as(account: Account | None) -> dict[str, Any]:
    """Arguments for subprocess that start a program under that account."""
    return keeper.run_as(str(account or ""))
