"""Segments: what a preview of a template, and whoever pays for texts, may rely on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backhaul.outside.text_segments import Segments, segments

GSM = "abcXYZ 019@£é€[]{}~\n"


@pytest.mark.parametrize(
    ("text", "count", "left"),
    [
        ("", 0, 160),
        ("a", 1, 159),
        ("a" * 160, 1, 0),
        ("a" * 161, 2, 145),
        ("a" * 306, 2, 0),
        ("a" * 307, 3, 152),
        ("€" * 80, 1, 0),
        ("€" * 81, 2, 143),  # 76 to a part: the 77th would be torn
        ("é" * 160, 1, 0),
        ("ê", 1, 69),
        ("ê" * 70, 1, 0),
        ("ê" * 71, 2, 63),
        ("🚗" * 35, 1, 0),
        ("🚗" * 36, 2, 61),  # 33 to a part
        ("ê" + "a" * 69, 1, 0),
        ("’" + "a" * 70, 2, 63),
    ],
    ids=lambda value: repr(value[:2]) if isinstance(value, str) else str(value),
)
def test_segments_are_counted_as_carriers_count_them(text: str, count: int, left: int) -> None:
    counted = segments(text)
    assert (counted.count, counted.left) == (count, left)


def test_the_characters_that_make_a_text_dear_are_named_once_each() -> None:
    assert segments("Jane’s ride: Zoë’s car 🚗") == Segments(1, 45, ("’", "ë", "🚗"))
    assert segments("Jane's ride: 9:30 @ QEII").odd == ()


@given(st.text(alphabet="a€ê🚗", max_size=400))
def test_no_segment_holds_more_than_it_can(text: str) -> None:
    counted = segments(text)
    places = len(text.encode("utf-16-le")) // 2 if counted.odd else len(text) + sum(text.count(one) for one in "\f^{}\\[~]|€")
    alone, part = (70, 67) if counted.odd else (160, 153)
    if counted.count <= 1:
        assert places == alone - counted.left
    else:
        assert places > alone
        # at most one place in each part but the last is lost to a character that would be torn
        assert 0 <= counted.count * part - counted.left - places <= counted.count - 1


@given(st.text(alphabet=GSM, min_size=1, max_size=400), st.text(alphabet=GSM, max_size=20))
def test_a_longer_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert segments(text + more).count >= segments(text).count
