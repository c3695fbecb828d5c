"""What is wrong with a value that somebody sent, in words for whoever sent it; never the value itself."""

from __future__ import annotations

from typing import Any

NOT_JSON = "The body is not valid JSON"
NOT_AN_OBJECT = "The body is not a JSON object"

_OBJECT = frozenset({"dict_type", "model_type", "model_attributes_type", "dataclass_type"})
_MUST_BE = {
    **dict.fromkeys(_OBJECT, "an object"),
    "missing": "given",
    "string_pattern_mismatch": "one of the values it may have",
    "string_type": "text",
    "string_unicode": "text without broken characters",
    "list_type": "a list",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a number of reasonable size",
    "uuid_type": "a UUID",
    "uuid_parsing": "a UUID",
}


def in_words(where: str, fault: Any) -> str:
    """One of pydantic's faults. where: the field's name as the sender wrote it, or nothing for the whole."""
    kind, said = fault["type"], str(fault["msg"])
    if kind == "json_invalid":
        return NOT_JSON
    if not where and (kind in _OBJECT or kind == "missing"):
        return NOT_AN_OBJECT
    if kind == "value_error":  # our own words already
        return said.removeprefix("Value error, ")
    return f"{where or 'The request'} {_predicate(kind, said)}"


def _predicate(kind: str, said: str) -> str:
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind]}"
    head, found, rest = said.partition(" should ")  # "Input should be less than 5"
    return f"must {rest}" if found else f"is not right: {head[:1].lower()}{head[1:]}"
