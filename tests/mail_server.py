"""A mail server that says what a test tells it to, where the stand-in says only what it always says. It keeps what it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "certificates" / "localhost.pem"  # with its key; made for these tests, trusted by nobody

SILENCE = "silence"
HANG_UP = "hang up"


def trusting() -> ssl.SSLContext:
    """For a client that trusts the server's certificate."""
    return ssl.create_default_context(cafile=CERTIFICATE)


class MailServer:
    """answers: what it says to a verb instead of yes; "." is the end of the text, "" the beginning of the conversation."""

    def __init__(self, answers: Mapping[str, str], offers: tuple[str, ...], *, tls: bool, delay_s: float) -> None:
        self.answers = dict(answers)
        self.offers = offers
        self._delay_s = delay_s
        self.heard: list[str] = []
        self.texts: list[bytes] = []
        self.encrypted: list[bool] = []  # whether each line was
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(CERTIFICATE)
        self.tls = self._tls if tls else None

    @property
    def verbs(self) -> list[str]:
        return [line.partition(" ")[0].upper() for line in self.heard]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._say(writer, "", "220 test.invalid ESMTP")
            while line := await reader.readline():
                said = line.decode().rstrip("\r\n")
                verb = said.partition(" ")[0].upper()
                self.heard.append(said)
                self.encrypted.append(writer.get_extra_info("ssl_object") is not None)
                if not await self._answer(verb, reader, writer):
                    return
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _answer(self, verb: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        usual = {"DATA": "354 go on", "AUTH": "235 2.7.0 in", "QUIT": "221 bye", "STARTTLS": "220 go on"}.get(
            verb, "250 2.0.0 ok"
        )
        if verb == "EHLO":
            usual = "\r\n".join(["250-test.invalid", *(f"250-{one}" for one in self.offers), "250 HELP"])
        went_on = await self._say(writer, verb, usual)
        if verb == "STARTTLS" and went_on:
            await writer.start_tls(self._tls)
        if verb == "DATA" and went_on:
            text = bytearray()
            while (line := await reader.readline()) != b".\r\n":
                text += line
            self.texts.append(bytes(text))
            await self._say(writer, ".", "250 2.0.0 taken")
        return verb != "QUIT"

    async def _say(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        answer = self.answers.get(verb, usual)
        if answer == HANG_UP:
            raise ConnectionError
        await asyncio.sleep(60 if answer == SILENCE else self._delay_s)
        writer.write(f"{answer}\r\n".encode())
        await writer.drain()
        return answer == usual


@asynccontextmanager
async def mail_server(
    answers: Mapping[str, str] | None = None, *offers: str, tls: bool = False, delay_s: float = 0.0
) -> AsyncIterator[tuple[MailServer, int]]:
    """The server and its port. tls: from the first byte on; `STARTTLS` among the offers: when asked."""
    server = MailServer(answers or {}, offers, tls=tls, delay_s=delay_s)
    talks: set[asyncio.Task[None]] = set()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(server.talk(reader, writer))
        talks.add(talk)

    listening = await asyncio.start_server(welcome, "127.0.0.1", 0, ssl=server.tls)
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await listening.wait_closed()
