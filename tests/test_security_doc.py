"""docs/security.md keeps its word: every requirement is judged once, and every test it names is there.

The levels below are those of OWASP ASVS 5.0.0, one figure for each requirement of a section, in order.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "security.md"

LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3", "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222",
    "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222",
    "6.1": "122", "6.2": "111111112222", "6.3": "11223333", "6.4": "112233", "6.5": "22222333", "6.6": "2223", "6.7": "33",
    "6.8": "2222",
    "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22",
    "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23",
    "9.1": "111", "9.2": "1222",
    "10.1": "22", "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222", "10.6": "22", "10.7": "222",
    "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222", "11.5": "23", "11.6": "23", "11.7": "33",
    "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233",
    "14.1": "22", "14.2": "12223333", "14.3": "122",
    "15.1": "12233", "15.2": "12233", "15.3": "1222222", "15.4": "3333",
    "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
}  # fmt: skip
REQUIREMENTS = {f"{section}.{n}": int(level) for section, levels in LEVELS.items() for n, level in enumerate(levels, 1)}

_NUMBER = r"[1-9]\d?\.[1-9]\d?\.[1-9]\d?"
_TEST = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`")
Rows = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The rows that judge requirements, by the heading they stand under: their cells, the numbers first."""
    found: Rows = {}
    heading = ""
    for line in DOCUMENT.read_text("utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and re.match(r"\d+\.\d+", cells[0]):
            found.setdefault(heading, []).append([cells[0].strip(), *cells[1:]])
    return found


def numbers(cell: str) -> Iterator[str]:
    """Of "1.2.6–1.2.8, 4.3, 10.5–10.7": three requirements, all of a section, all of three sections."""
    for part in cell.split(", "):
        first, _, last = part.partition("–")
        head, _, start = first.rpartition(".")
        for n in range(int(start), int((last or first).removeprefix(f"{head}.")) + 1):
            one = f"{head}.{n}"
            yield from (f"{one}.{m}" for m in range(1, len(LEVELS[one]) + 1)) if one.count(".") == 1 else (one,)


def test_every_requirement_of_levels_1_and_2_is_judged_and_none_twice(rows: Rows) -> None:
    judged = Counter(number for table in rows.values() for cells in table for number in numbers(cells[0]))
    assert set(judged) <= set(REQUIREMENTS), "no such requirement"
    assert {number for number, times in judged.items() if times > 1 and REQUIREMENTS[number] < 3} == set()
    assert {number for number, level in REQUIREMENTS.items() if level < 3} - set(judged) == set()


def test_what_is_met_says_its_level_how_and_what_proves_it(rows: Rows) -> None:
    assert len(rows["What is met"]) > 100
    for number, level, *asked_how, proof in rows["What is met"]:
        assert REQUIREMENTS[number] == int(level), number
        assert len(asked_how) == 2, number
        assert all(asked_how), number
        assert _TEST.search(proof) or proof == "`make check`" or proof.startswith("read "), f"{number} is proved by nothing"


def test_every_test_that_the_document_names_is_there() -> None:
    named = set(_TEST.findall(DOCUMENT.read_text("utf-8")))
    assert len(named) > 100
    assert {f"{file}::{name}" for file, name in named if name not in defined(TESTS / file)} == set()


def test_every_requirement_that_a_test_says_it_proves_is_in_the_document(rows: Rows) -> None:
    judged = {number for table in rows.values() for cells in table for number in numbers(cells[0])}
    claimed = {(file.name, number) for file in TESTS.rglob("test_*.py") for number in proved_by(file)}
    assert len(claimed) > 50
    assert {(file, number) for file, number in claimed if number not in judged} == set()


@cache
def defined(file: Path) -> set[str]:
    """The names of the tests in a file; none where there is no such file."""
    if not file.is_file():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def proved_by(file: Path) -> Iterator[str]:
    """The requirements in the names ("asvs_7_5_1") and docstrings ("(7.5.1)", "ASVS 7.5.1") of a file's tests."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            if not isinstance(node, ast.Module):
                yield from (".".join(parts) for parts in re.findall(r"asvs_(\d+)_(\d+)_(\d+)", node.name))
            told = ast.get_docstring(node) or ""
            for group in re.findall(rf"(?:\(|ASVS )[^)]*?({_NUMBER}[^)]*)", told):
                yield from re.findall(_NUMBER, group)
