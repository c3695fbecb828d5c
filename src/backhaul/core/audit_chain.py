"""Whether the audit log is as it was sealed: the chain walked in parts, and the first broken entry named in words.

What counts as broken is decided in sql/audit_logs_schema.sql. Each part is one short statement, so that neither a database that
ends long ones nor anybody who writes meanwhile is held up; `Progress` hears of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backhaul.core.errors import Conflict
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx

Progress = Callable[[int, int], object]  # entries looked at so far, and of how many

_ONE_AT_A_TIME = b"select pg_try_advisory_xact_lock(hashtext('backhaul.verify_audit_logs')) as mine"
_COUNT = b"select * from private.count_audit_logs()"
_ENTRIES = b"select * from private.verify_audit_entries(%(after)s)"
_SEALS = b"select * from private.verify_audit_seals(%(after)s, %(previous)s, p_kept => %(kept)s)"
_sql = Queries("audit")
_ENTRY = b"select seq, created_at, user_name, role, action from public.audit_logs where seq = %(seq)s"


REWRITTEN = (
    "The chain does not hold the digest that was kept: it was rewritten whole, or its end was cut off, since that digest"
    " was noted."
)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was sealed. Of one that was removed only its number and `sealed_at` are left."""

    seq: int
    why: str
    sealed_at: datetime | None = None
    created_at: datetime | None = None
    user_name: str | None = None
    role: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk of the chain found.

    sealed, unsealed: how many entries were under a seal, and how many waited for theirs.
    digest: the last of the chain, as hexadecimal digits. Kept elsewhere, it proves later that all before it is still the same;
    None while nothing is sealed, and where the chain is broken.
    kept_seal: the number of the seal whose digest was given to be looked for; None when the chain does not hold it.
    """

    sealed: int
    unsealed: int
    broken: Broken | None
    last_seal: int | None
    digest: str | None
    kept: str | None = None
    kept_seal: int | None = None

    @property
    def well(self) -> bool:
        return self.broken is None and (self.kept is None or self.kept_seal is not None)

    def told(self) -> dict[str, Any]:
        """For the wire and for scripts."""
        names = ("well", "sealed", "unsealed", "last_seal", "digest", "broken")
        return {name: getattr(self, name) for name in names}


async def verify(tx: Db, *, kept: bytes | None = None, progress: Progress = lambda _, __: None) -> Verdict:
    """Walks the whole chain, as the house itself; one transaction for all parts or one for each are alike.

    kept: a digest of an earlier walk that it must still hold.
    """
    count = await _row(tx, _COUNT)
    sealed, unsealed = int(count["sealed"]), int(count["unsealed"])
    found = await _walk_entries(tx, sealed, progress)
    last, kept_seal = None, None
    if found["broken_seq"] is None:
        found, kept_seal = await _walk_seals(tx, kept)
        last = found if found["broken_seq"] is None and found["last_seal"] is not None else None
    return Verdict(
        sealed=sealed,
        unsealed=unsealed,
        broken=None if found["broken_seq"] is None else await _named(tx, found),
        last_seal=last["last_seal"] if last else None,
        digest=last["digest"].hex() if last else None,
        kept=None if kept is None else kept.hex(),
        kept_seal=kept_seal,
    )


async def daily(db: Db) -> Verdict:
    """Walks the whole chain and keeps what was found. It must still hold the digest of the last time it was whole.

    Only what is new would be cheaper, but an old entry that is changed today would stay unseen.
    """
    before = await last_whole(db)
    verdict = await verify(db, kept=before["digest"] if before else None)
    found = {
        "entries": verdict.sealed,
        "last_seal": verdict.last_seal if verdict.well else None,
        "digest": bytes.fromhex(verdict.digest) if verdict.well and verdict.digest else None,
        "broken_seq": verdict.broken.seq if verdict.broken else None,
        "why": None if verdict.well else verdict.broken.why if verdict.broken else REWRITTEN,
    }
    await db.one(_sql.note_check, found)
    return verdict


async def last_whole(db: Db) -> Row | None:
    """When a daily check last found the chain whole: {checked_at, entries, digest}; None before the first."""
    return await db.one(_sql.last_whole_check)


async def last_daily(db: Db) -> Row | None:
    """What the last daily check found: {checked_at, broken_seq, why}; why: None where all was as it was sealed."""
    return await db.one(_sql.last_check)


async def alone(tx: Tx) -> None:
    """Until the transaction ends nobody else gets past here. Raises: Conflict, at once, when somebody is."""
    if not (await tx.one(_ONE_AT_A_TIME) or {})["mine"]:
        raise Conflict(
            "The audit log is being checked right now",
            "Somebody else has asked for it, and one check at a time is enough",
            "Try again in a minute",
            code="audit.busy",
        )


def in_words(verdict: Verdict, *, when: Callable[[datetime], str], action: Callable[[str], str]) -> str:
    """The verdict for people. when: how a moment is written; action: what an action is called."""
    if verdict.broken is not None:
        return _broken_in_words(verdict.broken, when, action)
    if not verdict.well:
        return REWRITTEN
    if not verdict.sealed:
        return "Nothing has been sealed yet."
    return f"All is as it was sealed: {verdict.sealed:,} {'entry' if verdict.sealed == 1 else 'entries'}."


def _broken_in_words(broken: Broken, when: Callable[[datetime], str], action: Callable[[str], str]) -> str:
    told = f"Entry {broken.seq}"
    if broken.created_at is not None:
        told += f" of {when(broken.created_at)}, {broken.user_name} ({broken.role}), “{action(str(broken.action))}”"
    if broken.sealed_at is not None:
        told += f", sealed {when(broken.sealed_at)}"
    return f"{told}: {broken.why}"


async def _walk_entries(tx: Db, sealed: int, progress: Progress) -> Row:
    """The last part looked at: the one with the first broken entry, or the end."""
    looked_at, after = 0, None
    while True:
        found = await _row(tx, _ENTRIES, after=after)
        looked_at, after = looked_at + found["checked"], found["up_to"]
        progress(looked_at, max(looked_at, sealed))
        if found["broken_seq"] is not None or after is None:
            return found


async def _walk_seals(tx: Db, kept: bytes | None) -> tuple[Row, int | None]:
    """The last part looked at, and the number of the seal whose digest is `kept`."""
    after, previous, kept_seal = None, b"", None
    while True:
        found = await _row(tx, _SEALS, after=after, previous=previous, kept=kept)
        after, previous, kept_seal = found["up_to"], found["digest"], found["kept_seal"] or kept_seal
        if after is None:
            return found, kept_seal


async def _named(tx: Db, found: Row) -> Broken:
    entry = await tx.one(_ENTRY, {"seq": found["broken_seq"]}) or {"seq": found["broken_seq"]}
    return Broken(**entry, why=found["why"], sealed_at=found["sealed_at"])


async def _row(tx: Db, query: bytes, **params: object) -> Row:
    row = await tx.one(query, params)
    if row is None:
        raise LookupError("a function that always answers with one row answered with none")
    return row
