"""Passwords: hashed with argon2id by a small crew, and refused where guessing them is easy.

No rules of composition unless the office wants them: length, and not being on a list that attackers try, is what keeps a
password. Everything typed is kept as typed, spaces and any script included; nothing is cut off. Paste and managers welcome.
Source: OWASP Password Storage Cheat Sheet (19 MiB, two passes, one lane); NIST SP 800-63B-4, 3.1.1.
"""

from __future__ import annotations

import os
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backhaul.core.crew import Crew

LEAST, LONGEST = 8, 128
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# One crew in the whole process, whoever asks: half of the machine at most. The last in its queue waits about a second.
_HANDS = max(1, (os.cpu_count() or 2) // 2)
_CREW = Crew("argon2", hands=_HANDS, queue=32 * _HANDS, full="Too many people are signing in at once")
# Told over the telephone: small letters and digits that neither look alike nor make words. Twenty of them are 81 bits.
_ALPHABET, _GROUPS, _OF_EACH = "cdfhjkmnprtwxy347", 4, 5


class Passwords:
    """Hashes and verifies, beside the event loop. Costs nothing to make: whoever has a password in hand may."""

    def __init__(self, hasher: PasswordHasher = _HASHER) -> None:
        self._hasher = hasher

    async def hash(self, password: str) -> str:
        return await _CREW.do(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, password_hash: str | None, password: str, *, stranger: bool = False) -> bool:
        """Whether it is the password. Without a hash, as long a look at one that nobody's password has.

        stranger: from nobody we know anything of; everybody else comes first. Raises: Busy, when too many strangers wait.
        """

        def verify() -> bool:
            try:
                return self._hasher.verify(password_hash or _decoy(self._hasher), _normal(password))
            except (VerificationError, InvalidHashError):
                return False

        return await _CREW.do(verify, stranger=stranger)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other costs than today's, and should be made again while the password is at hand."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return False


def temporary_password() -> str:
    """A new random one, for somebody who is to choose their own: "cdfhj-kmnpr-twxy3-47cdf". 81 bits, easy to read aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_OF_EACH)) for _ in range(_GROUPS))


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a new password must be.

    least: characters, at least 8. composed: upper, lower, digit and sign wanted too, for offices whose auditors insist.
    breached: a file of SHA-1 hashes in upper case, sorted, one a line, each perhaps followed by `:count`, as
    haveibeenpwned's downloader writes it; beside the 30,000 commonest, which are always refused.
    """

    least: int = LEAST
    composed: bool = False
    breached: Path | None = None

    def faults(self, password: str, about: Iterable[str] = ()) -> list[str]:
        """All that is wrong with a new password, in words for whoever chose it. about: their names and addresses."""
        password = _normal(password)
        if not self.least <= len(password) <= LONGEST:
            few = len(password) < self.least
            return [f"New password must be at {'least' if few else 'most'} {self.least if few else LONGEST} characters"]
        faults = []
        if self.composed and not all(re.search(kind, password) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]")):
            faults.append("New password must have an upper-case and a lower-case letter, a digit and a sign")
        if any(len(password) - len(word) < self.least and word in password.lower() for word in _words(about)):
            faults.append("New password must not be made of your name, your e-mail address or the name of this program")
        if _is_common(password) or (self.breached and _is_listed(self.breached, password)):
            faults.append("New password is on a list of passwords that attackers try first; choose another")
        return faults


def _normal(password: str) -> str:
    """One spelling for what looks the same: keyboards and systems write an accented letter in two ways."""
    return unicodedata.normalize("NFC", password)


def _words(about: Iterable[str]) -> set[str]:
    told = {"backhaul"} | {word.lower() for text in about for word in (text, *re.split(r"[\W_]+", text))}
    return {word for word in told if len(word) >= 4}


def _is_common(password: str) -> bool:
    """On the list as it is, or but for what people hang on to it: password2024!"""
    plain = password.lower()
    return not {plain, re.sub(r"[\W\d_]+$", "", plain), plain.strip("!?.*#@ ")}.isdisjoint(_common())


@cache
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415  (a megabyte, for whoever changes a password)

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 4)


def _is_listed(file: Path, password: str) -> bool:
    """Looks a hash up in the sorted file by halving: a few dozen reads, whatever its size."""
    wanted = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()  # the list's own way of naming passwords
    with file.open("rb") as lines:
        low, high = 0, lines.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            if middle > low:
                lines.seek(middle - 1)
                lines.readline()  # to the first line that begins here or later
            else:
                lines.seek(low)
            if (line := lines.readline()) and line[:40].upper() < wanted:
                low = lines.tell()
            else:
                high = middle
        lines.seek(low)
        return lines.readline()[:40].upper() == wanted


@cache
def _decoy(hasher: PasswordHasher) -> str:
    """The hash of a password nobody has, so that an unknown user takes as long to refuse as a wrong password."""
    return hasher.hash(secrets.token_urlsafe())
