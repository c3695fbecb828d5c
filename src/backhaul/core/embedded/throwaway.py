"""A server for one test run or one measurement."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from backhaul.core.embedded.locks import is_free
from backhaul.core.embedded.server import EmbeddedPostgres

_MEMORY = Path("/dev/shm")  # noqa: S108  # each run makes a closed folder of its own in it
_MEMORY_NEEDED_BYTES = 1_000_000_000
_PREFIX = "backhaul-throwaway-"
_SETTLED_S = 60.0


@contextmanager
def throwaway_postgres(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[EmbeddedPostgres]:
    """A server of one's own: in memory where there is enough of it, without fsync, gone afterwards."""
    in_memory = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED_BYTES
    parent = _MEMORY if in_memory else Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        with EmbeddedPostgres(home, fsync=False, settings=settings) as postgres:
            yield postgres
    finally:
        shutil.rmtree(home)


def _remove_abandoned(parent: Path) -> None:
    """Folders of runs that were killed. Their servers have stopped by themselves."""
    for home in parent.glob(f"{_PREFIX}*"):
        try:
            about = home.stat()
            settled = about.st_uid == os.geteuid() and time.time() - about.st_mtime > _SETTLED_S
            if settled and is_free(home / "clients.lock") and is_free(home / "server.lock"):
                shutil.rmtree(home)
        except FileNotFoundError:
            continue  # another run is removing it too
