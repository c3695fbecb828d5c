"""Which browser and system a request came from, in words by which a person knows their own devices apart.

A table of our own, and no library: the one question is "is that mine?". For that the maker and the system are enough, and
those stand in the header in ways that have not changed for years. What libraries add, versions and models in thousands of
patterns, browsers have stopped telling ("reduced" headers). The header can say anything, so nothing is decided by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# In this order: nearly every browser also claims to be those that come after it.
_BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"(OPR|OPT|OPiOS|Opera)/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Vivaldi", r"Vivaldi/"),
    ("DuckDuckGo", r"(DuckDuckGo|Ddg)/"),
    ("Firefox", r"(Firefox|FxiOS)/"),
    ("Chrome", r"(Chrome|CriOS|Chromium|HeadlessChrome)/"),
    ("Safari", r"Version/[\d.]+ .*Safari/"),
)
_SYSTEMS = (
    ("an iPhone", "phone", r"\(iPhone|\(iPod"),
    ("an iPad", "tablet", r"\(iPad"),
    ("an Android phone", "phone", r"Android.*Mobile"),
    ("an Android tablet", "tablet", r"Android"),
    ("ChromeOS", "computer", r"CrOS"),
    ("Windows", "computer", r"Windows NT"),
    ("a Mac", "computer", r"Macintosh"),
    ("Linux", "computer", r"Linux|X11"),
)
_PROGRAM = re.compile(r"(?!Mozilla/)([A-Za-z][A-Za-z0-9._-]{0,39})(/|$)")


@dataclass(frozen=True, slots=True)
class Device:
    """words: "Firefox on Windows". kind: phone, tablet, computer, program or unknown."""

    words: str
    kind: str


def device(user_agent: str | None) -> Device:
    """What a User-Agent header says, as far as it can be told; one that tells nothing we know is an unknown device."""
    said = user_agent or ""
    browser = next((name for name, pattern in _BROWSERS if re.search(pattern, said)), None)
    system, kind = next(((name, kind) for name, kind, pattern in _SYSTEMS if re.search(pattern, said)), (None, "unknown"))
    if browser is None and (program := _PROGRAM.match(said)):
        return Device(f"A program ({program[1]})", "program")
    if browser is None and system is None:
        return Device("An unknown device", "unknown")
    return Device(f"{browser or 'A browser'} on {system or 'an unknown device'}", kind)
