"""Mails that were kept in a folder instead of being sent, shown on the terminal as they come: a link in one can be used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from backhaul.core.family import Say

LOOK_S = 1.0


class KeptMail:
    """folder: where they lie, which may not be there yet. Those that lie there at the beginning are old, and not shown."""

    def __init__(self, folder: Path, say: Say) -> None:
        self._folder = folder
        self._say = say
        self._shown = self._files()
        self._looked = time.monotonic()

    def look_now_and_then(self) -> None:
        if time.monotonic() - self._looked >= LOOK_S:
            self.look()

    def look(self) -> None:
        """Shows what is new, in the order it came."""
        self._looked = time.monotonic()
        new = sorted(self._files() - self._shown)  # their names begin with the time
        self._shown.update(new)
        for file in new:
            try:
                written = file.read_bytes()
            except OSError as error:
                self._say(f"a mail cannot be shown: {error.strerror}: {file}")
            else:
                self._say("\n".join(_block(file, written)))

    def _files(self) -> set[Path]:
        return set(self._folder.glob("[!.]*.eml"))  # one that is still being written begins with a full stop


def _block(file: Path, written: bytes) -> Iterator[str]:
    mail = message_from_bytes(written, _class=EmailMessage, policy=default)
    yield f"── mail, kept in {file} and sent to nobody ──"
    yield f"To: {_shown(mail['To'])}"
    yield f"Subject: {_shown(mail['Subject'])}"
    yield ""
    yield from _text(mail).rstrip().splitlines()
    for one in mail.iter_attachments():
        yield f"[attached: {_shown(one.get_filename())}, {one.get_content_type()}]"
    yield "── end of mail ──"


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    if body is None:
        return "(it has no plain text)"
    payload = body.get_payload(decode=True)
    return _shown((payload if isinstance(payload, bytes) else b"").decode("utf-8", "replace"))


def _shown(words: object) -> str:
    """Without what would move the cursor or colour the terminal. Headers in raw UTF-8 come as escaped bytes."""
    text = str(words or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t\u00a0")
