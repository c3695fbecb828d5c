"""How the installation is: each service outside, the queue by lane, the schedules, the settings in use; with what to do about it.

All of it is read from the database, where workers write down how they fare; nothing outside is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backhaul.core import audit_chain
from backhaul.core.health import LATE_S
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row
from backhaul.dispatch.outside import limits_of, service_names
from backhaul.dispatch.settings import Settings
from backhaul.dispatch.wall_time import office

_sql = Queries("system")
NOW = _sql.now


@dataclass(frozen=True, slots=True)
class Word:
    """How something stands: well, waiting, unwell, off, or unasked (nobody knows). todo: what a person is to do."""

    state: str
    what: str
    todo: str = ""

    @property
    def told(self) -> Row:
        return {"state": self.state, "what": self.what, "todo": self.todo}


async def health(db: Db, settings: Settings, lanes: set[str]) -> dict[str, Any]:
    """For the page. db: the house's own. lanes: those that our task types name."""
    now = (await db.one(_sql.now) or {})["now"]
    workers = await db.all(_sql.workers)
    rows = {row["lane"]: row for row in await db.all(_sql.lanes)}
    names = {name: label for name, (label, _) in service_names(settings).items()} | {"inner": "Inner work"}
    foreign = {row["lane"]: row["worked_by"] for row in await db.all(_sql.foreign_lanes)}
    return {
        "now": now,
        "services": [_service(row, settings, now) for row in await _services(db, settings)],
        "workers": {"alive": workers, **_workers(len(workers)).told},
        "lanes": [
            _lane(lane, rows.get(lane, {}), foreign.get(lane)) | {"label": names.get(lane, lane)}
            for lane in sorted(lanes | set(rows) | set(foreign))
        ],
        "schedules": [row | _schedule(row).told for row in await db.all(_sql.schedules)],
        "audit": await _audit(db),
        "settings": in_use(settings),
    }


def in_use(settings: Settings) -> list[Row]:
    """Every setting of the installation, what it is and where it came from. Of a secret only that it is set."""
    home = {"name": "home", "value": str(settings.home), "source": "BACKHAUL_HOME or default", "env": "BACKHAUL_HOME"}
    rows = [home | {"help": "Where all state lies"}]
    for name, one in settings.found.items():
        value = ("yes" if one.value else "no") if isinstance(one.value, bool) else one.shown
        rows.append({"name": name, "value": value, "source": one.source, "env": one.setting.env, "help": one.setting.help})
    return rows


async def figures(db: Db) -> Row:
    """How much there is of everything. db: the house's own."""
    return await db.one(_sql.figures) or {}


async def log(db: Db, *, limit: int) -> list[Row]:
    """Failures and schedules of the last week, newest first."""
    return await db.all(_sql.log, {"limit": limit})


# ── Services ──


async def _services(db: Db, settings: Settings) -> list[Row]:
    """Also those that no worker has written down yet."""
    seen = {row["name"]: row for row in await db.all(_sql.services)}
    unseen = dict.fromkeys(("answered_at", "failed_at", "failed_because", "held_since", "held_until", "held_because"))
    return [seen.get(limit.service) or unseen | {"name": limit.service} for limit in limits_of(settings)]


def _service(row: Row, settings: Settings, now: datetime) -> Row:
    name, is_set = service_names(settings)[row["name"]]
    return row | {"label": name, **_judged(row, is_set, now).told}


def _judged(row: Mapping[str, Any], is_set: bool, now: datetime) -> Word:
    if row["held_until"] is not None:
        again = f"it is asked again at {office(max(row['held_until'], now)):%H:%M:%S}"
        return Word(
            "unwell",
            f"On hold since {office(row['held_since']):%H:%M}: {row['held_because']}",
            f"Its tasks wait at no cost, and {again}. Where a key, a bill or a setting is named, an administrator corrects it;"
            " a retry of one failed task then asks at once",
        )
    if not is_set:
        return Word("off", "Not set, so nothing is asked of it", "Set its key or address in the installation's settings")
    if row["failed_at"] is not None and (row["answered_at"] is None or row["failed_at"] > row["answered_at"]):
        return Word(
            "unwell",
            str(row["failed_because"]),
            "See the failed tasks for what to do; “Ask them all now” tells whether it is over",
        )
    if row["answered_at"] is None:
        return Word("unasked", "Nobody has needed it yet")
    return Word("well", "It answers")


# ── The queue ──


def _workers(alive: int) -> Word:
    if alive == 0:
        return Word("unwell", "No worker is alive: nothing is done in the background", "Start one: backhaul worker")
    return Word("well", f"{alive} alive")


def _lane(lane: str, row: Mapping[str, Any], foreign: str | None) -> Row:
    counts = {name: row.get(name, 0) for name in ("waiting", "later", "running", "failed")}
    oldest = row.get("oldest_s")
    if oldest is not None and oldest > LATE_S:
        todo = (
            f"Look into {foreign}, which works on it"
            if foreign
            else "Start more workers, or see above whether a service is on hold"
        )
        word = Word("unwell", f"The oldest has waited {_minutes(oldest)}", todo)
    else:
        word = Word("waiting" if counts["waiting"] or counts["running"] else "well", "At work" if counts["running"] else "")
    return {"lane": lane, "worked_by": foreign, "oldest_s": oldest, **counts, **word.told}


def _minutes(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"


# ── The audit log ──


async def _audit(db: Db) -> Row:
    """How the chain of the audit log stood at the last daily check, and when it was last whole."""
    whole, last = await audit_chain.last_whole(db), await audit_chain.last_daily(db)
    told = {"whole_at": whole and whole["checked_at"], "entries": whole and whole["entries"]}
    if last is None:
        return told | Word("unasked", "Its chain has not been checked yet; that is done each day").told
    if last["why"] is not None:
        which = f"Entry {last['broken_seq']}: " if last["broken_seq"] else ""
        todo = "Change nothing, and compare it with a backup: docs/operations.md, The audit log"
        return told | Word("unwell", f"It is not as it was sealed. {which}{last['why'].rstrip('.')}", todo).told
    return told | Word("well", "All of it is as it was sealed").told


# ── Schedules ──


def _schedule(row: Mapping[str, Any]) -> Word:
    if row["last_status"] == "failed":
        return Word("unwell", str(row["last_error"]), "See the failed tasks: what to do, and the retry, are there")
    return Word("well", "Under way" if row["last_status"] in ("pending", "processing") else "")
