"""Mail by a mail server: one conversation for each mail, as SMTP has it.

Until the text is on its way nothing has been sent, so whatever breaks may be tried again. From then on only an answer tells:
without one the mail may be in somebody's mailbox, and is not repeated.
Source: RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 6531 (SMTPUTF8), 8314 (smtps).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from functools import partial
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import aiosmtplib

from backhaul.core.answer import presentable
from backhaul.core.errors import OutcomeUnknown, OutsideProblem, Transient
from backhaul.core.line import SILENT, UNREACHABLE, UNUSABLE, Kind, Limits, Line
from backhaul.outside.mail import SERVICE, Message, compose, recipient
from backhaul.outside.smtp_replies import INTERNATIONAL, NO_ENCRYPTION, SIGN_IN, Meaning, Stage, refusal

_UNKNOWN = Kind(OutcomeUnknown, "The mail may or may not have been sent", "Ask the recipient whether it came before repeating it")
_UNTRUSTED = Kind(
    Transient, "{} could not be reached safely", "It is tried again by itself; if it goes on, the administrator looks at smtp_url"
)
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class Server:
    """Where the mail server is. encrypted: from the first byte on; otherwise by STARTTLS, and not at all on this machine."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    encrypted: bool = False

    @classmethod
    def at(cls, url: str) -> Server:
        """Of `smtp://user:password@host:587` or `smtps://…:465`. Raises: ValueError, without what was given."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("it is not the address of a mail server") from None
        rest = parts.path.strip("/") + parts.query + parts.fragment
        if parts.scheme not in _PORTS or not re.fullmatch(r"[A-Za-z0-9._:-]+", host) or port == 0 or rest:
            raise ValueError("it is not the address of a mail server, as smtp://user:password@host:587")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password):
            raise ValueError("it has a user name without a password, or the other way round")
        return cls(host, port or _PORTS[parts.scheme], user, password, encrypted=parts.scheme == "smtps")

    @property
    def here(self) -> bool:
        """On this machine, so that nothing crosses a network."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, and the forms in which a server may repeat it."""
        if not self.user:
            return ()
        forms = (f"\0{self.user}\0{self.password}", self.password, self.user)
        return (self.password, *(b64encode(form.encode()).decode() for form in forms))


class Smtp:
    """sender: whom the mails are from. tls: whom to trust, if not those whom this machine trusts."""

    service = SERVICE

    def __init__(
        self,
        server: Server,
        sender: Address,
        *,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        connect_s: float = 5.0,
        read_s: float = 10.0,
        scan_s: float = 20.0,  # for the last answer: a server looks for spam before it gives it, and silence is costly there
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._server = server
        self._sender = sender
        self._line = Line(SERVICE, "mail", limits)
        self._tls = tls
        self._connect_s, self._read_s, self._scan_s = connect_s, read_s, scan_s
        self._now = now

    async def send(self, message: Message) -> None:
        """Returns when the server has taken the mail on.

        Raises: OutcomeUnknown, never to be repeated; Transient, RateLimited; Misconfigured when the server does not serve us;
        Unplaceable when the recipient's address is at fault; Malformed.
        """
        mail = compose(message, self._sender, self._now()).as_bytes()
        hand_over = partial(self._hand_over, self._sender.addr_spec, recipient(message).addr_spec, mail)
        about = (message.to, message.to_name, message.subject, self._server.user)
        await self._line.ask(partial(self._converse, hand_over, about))

    async def greet(self) -> None:
        """Connects, signs in and leaves; sends nothing. Raises: as `send`, but for what concerns the mail."""
        await self._line.ask(partial(self._converse, _say_nothing, self._server.user))

    async def aclose(self) -> None:
        """Nothing is open between two mails."""

    async def _converse(self, errand: _Errand, about: object, note: dict[str, object]) -> OutsideProblem | None:
        # Problems are returned, not raised: raised here they would carry aiosmtplib's error, and with it addresses.
        talk = _Talk(self._server, self._sender.domain, self._tls, self._read_s, note)
        try:
            async with asyncio.timeout(self._connect_s + 2 * self._read_s + self._scan_s):
                problem = await self._begin(talk) or await errand(talk)
        except aiosmtplib.SMTPResponseException as error:
            return self._refused(talk, error.code, error.message, about)
        except (OSError, TimeoutError, aiosmtplib.SMTPException, UnicodeError) as error:
            return self._broken(talk, error)
        else:
            if problem is None:
                with suppress(OSError, aiosmtplib.SMTPException):  # the mail is sent, whatever becomes of the good-bye
                    await talk.smtp.quit(timeout=1)
            return problem
        finally:
            talk.smtp.close()

    async def _begin(self, talk: _Talk) -> OutsideProblem | None:
        """Up to where something may be asked of the server."""
        await talk.smtp.connect(timeout=self._connect_s)
        await talk.smtp.ehlo()
        if not self._server.encrypted and not self._server.here:
            talk.at("encryption")
            if not talk.smtp.supports_extension("starttls"):
                return self._problem(NO_ENCRYPTION, "It does not know STARTTLS")
            await talk.smtp.starttls()
            await talk.smtp.ehlo()
        if self._server.user:
            talk.at("sign-in")
            if not talk.smtp.supported_auth_methods:
                return self._problem(SIGN_IN, "It offers no way to sign in that we know")
            await talk.smtp.login(self._server.user, self._server.password)
        return None

    async def _hand_over(self, sender: str, to: str, mail: bytes, talk: _Talk) -> OutsideProblem | None:
        international = not (sender + to).isascii()
        if international and not talk.smtp.supports_extension("smtputf8"):
            return self._problem(INTERNATIONAL, "It takes only addresses in plain letters (no SMTPUTF8)")
        options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
        if talk.smtp.supports_extension("size"):
            options.append(f"SIZE={len(mail)}")
        encoding = "utf-8" if international else "ascii"
        talk.at("sender")
        await talk.smtp.mail(sender, options=options, encoding=encoding)
        talk.at("recipient")
        await talk.smtp.rcpt(to, encoding=encoding)
        talk.at("text")
        await talk.smtp.data(mail, timeout=self._scan_s)
        return None

    def _refused(self, talk: _Talk, code: int, words: str, about: object) -> OutsideProblem:
        if talk.stage == "text" and not 400 <= code < 600:
            return self._line.problem(_UNKNOWN, "Its answer cannot be read", "unreadable")
        talk.note["status"] = code
        return refusal(self._line, talk.stage, code, words, presentable(words, about, self._server.secrets))

    def _broken(self, talk: _Talk, error: Exception) -> OutsideProblem:
        sent = talk.stage == "text"
        if isinstance(error, aiosmtplib.SMTPConnectError) and not isinstance(error.__cause__, ssl.SSLError):
            return self._line.problem(UNREACHABLE, "No connection could be made", "unreachable")
        if isinstance(error, TimeoutError):
            why = f"No answer came within {self._scan_s if sent else self._read_s:g} seconds"
            return self._line.problem(_UNKNOWN if sent else SILENT, why, "timeout")
        if not sent and isinstance(error, UnicodeError):
            return self._line.problem(UNUSABLE, "Its name has letters or a length that no name has", "setting")
        if not sent and (isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)):
            return self._line.problem(_UNTRUSTED, "Its certificate or its encryption cannot be trusted", "tls")
        return self._line.problem(_UNKNOWN if sent else SILENT, "The connection ended before the answer", "broken")

    def _problem(self, meaning: Meaning, why: str) -> OutsideProblem:
        return self._line.problem(meaning, why, meaning.code)


class _Talk:
    """One conversation, and how far it got: that decides what a failure means."""

    def __init__(
        self, server: Server, our_domain: str, tls: ssl.SSLContext | None, read_s: float, note: dict[str, object]
    ) -> None:
        self.note = note
        self.at("greeting")
        self.smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=our_domain,  # the system's answer to who we are may take long, and tells more
            timeout=read_s,
            use_tls=server.encrypted,
            start_tls=False,  # that is decided here
            tls_context=tls,
        )

    def at(self, stage: Stage) -> None:
        self.stage: Stage = stage
        self.note["stage"] = stage


_Errand = Callable[[_Talk], Awaitable[OutsideProblem | None]]


async def _say_nothing(talk: _Talk) -> None:
    await talk.smtp.noop()
