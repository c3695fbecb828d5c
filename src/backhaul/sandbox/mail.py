"""A mail server that delivers to a folder: SMTP on 127.0.0.1, each message an .eml file that a mail program opens.

It speaks EHLO, AUTH PLAIN (any name and password will do), MAIL, RCPT, DATA, RSET, NOOP and QUIT. A fault strikes one message, at
the stage where a server would: a refusal in the envelope; `500`, `lost`, `slow` and `hold` after the last full stop.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backhaul.sandbox.faults import Fault, FaultDesk
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Clock

_LARGEST = 10 * 1024 * 1024
_SILENCE_S = 60.0
_SLOWNESS_S = 3.0
_ADDRESS = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>", re.IGNORECASE)
_AT_MAIL = {
    "401": "530 5.7.0 Authentication required",
    "402": "552 5.2.2 Mailbox over quota",
    "429": "451 4.7.1 Too many messages, try again later",
    "503": "421 4.3.2 Service shutting down",
}
_AT_RCPT = {"403": "550 5.7.1 Relaying denied", "denied": "550 5.7.1 Relaying denied", "404": "550 5.1.1 No such user"}
_AT_END = {"500": "451 4.3.0 Local error in processing"}

MAIL_FAULTS = frozenset({*_AT_MAIL, *_AT_RCPT, *_AT_END, "ok", "timeout", "slow", "lost", "hold"})


class MailServer:
    """Start with `start()`, which says the port; `stop()` ends every conversation."""

    def __init__(self, folder: Path, desk: FaultDesk, store: Store, clock: Clock) -> None:
        self._folder = folder
        self._desk = desk
        self._store = store
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.port: int | None = None

    async def start(self, port: int = 0) -> int:
        """Raises OSError when the port is taken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", port)
        listening: int = self._server.sockets[0].getsockname()[1]
        self.port = listening
        return listening

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)
            await self._server.wait_closed()

    def begin(self, sender: str) -> _Envelope:
        fault = self._desk.take("mail", "MAIL", "message")
        return _Envelope(sender, fault, self._store.arrived(self._clock(), "mail", "MAIL", "message"))

    def journal(self, envelope: _Envelope, outcome: str, status: int | None = None) -> None:
        self._store.ended(envelope.entry, outcome, status, {"receivers": len(envelope.receivers)})

    def deliver(self, envelope: _Envelope, text: bytes) -> None:
        """Writes the message whole or not at all."""
        name = f"{self._clock():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.eml"
        receivers = ", ".join(envelope.receivers)
        head = f"X-Stand-In: sent to nobody\r\nX-Envelope-From: {envelope.sender}\r\nX-Envelope-To: {receivers}\r\n"
        part = self._folder / f".{name}"
        part.write_bytes(head.encode() + text)
        part.rename(self._folder / name)
        self._store.put("mail", name, {"file": name, "from": envelope.sender, "to": envelope.receivers})

    async def held(self) -> None:
        await self._desk.held("mail")

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(_Talk(self, reader, writer).run())
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)


@dataclass
class _Envelope:
    sender: str
    fault: Fault | None
    entry: int
    receivers: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.fault.fault if self.fault else ""

    def seconds(self, usual: float) -> float:
        return usual if self.fault is None or self.fault.seconds is None else self.fault.seconds


class _HungUp(Exception):
    """The conversation is over, without a word."""


class _Talk:
    """One conversation with one client."""

    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._envelope: _Envelope | None = None

    async def run(self) -> None:
        verbs = {"EHLO": self._ehlo, "HELO": self._helo, "AUTH": self._auth, "MAIL": self._mail, "RCPT": self._rcpt}
        verbs |= {"DATA": self._data, "RSET": self._reset, "NOOP": self._noop, "QUIT": self._quit}
        try:
            await self._say("220 stand-in.invalid ESMTP stand-in: mail goes to a folder and to nobody")
            while True:
                verb, _, rest = (await self._line()).decode("utf-8", "replace").strip().partition(" ")
                answer = await verbs[verb.upper()](rest) if verb.upper() in verbs else "502 5.5.2 Command not recognised"
                await self._say(answer)
                if answer.startswith(("221", "421")):
                    return
        except (_HungUp, ConnectionError):
            self._writer.transport.abort()
        finally:
            self._writer.close()

    async def _ehlo(self, _: str) -> str:
        return f"250-stand-in.invalid\r\n250-SIZE {_LARGEST}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN"

    async def _helo(self, _: str) -> str:
        return "250 stand-in.invalid"

    async def _auth(self, how: str) -> str:
        method, _, secret = how.partition(" ")
        if method.upper() != "PLAIN":
            return "504 5.5.4 Only AUTH PLAIN"
        if not secret:
            await self._say("334 ")
            await self._line()
        return "235 2.7.0 Authenticated"

    async def _mail(self, rest: str) -> str:
        sender = _ADDRESS.match(rest)
        if sender is None:
            return "501 5.5.4 Syntax: MAIL FROM:<address>"
        self._envelope = envelope = self._server.begin(sender[1])
        if envelope.kind == "timeout":
            self._server.journal(envelope, "timeout: nothing done, no answer")
            await self._while_connected(asyncio.sleep(envelope.seconds(_SILENCE_S)))
            raise _HungUp
        return self._refusal(_AT_MAIL) or "250 2.1.0 OK"

    async def _rcpt(self, rest: str) -> str:
        receiver = _ADDRESS.match(rest)
        if self._envelope is None:
            return "503 5.5.1 MAIL first"
        if receiver is None or not receiver[1]:
            return "501 5.5.4 Syntax: RCPT TO:<address>"
        if refusal := self._refusal(_AT_RCPT):
            return refusal
        self._envelope.receivers.append(receiver[1])
        return "250 2.1.5 OK"

    async def _data(self, _: str) -> str:
        envelope = self._envelope
        if envelope is None or not envelope.receivers:
            return "503 5.5.1 RCPT first"
        await self._say("354 End with a full stop on a line of its own")
        text = await self._text()
        if len(text) > _LARGEST:
            self._server.journal(envelope, "refused: too large", 552)
            return "552 5.3.4 Message too large"
        if refusal := self._refusal(_AT_END):
            return refusal
        self._server.deliver(envelope, text)
        if envelope.kind == "lost":
            self._server.journal(envelope, "lost: done, connection dropped", 250)
            raise _HungUp
        if envelope.kind in ("slow", "hold"):
            self._server.journal(envelope, f"{envelope.kind}: done, not yet answered", 250)
            await self._while_connected(
                self._server.held() if envelope.kind == "hold" else asyncio.sleep(envelope.seconds(_SLOWNESS_S))
            )
        self._server.journal(envelope, f"fault {envelope.kind}" if envelope.kind else "answered", 250)
        self._envelope = None
        return "250 2.0.0 Kept in the folder"

    async def _reset(self, _: str) -> str:
        self._envelope = None
        return "250 2.0.0 OK"

    async def _noop(self, _: str) -> str:
        return "250 2.0.0 OK"

    async def _quit(self, _: str) -> str:
        return "221 2.0.0 Bye"

    def _refusal(self, words: Mapping[str, str]) -> str | None:
        """What the fault in force says at this stage; the message is then over."""
        envelope = self._envelope
        if envelope is None or envelope.kind not in words:
            return None
        self._envelope = None
        self._server.journal(envelope, f"fault {envelope.kind}", int(words[envelope.kind][:3]))
        return words[envelope.kind]

    async def _text(self) -> bytes:
        """The message up to the lone full stop, with doubled leading stops undone. Lines past the limit are read and dropped."""
        text = bytearray()
        while (line := await self._line()) != b".\r\n":
            if len(text) <= _LARGEST:
                text += line[1:] if line.startswith(b".") else line
        return bytes(text)

    async def _line(self) -> bytes:
        try:
            line = await self._reader.readline()
        except ValueError as problem:  # a line longer than the reader's limit of 64 KiB
            raise _HungUp from problem
        if not line.endswith(b"\n"):
            raise _HungUp
        return line

    async def _say(self, words: str) -> None:
        self._writer.write(f"{words}\r\n".encode())
        await self._writer.drain()

    async def _while_connected(self, waiting: Awaitable[None]) -> None:
        """Waits, or raises _HungUp when the client leaves first; it has nothing to send meanwhile."""
        waited, left = asyncio.ensure_future(waiting), asyncio.ensure_future(self._reader.read(1))
        try:
            await asyncio.wait({waited, left}, return_when=asyncio.FIRST_COMPLETED)
            if not waited.done():
                raise _HungUp
        finally:
            waited.cancel()
            left.cancel()
            await asyncio.gather(waited, left, return_exceptions=True)
