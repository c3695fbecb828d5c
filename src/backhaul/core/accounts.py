"""A person's own password: changed, forgotten, or never had. Whatever replaces one ends the sessions opened with the old."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backhaul.core.doors import LINK, PASSWORD
from backhaul.core.errors import NotFound, Rejected, Unauthenticated
from backhaul.core.passwords import PasswordRules, Passwords
from backhaul.core.sessions import Caller, Sessions, SignedIn, digest, password_of
from backhaul.core.store import Row, Store, Tx, jsonb
from backhaul.core.tokens import Claims, LimitedClaims

_CREDENTIALS = b"select %(user)s::uuid as user_id, c.* from private.credentials_of(%(user)s) c"
_SET = b"select private.set_password(%(user)s, %(hash)s)"
_REPLACE = b"select private.replace_password(%(user)s, %(old)s, %(new)s, %(keep)s) as replaced"
_FIND_LINK = b"select * from private.find_link(%(purpose)s, %(token)s)"
_USE_LINK = b"select private.use_link(%(purpose)s, %(token)s) as used"
_CREATE_ADMIN = b"select private.create_user(%(username)s, %(full_name)s, %(username)s, null, 'admin') as id"
_NOTE_PROOF = b"select private.note_proof(%(session)s)"
_AUDIT = b"select private.write_audit(%(action)s, 'user', %(user)s, %(user)s, %(details)s, %(ip)s, %(agent)s, %(refused)s)"


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """Whoever comes first with the setup link. username: an e-mail address, which is theirs too."""

    username: str
    full_name: str
    password: str


class Accounts:
    """Sets passwords, by the rules of the house."""

    def __init__(self, store: Store, passwords: Passwords, sessions: Sessions, rules: PasswordRules) -> None:
        self._store = store
        self._passwords = passwords
        self._sessions = sessions
        self.rules = rules

    async def change_password(self, by: Claims | LimitedClaims, current: str, new: str, caller: Caller) -> SignedIn:
        """Replaces a password whose holder knows it. Every other session ends; this one goes on with new tokens.

        A limited token is good for one change: it opens the session that it could not open before.
        Raises: Unauthenticated; Rejected for a wrong current or an unfit new password; TooMany after five wrong ones.
        """
        account = await self._account(by)
        await self._prove(account, current, caller)
        if current == new:
            raise _unfit(["New password must differ from the current one"])
        hashed = await self._fit(new, account)
        session_id = by.session_id if isinstance(by, Claims) else None
        async with self._store.service() as tx:
            asked = {"user": by.user_id, "old": account["password_hash"], "new": hashed, "keep": session_id}
            if not (await tx.one(_REPLACE, asked) or {"replaced": False})["replaced"]:
                raise _unknown()
            await self._note(tx, "change_password", by.user_id, caller)
            if session_id is None:
                return await self._sessions.open(tx, account, caller)
            return await self._sessions.go_on(tx, {**account, "session_id": session_id})

    async def prove_in_session(self, by: Claims, password: str, caller: Caller) -> None:
        """Whoever asks knows the password; noted with their session, for the database itself asks there whether a change has it.

        Raises: Rejected when it is wrong; TooMany after five wrong ones in a quarter of an hour; Unauthenticated for a session
        that has ended, or it would tell a thief whether a guess is right.
        """
        account = await self._account(by)
        await self._prove(account, password, caller)
        await self._store.call(_NOTE_PROOF, {"session": by.session_id})

    async def who_may_reset(self, token: str, caller: Caller) -> Row:
        """Whose reset link this is: {username, full_name}. Raises: NotFound for one that is used, old or made up."""
        return await self._link("reset", token, caller)

    async def reset_password(self, token: str, new: str, caller: Caller) -> str:
        """Sets a new password by a link sent to the person's address. Returns the username.

        Raises: NotFound for a link that is used, old or made up; Rejected for an unfit password, and the link stays good.
        """
        owner = await self._link("reset", token, caller)
        hashed = await self._fit(new, owner)
        async with self._store.service() as tx:
            await self._use("reset", token, tx)
            await tx.one(_SET, {"user": owner["user_id"], "hash": hashed})
            await self._note(tx, "reset_password_by_link", owner["user_id"], caller)
        return str(owner["username"])

    async def check_setup_link(self, token: str, caller: Caller) -> None:
        """Raises: NotFound for a link that is used, old or made up, and for every link once there is an administrator."""
        await self._link("setup", token, caller)

    async def create_first_admin(self, token: str, who: FirstAdmin, caller: Caller) -> UUID:
        """The administrator of a new installation, by the link that its first start printed.

        Raises: as check_setup_link; Rejected for an unfit password, Conflict for a taken name, and the link stays good.
        """
        await self.check_setup_link(token, caller)
        hashed = await self._fit(who.password, {"username": who.username, "full_name": who.full_name})
        async with self._store.service() as tx:
            await self._use("setup", token, tx)
            made = await tx.one(_CREATE_ADMIN, {"username": who.username, "full_name": who.full_name}) or {}
            await tx.one(_SET, {"user": made["id"], "hash": hashed, "keep": None})
            await self._note(tx, "create_first_admin", made["id"], caller)
        return UUID(str(made["id"]))

    async def hash(self, new: str, about: Row) -> str:
        """The hash of a new password. Raises: Rejected when it is unfit for the person (`about`: username, full_name, email)."""
        return await self._fit(new, about)

    async def _account(self, by: Claims | LimitedClaims) -> Row:
        if isinstance(by, Claims):
            async with self._store.person(by.user_id, by.session_id):
                pass  # a session that has ended changes nothing any more
        async with self._store.service() as tx:
            account = await tx.one(_CREDENTIALS, {"user": by.user_id})
        if account is None or (isinstance(by, LimitedClaims) and password_of(account["password_hash"]) != by.password_of):
            raise _unknown()
        return account

    async def _prove(self, account: Row, password: str, caller: Caller) -> None:
        who = str(account["user_id"])
        await PASSWORD.look(self._store, who)
        if await self._passwords.verify(account["password_hash"], password):
            # what was guessed meanwhile counts: the right one does not slip through among many
            await PASSWORD.look(self._store, who)
            return
        await PASSWORD.knock(self._store, who)
        async with self._store.service() as tx:
            await self._note(tx, "refuse_password", account["user_id"], caller, refused="Current password is incorrect")
        wrong = Rejected("Current password is incorrect", "", "Type it again", code="password.wrong")
        wrong.fields = {"currentPassword": wrong.what}
        raise wrong

    async def _fit(self, new: str, about: Row) -> str:
        faults = self.rules.faults(new, (about[name] for name in ("username", "full_name", "email") if about.get(name)))
        if faults:
            raise _unfit(faults)
        return await self._passwords.hash(new)

    async def _link(self, purpose: str, token: str, caller: Caller) -> Row:
        await LINK.look(self._store, caller.ip)
        async with self._store.service() as tx:
            found = await tx.one(_FIND_LINK, {"purpose": purpose, "token": digest(token)})
        if found is None:
            await LINK.knock(self._store, caller.ip)
            raise _dead_link(purpose)
        return found

    @staticmethod
    async def _use(purpose: str, token: str, tx: Tx) -> None:
        used = await tx.one(_USE_LINK, {"purpose": purpose, "token": digest(token)})
        if not used or not used["used"]:  # somebody was quicker
            raise _dead_link(purpose)

    @staticmethod
    async def _note(tx: Tx, action: str, user_id: UUID, caller: Caller, *, refused: str | None = None) -> None:
        asked = {"action": action, "user": user_id, "details": jsonb({}), "ip": caller.ip, "agent": caller.user_agent}
        asked |= {"refused": refused}
        await tx.one(_AUDIT, asked)


def _unfit(faults: list[str]) -> Rejected:
    problem = Rejected("Validation failed: " + "; ".join(faults), "", "Choose another password", faults=faults, code="validation")
    problem.fields = {"newPassword": ". ".join(faults)}
    return problem


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "Your sign-in is not valid any more", "The password has been changed since", "Please log in again.", code="token.expired"
    )


def _dead_link(purpose: str) -> NotFound:
    why, todo = {
        "reset": ("It was used, is too old, or a newer one was sent", "Ask for a new one on the sign-in page"),
        "setup": (
            "It was used, is too old, a newer one was printed, or there is an administrator by now",
            "Sign in; or start Backhaul again, which prints a new link while there is no administrator",
        ),
    }[purpose]
    return NotFound("This link is not good any more", why, todo, code="link.dead")
