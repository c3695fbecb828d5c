"""How to reach the server: a folder with a socket in it, never a port."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import make_conninfo

from backhaul.core.embedded.keeper import PORT, SOCKET_NAME

_LONGEST_SOCKET_PATH = 103  # bytes: the system keeps a socket's path in a field of 108 (Linux) or 104 (macOS), the last one 0


def conninfo(socket_folder: Path, database: str, user: str) -> str:
    return make_conninfo(host=str(reachable(socket_folder)), port=PORT, dbname=database, user=user, sslmode="disable")


def url(socket_folder: Path, database: str, user: str) -> str:
    who, name, host = quote(user, safe=""), quote(database, safe=""), quote(str(reachable(socket_folder)), safe="/")
    return f"postgresql://{who}@localhost:{PORT}/{name}?host={host}&sslmode=disable"


def reachable(socket_folder: Path) -> Path:
    """The folder itself, or a short plain name for it when its path is too long for a socket or would be misread (a comma)."""
    path = str(socket_folder)
    plain = path.isascii() and not set(path) & set(",;'\"\\ ")
    if plain and len(path) + len(f"/{SOCKET_NAME}") <= _LONGEST_SOCKET_PATH:
        return socket_folder
    alias = _alias(socket_folder)
    if not (alias.is_symlink() and alias.readlink() == socket_folder and alias.lstat().st_uid == os.geteuid()):
        new = alias.with_name(f"{alias.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        new.symlink_to(socket_folder)
        new.replace(alias)  # fails where somebody else has taken the name: in a shared folder only its owner may replace a file
    return alias


def forget(socket_folder: Path) -> None:
    """Remove the short name, if there is one."""
    alias = _alias(socket_folder)
    if alias.is_symlink() and alias.lstat().st_uid == os.geteuid():
        alias.unlink()


def _alias(socket_folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(socket_folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"backhaul-{os.geteuid()}-{digest}")
