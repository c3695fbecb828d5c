"""What a mail server's refusal means: by its code, by the figures that may follow it, and by what it was an answer to.

The figures say more than the code: 550 5.1.1 is a mailbox that does not exist, 550 5.7.1 a server that will not serve us. Where
they are missing, the code is judged by the question it answers.
Source: RFC 5321 4.2 (codes), RFC 3463 and its registry (figures), RFC 4954 6 (sign-in).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, RateLimited, Transient, Unplaceable
from backhaul.core.line import BY_ITSELF, FAULTY, UNREADABLE, Kind, Line

Stage = Literal["greeting", "encryption", "sign-in", "sender", "recipient", "text"]

PAUSE_S = 60.0  # no mail server says how long to wait; most count mails by the minute


@dataclass(frozen=True)
class Meaning(Kind):
    """code: the second half of the error's code."""

    code: str


_ADMIN = "Ask the administrator to correct {}; retrying will not help"
_DEVELOPER = "Report it to a developer; retrying will not help"

SIGN_IN = Meaning(Misconfigured, "{} does not let us sign in", _ADMIN.format("user name and password (smtp_url)"), "sign_in")
NO_ENCRYPTION = Meaning(
    Misconfigured,
    "{} offers no encryption",
    _ADMIN.format("smtp_url: smtps://…:465, or a server that knows STARTTLS"),
    "encryption",
)
DENIED = Meaning(Misconfigured, "{} takes no mail from us", _ADMIN.format("the account, its rights, or mail_from"), "denied")
SENDER = Meaning(Misconfigured, "{} does not accept our own address as the sender", _ADMIN.format("mail_from"), "sender")
QUOTA = Meaning(
    Misconfigured, "{} says that our own mailbox is full", "Ask the administrator to make room there; then retry", "quota"
)
RECIPIENT = Meaning(Unplaceable, "{} does not know this e-mail address", "Correct the e-mail address; then retry", "recipient")
INTERNATIONAL = Meaning(
    Unplaceable, "{} cannot write to this e-mail address", "Enter another address of this person; then retry", "international"
)
MAILBOX_FULL = Meaning(
    Unplaceable, "The recipient's mailbox is full", "Tell them by telephone to make room; then retry", "mailbox_full"
)
TOO_LARGE = Meaning(Malformed, "The mail is too large for the mail server", _DEVELOPER, "too_large")

_BUSY = Kind(Transient, "{} could not take the mail at the moment", BY_ITSELF)
_REJECTED = Kind(Malformed, "{} did not accept the mail", _DEVELOPER)

# The first that fits: how code and words begin, what they answer (nothing: whatever it was), what they mean.
_REFUSALS: tuple[tuple[str, tuple[Stage, ...], Meaning], ...] = (
    (r"53[0458]", (), SIGN_IN),
    (r"5", ("sign-in",), SIGN_IN),
    (r"5", ("encryption",), NO_ENCRYPTION),
    (r"5", ("greeting",), DENIED),
    (r"... 5\.7\.\d", (), DENIED),
    (r"... 5\.1\.[78]\b", (), SENDER),
    (r"... 5\.1\.\d", ("recipient", "text"), RECIPIENT),
    (r"... 5\.2\.1\b", ("recipient",), RECIPIENT),
    (r"... 5\.2\.2\b", ("sender",), QUOTA),
    (r"... 5\.2\.2\b", ("recipient", "text"), MAILBOX_FULL),
    (r"... 5\.(2\.3|3\.4)\b", (), TOO_LARGE),
    (r"... .*\brelay", (), DENIED),
    (r"552", (), TOO_LARGE),
    (r"55[0136]", ("recipient",), RECIPIENT),
    (r"55[013]", ("sender",), SENDER),
)


def refusal(line: Line, stage: Stage, code: int, words: str, said: str) -> OutsideProblem:
    """The problem behind an answer that is not the wanted one. said: its words, fit for a screen."""
    why = f'It answered {code}: "{said}"' if said else f"It answered {code}"
    if re.match(r"4\.7\.\d", words):  # too many, or not yet
        return RateLimited(line.service, retry_after=PAUSE_S, why=why, code=f"{line.key}.rate_limited")
    if code in (421, 451):  # it closes down, or has a fault of its own
        what = FAULTY.what.format(line.service)
        return RateLimited(line.service, retry_after=PAUSE_S, what=what, why=why, code=f"{line.key}.{code}")
    if 400 <= code < 500:
        return line.problem(_BUSY, why, str(code))
    if not 500 <= code < 600:
        return line.problem(UNREADABLE, why, "unreadable")
    for beginning, stages, meaning in _REFUSALS:
        if (not stages or stage in stages) and re.match(beginning, f"{code} {words}", re.IGNORECASE | re.DOTALL):
            return line.problem(meaning, why, meaning.code)
    return line.problem(_REJECTED, why, str(code))
