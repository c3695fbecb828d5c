"""How many segments a text message takes: what carriers count, and what is paid for.

A text in the GSM alphabet has room for 160 characters, any other for 70. Longer ones travel in parts that each lose a little room
to the number of the part. One curly quote or emoji makes the whole text an "other".
Source: 3GPP TS 23.038 (GSM 7 bit default alphabet and its extension); TS 23.040 (concatenation).
"""

from __future__ import annotations

from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")  # each takes two places
_GSM, _UNICODE = (160, 153), (70, 67)  # places in a text alone, and in each part of a longer one


@dataclass(frozen=True, slots=True)
class Segments:
    """count: what is paid for. left: places still free in the last segment. odd: the characters outside the GSM alphabet."""

    count: int
    left: int
    odd: tuple[str, ...]


def segments(text: str) -> Segments:
    """As Quo bills it. The placeholders of a template must be filled in first: a name may hold a character that is odd."""
    odd = tuple(dict.fromkeys(character for character in text if character not in _BASIC and character not in _EXTENDED))
    places = [_utf16(character) if odd else 2 if character in _EXTENDED else 1 for character in text]
    alone, part = _UNICODE if odd else _GSM
    if sum(places) <= alone:
        return Segments(1 if text else 0, alone - sum(places), odd)
    count, used = 1, 0
    for size in places:
        if used + size > part:  # a character is never torn between two parts
            count, used = count + 1, 0
        used += size
    return Segments(count, part - used, odd)


def _utf16(character: str) -> int:
    return len(character.encode("utf-16-le", "surrogatepass")) // 2
