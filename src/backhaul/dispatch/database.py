"""The database of an installation: the one DATABASE_URL names, or an embedded one under its home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from backhaul.core.embedded import EmbeddedPostgres
from backhaul.dispatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach it. owner: may change the schema. login: owns nothing, and says at each step for whom it acts."""

    owner: str
    login: str
    embedded: bool
    revive: Callable[[], object] = lambda: None  # brings an embedded server back whose keeper was killed


@contextmanager
def database(settings: Settings) -> Iterator[Access]:
    """Holds the database while it is needed: the embedded one starts with its first user and stops after its last."""
    url = settings["database_url"]
    if url:
        yield Access(url, url, embedded=False)
        return
    with EmbeddedPostgres(settings.home / "postgres") as postgres:
        yield Access(postgres.dsn(), postgres.dsn(user="authenticator"), embedded=True, revive=postgres.revive)
