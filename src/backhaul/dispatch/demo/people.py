"""The demo: six people, twelve drivers and six clinics at real places in Nova Scotia, and clients who do not exist.

Its trips are in demo/trips.py.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from backhaul.core.queries import Queries
from backhaul.core.share import share
from backhaul.core.store import Store
from backhaul.dispatch.forms import e164

PEOPLE = (
    ("admin@demo.test", "Ada Admin", "admin"),
    ("supervisor@demo.test", "Sam Supervisor", "supervisor"),
    ("agent@demo.test", "Alex Agent", "booking_agent"),
    ("agent2@demo.test", "Bo Agent", "booking_agent"),
    ("driver@demo.test", "Avery Roadly", "driver"),
    ("client@demo.test", "Adela Testwell", "client"),
)
CLIENTS = share("demo", "clients.csv")

_KNOWN = b"select count(*) as people from public.users where username = any(%(usernames)s)"
_ANY_CLIENT = b"select exists (select from public.clients) as there"
_PUT_USER = b"select private.put_user(%(username)s, %(name)s, %(role)s, %(hash)s)"


async def put_people(store: Store, password: str | None) -> str | None:
    """The demo users. Returns the password when it was made or changed just now; None when they keep the one they have."""
    known = (await store.call(_KNOWN, {"usernames": [username for username, _, _ in PEOPLE]}))["people"]
    if known and password is None:
        return None
    chosen = password or secrets.token_urlsafe(9)
    hashed = PasswordHasher().hash(chosen)
    async with store.service() as tx:  # all or none: half of them would be taken for all of them at the next start
        for username, name, role in PEOPLE:
            await tx.one(_PUT_USER, {"username": username, "name": name, "role": role, "hash": hashed})
    return chosen


async def wants_clients(store: Store) -> bool:
    """Whether there is nobody to be driven yet."""
    return not (await store.call(_ANY_CLIENT))["there"]


async def put_places(store: Store) -> None:
    """Drivers and clinics; those who are there already stay as they are."""
    drivers, destinations = Queries("drivers"), Queries("destinations")
    async with store.service() as tx:
        for row in _rows(share("demo", "drivers.csv"), "home_latitude", "home_longitude"):
            await tx.run(drivers.put, row | {"phone": e164(row["phone"])})
        for row in _rows(share("demo", "clinics.csv"), "phone"):
            await tx.run(destinations.put, row)


def _rows(file: Path, *renamed: str) -> Sequence[dict[str, Any]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [{name: value or None for name, value in row.items()} for row in csv.DictReader(lines)]
    for row in rows:
        for name in renamed:
            row.setdefault(name, row.get(name.removeprefix("home_")))
    return rows
