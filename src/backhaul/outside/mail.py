"""Mail to one person: what a mail is, what it looks like on the wire, and the folder that keeps mails where no server is set.

Nobody but the recipient can say whether a mail arrived, so one that may have been sent is not sent again by itself. Should a
person repeat it, both bear the same Message-ID, by which mail programs show them as one.
Source: RFC 5322 (messages), 6531 (international addresses), 3834 (Auto-Submitted).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import InvalidHeaderDefect
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

import structlog
from email_validator import EmailNotValidError, validate_email

from backhaul.core.answer import presentable
from backhaul.core.errors import Malformed, Misconfigured, Unplaceable

SERVICE = "The mail server"

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN_ADDRESS = re.compile(rf"(?=.{{3,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_MESSAGE_ID = re.compile(r"(?=.{1,100}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail. name: as the recipient sees it. media_type: e.g. "application/pdf"."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One mail to one person, in plain text.

    to: the bare address. to_name: the person's name, written before it.
    message_id: names this mail for good. Made of the task's, e.g. `str(run.task_id)`, it shows that a mail sent twice is one.

    Raises: Unplaceable when no mail can go to such an address; Malformed when another part would break out of its header.
    """

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    message_id: str
    to_name: str = field(default="", repr=False)
    attachments: Sequence[Attachment] = ()

    def __post_init__(self) -> None:
        recipient(self)
        for part, words in (("subject", self.subject), ("name of the recipient", self.to_name)):
            if not _is_one_line(words):
                raise _malformed(f"The {part} holds a line break or a control character")
        if not self.subject.strip():
            raise _malformed("It has no subject")
        if not _MESSAGE_ID.fullmatch(self.message_id):
            raise _malformed("Its message_id is not made of letters, digits, dots, hyphens and underscores, or is too long")
        for one in self.attachments:
            if not _is_one_line(one.name) or not _MEDIA_TYPE.fullmatch(one.media_type):
                raise _malformed("An attachment's name or media type cannot be written in a header")


def mailbox(text: str) -> Address:
    """An address with or without a name, e.g. `Backhaul <backhaul@localhost>`. Raises: ValueError."""
    header = SMTP.header_factory("From", text) if _is_one_line(text) else None
    if header is None or len(header.addresses) != 1 or any(isinstance(one, InvalidHeaderDefect) for one in header.defects):
        raise ValueError("it is not one e-mail address, as in: Backhaul <backhaul@example.com>")
    (found,) = header.addresses
    return _address(found.addr_spec, found.display_name)


def recipient(message: Message) -> Address:
    """Raises: Unplaceable."""
    try:
        return _address(message.to, message.to_name if _is_one_line(message.to_name) else "")
    except ValueError:
        raise Unplaceable(
            SERVICE,
            "No mail can go to this e-mail address",
            "It is not written as an e-mail address is" if message.to.strip() else "There is none",
            "Correct the e-mail address; then retry",
            code="mail.address",
        ) from None


def compose(message: Message, sender: Address, now: datetime) -> EmailMessage:
    """The mail as it goes out. Its own policy (`as_bytes`) makes it ASCII, unless an address needs UTF-8."""
    to = recipient(message)
    international = not (to.addr_spec + sender.addr_spec).isascii()
    mail = EmailMessage(SMTPUTF8 if international else SMTP.clone(cte_type="7bit"))
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = message.subject
    mail["Date"] = now
    mail["Message-ID"] = f"<{message.message_id}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # asks for no answers like "out of office"
    mail.set_content(message.text)
    for one in message.attachments:
        main, _, sub = one.media_type.partition("/")
        mail.add_attachment(one.content, maintype=main, subtype=sub, filename=one.name)
    return mail


class MailFolder:
    """Keeps each mail as a file that a mail program opens, and sends it to nobody."""

    service = SERVICE

    def __init__(self, folder: Path, sender: Address, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._sender = sender
        self._now = now

    async def send(self, message: Message) -> None:
        """Raises: Misconfigured when the folder cannot be written."""
        now = self._now()
        short = hashlib.sha256(message.message_id.encode()).hexdigest()[:8]
        file = self._folder / f"{now:%Y%m%dT%H%M%S}-{short}.eml"
        await self._keep(file, compose(message, self._sender, now).as_bytes())
        subject = presentable(message.subject, (message.to, message.to_name), ())
        _log.warning("mail kept in folder", path=str(file), subject=subject, why="no mail server is set")

    async def greet(self) -> None:
        """Tries whether a mail could be kept. Raises: Misconfigured."""
        await self._keep(None, b"")

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _keep(self, file: Path | None, mail: bytes) -> None:
        try:
            await asyncio.to_thread(_write, self._folder, file, mail)
        except OSError as error:
            raise Misconfigured(
                SERVICE,
                "The mail could not be kept",
                f"No mail server is set, and the folder for mails cannot be written: {error.strerror}",
                "Ask the administrator to set a mail server (smtp_url), or to make that folder writable",
                code="mail.folder",
            ) from None


def _write(folder: Path, file: Path | None, mail: bytes) -> None:
    """Whole or not at all, and for nobody else to read: a mail may hold a link that signs somebody in."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f".{uuid.uuid4().hex}"
    part.touch(mode=0o600)
    try:
        part.write_bytes(mail)
        if file is not None:
            part.rename(file)
    finally:
        part.unlink(missing_ok=True)


def _address(spec: str, name: str) -> Address:
    """Raises: ValueError. A domain in other letters is put into ASCII, as mail servers have it."""
    if spec.isascii():
        if not _PLAIN_ADDRESS.fullmatch(spec):
            raise ValueError("it is not an e-mail address")
        local, _, domain = spec.rpartition("@")
        return Address(name, local, domain)
    try:
        valid = validate_email(spec, check_deliverability=False, test_environment=True, globally_deliverable=False)
    except EmailNotValidError:  # its words quote the address
        raise ValueError("it is not an e-mail address") from None
    return Address(name, valid.local_part, valid.ascii_domain)


def _is_one_line(words: str) -> bool:
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in words)


def _malformed(why: str) -> Malformed:
    todo = "Report it to a developer; retrying will not help"
    return Malformed(SERVICE, "The mail cannot be written", why, todo, code="mail.malformed")
