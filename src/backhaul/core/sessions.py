"""Signing in, renewing and signing out. A refresh token is 256 random bits; the database keeps its SHA-256 only.

Everything that counts is decided in sql/users_schema.sql: locks, rotation, reuse, inactivity. Here are the order of things and
the words for people.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from backhaul.core.doors import RENEWAL, SIGN_IN
from backhaul.core.errors import Forbidden, Locked, Problem, Unauthenticated
from backhaul.core.passwords import Passwords
from backhaul.core.store import Row, Store, Tx, jsonb
from backhaul.core.tokens import Tokens

SESSION_LIFE = timedelta(days=7)

_FIND = b"""
select c.*, c.temporary_until <= public.task_now() as outlived,
       ceil(extract(epoch from c.locked_until - public.task_now()) / 60)::integer as locked_minutes
  from private.find_credentials(%(username)s, %(device)s) c
"""
_ONE_AT_A_TIME = b"select pg_advisory_xact_lock(hashtext('sign-in'), hashtext(lower(btrim(%(username)s))))"
_WRONG = b"select private.note_wrong_password(%(username)s, %(device)s) as left"
_OPEN = b"""
select private.open_session(%(user)s, %(token)s, %(life)s, %(agent)s, %(ip)s, %(device)s) as session_id,
       extract(epoch from %(life)s)::integer as left_s
"""
_REHASH = b"select private.rehash(%(user)s, %(old)s, %(hash)s)"
_RENEW = b"select r.*, r.left_s::integer as left_s from private.renew_session(%(old)s, %(new)s, p_session_id => %(session)s) r"
_GO_ON = b"select private.go_on(%(session)s, %(token)s)::integer as left_s"
_END = b"select private.end_session(%(session)s, %(because)s) as ended"
_SESSION_OF = b"select * from private.session_of(%(token)s)"
_END_ALL = b"select private.end_sessions(%(user)s, %(because)s) as ended"
_AUDIT = b"select private.write_audit(%(action)s, 'user', %(user)s, %(user)s, %(details)s, %(ip)s, %(agent)s, %(refused)s)"
_WRONG_CREDENTIALS = partial(Forbidden, "Invalid username or password", code="credentials")


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from. device: the cookie that a browser got at an earlier sign-in."""

    ip: str | None = None
    user_agent: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session just opened or renewed: its person, and the two tokens for them.

    left_s: seconds until it ends, however often it is renewed. device: the cookie by which this browser is known from now on.
    """

    user_id: UUID
    session_id: UUID
    role: str
    full_name: str
    email: str
    username: str
    left_s: int
    access_token: str
    refresh_token: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class MustChange:
    """The password was right, but somebody else made it: the limited token is for changing it, and for nothing else."""

    user_id: UUID
    role: str
    full_name: str
    email: str
    username: str
    limited_token: str


class Sessions:
    """The doors in and out."""

    def __init__(self, store: Store, tokens: Tokens, passwords: Passwords) -> None:
        self._store = store
        self._tokens = tokens
        self._passwords = passwords

    async def sign_in(self, username: str, password: str, caller: Caller = Caller()) -> SignedIn | MustChange:
        """Opens a session. An unknown user and a wrong password get the same answer in the same time, and lock alike.

        Raises: Forbidden for wrong credentials or a disabled account; Locked after five wrong passwords in a row; TooMany
        where too many failed from one address; Busy where too many strangers sign in at once.
        """
        asked = {"username": username, "device": digest(caller.device) if caller.device else None}
        found = await self._store.call(_FIND, asked)
        known = bool(found["device"])
        if not known:  # a browser where this person has signed in before is not held up by what its neighbours do
            await SIGN_IN.look(self._store, caller.ip)
        locked = found["locked_until"] is not None  # said to whoever asks, so it need not take as long as a wrong password
        right = not locked and await self._passwords.verify(found["password_hash"], password, stranger=not known)
        rehashed = await self._rehash(found, password) if right else None
        if right and not known:
            await SIGN_IN.look(self._store, caller.ip)  # what failed from there meanwhile counts, also before a right one
        async with self._store.service() as tx:
            # looked up again, one sign-in of a name at a time: guesses sent all at once count and lock like guesses in a row
            await tx.one(_ONE_AT_A_TIME, asked)
            account = found if locked else await tx.one(_FIND, asked) or found
            # still the password that was judged: by when it was set, for a twin of this request may have hashed it anew
            right = right and account["changed_at"] == found["changed_at"]
            if not right and account["locked_until"] is None:
                await tx.one(_WRONG, {"username": username, "device": account["device"]})
            refused = _why_not(account, right)
            if refused is not None:
                await self._note(tx, "refuse_sign_in", account["user_id"], caller, refused=refused.what)
            else:
                if rehashed is not None:
                    await tx.one(_REHASH, {"hash": rehashed, "user": account["user_id"], "old": account["password_hash"]})
                    account = {**account, "password_hash": rehashed}
                signed_in = await self._admit(tx, account, caller)
        if refused is not None:  # raised out here, so that the count of wrong passwords is kept
            if not known:
                await SIGN_IN.knock(self._store, caller.ip)
            raise refused
        return signed_in

    async def open(self, tx: Tx, account: Row, caller: Caller) -> SignedIn:
        """A session for somebody who has just proved who they are. account: user_id, username, full_name, email, role."""
        refresh_token, device = secrets.token_urlsafe(32), caller.device or secrets.token_urlsafe(32)
        opened = await tx.one(
            _OPEN,
            {
                "user": account["user_id"],
                "token": digest(refresh_token),
                "life": SESSION_LIFE,
                "agent": caller.user_agent,
                "ip": caller.ip,
                "device": digest(device),
            },
        )
        return self._signed_in({**account, **(opened or {})}, refresh_token, device)

    async def go_on(self, tx: Tx, account: Row) -> SignedIn:
        """New tokens for a session whose person has just proved anew who they are; those it had are used up."""
        refresh_token = secrets.token_urlsafe(32)
        left = await tx.one(_GO_ON, {"session": account["session_id"], "token": digest(refresh_token)}) or {}
        return self._signed_in({**account, **left}, refresh_token)

    async def renew(self, refresh_token: str, session_id: UUID | None = None, caller: Caller = Caller()) -> SignedIn:
        """Exchanges a refresh token for the next pair. session_id: the session the page believes to be in.

        Raises: Unauthenticated; a token used twice ends its whole session, one of another session than believed stays unused.
        TooMany where too many made-up tokens came from one address.
        """
        await RENEWAL.look(self._store, caller.ip)
        following = secrets.token_urlsafe(32)
        renewed = await self._store.call(_RENEW, {"old": digest(refresh_token), "new": digest(following), "session": session_id})
        if renewed["refused"] is not None:
            await RENEWAL.knock(self._store, caller.ip)
            raise Unauthenticated(renewed["refused"], todo="Please log in again.", code=renewed["code"])
        return self._signed_in(renewed, following)

    async def sign_out(self, session_id: UUID, user_id: UUID, caller: Caller) -> None:
        """Ends a session; one that has ended already stays as it is."""
        async with self._store.service() as tx:
            ended = await tx.one(_END, {"session": session_id, "because": "signed out"})
            if ended and ended["ended"]:
                await self._note(tx, "sign_out", user_id, caller)

    async def sign_out_by(self, refresh_token: str, caller: Caller) -> None:
        """The same for whoever has nothing but the refresh token left; one that nobody knows ends nothing."""
        async with self._store.service() as tx:
            session = await tx.one(_SESSION_OF, {"token": digest(refresh_token)})
        if session is not None:
            await self.sign_out(session["id"], session["user_id"], caller)

    async def sign_out_everywhere(self, user_id: UUID, caller: Caller) -> int:
        """Ends every session of a person. Returns how many."""
        async with self._store.service() as tx:
            ended = await tx.one(_END_ALL, {"user": user_id, "because": "signed out everywhere"}) or {"ended": 0}
            await self._note(tx, "sign_out_everywhere", user_id, caller, sessions=ended["ended"])
        return int(ended["ended"])

    async def _admit(self, tx: Tx, account: Row, caller: Caller) -> SignedIn | MustChange:
        known = bool(account["device"])
        await self._note(
            tx, "sign_in", account["user_id"], caller, known_device=known, must_change_password=account["must_change_password"]
        )
        if not account["must_change_password"]:
            return await self.open(tx, account, caller)
        names = ("user_id", "role", "full_name", "email", "username")
        token = self._tokens.issue_limited(account["user_id"], password_of(account["password_hash"]))
        return MustChange(**{name: account[name] for name in names}, limited_token=token)

    async def _rehash(self, found: Row, password: str) -> str | None:
        """The password hashed at today's cost, when it was at another; it is never at hand again."""
        return await self._passwords.hash(password) if self._passwords.is_outdated(found["password_hash"]) else None

    @staticmethod
    async def _note(
        tx: Tx, action: str, user_id: UUID | None, caller: Caller, *, refused: str | None = None, **details: object
    ) -> None:
        await tx.one(
            _AUDIT,
            {
                "action": action,
                "user": user_id,
                "details": jsonb(details),
                "ip": caller.ip,
                "agent": caller.user_agent,
                "refused": refused,
            },
        )

    def _signed_in(self, row: Row, refresh_token: str, device: str | None = None) -> SignedIn:
        names = ("user_id", "session_id", "role", "full_name", "email", "username", "left_s")
        access_token = self._tokens.issue(row["user_id"], row["session_id"], row["role"])
        return SignedIn(
            **{name: row[name] for name in names}, access_token=access_token, refresh_token=refresh_token, device=device
        )


def digest(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


def password_of(password_hash: str) -> str:
    """Which password a limited token was issued for: it is void with any other, so it is good for one change."""
    return digest(password_hash).hex()[:32]


def _why_not(account: Row, right: bool) -> Problem | None:
    """Why this account may not sign in.

    While it is locked, the right password gets the same answer as a wrong one, or guessing could go on behind the lock.
    """
    if account["locked_until"] is not None:
        minutes = account["locked_minutes"]
        return Locked(
            f"Account is locked. Try again in {minutes} minute{'s' if minutes != 1 else ''}.",
            "Too many wrong passwords",
            "Wait, or ask an administrator",
            code="locked",
        )
    if not right or account["user_id"] is None:
        return _WRONG_CREDENTIALS()
    if not account["is_active"]:
        return Forbidden("Account is disabled. Contact administrator.", code="disabled")
    if account["must_change_password"] and account["outlived"]:
        return Forbidden(
            "Your temporary password is no longer good",
            "It was not used in time",
            "Ask an administrator for a new one",
            code="password.outlived",
        )
    return None
