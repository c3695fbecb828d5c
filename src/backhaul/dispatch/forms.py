"""What people type, made tidy: each kind of field once, with the words in which its faults are told.

A form collects all faults at once. Labels and texts are those of the portal's pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import ValidationResult
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from backhaul.core.errors import Rejected
from backhaul.core.faults import in_words

# Also what turns the direction of writing, by which a name can be made to look like another's.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_POSTAL = re.compile(r"([A-Z][0-9][A-Z])[ -]?([0-9][A-Z][0-9])")
_PROVINCES = ("NS", "NB", "PE", "NL")


class Form(BaseModel):
    """A form as people fill it in. What they typed stays out of error texts and logs."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore", validate_default=True)

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Every way a field may be written, and its name on the page: the first of them."""
        return {
            spelling: choices[0]
            for name, field in cls.model_fields.items()
            for choices in (_choices(name, field.validation_alias),)
            for spelling in (name, *choices)
        }


class WithPassword(Form):
    """A form that may bring the caller's own password, because what it changes asks for it again.

    Nothing here says "proved", so no body can claim it. The endpoint judges the password before the workflow begins, and a right
    one is noted with the caller's session, in the database (Accounts.prove_in_session). What the sync phase calls there asks
    for that note where a change needs it, and refuses at the field `currentPassword` where there is none. So the workflow knows
    nothing of passwords, no transaction waits for argon2, and the rule holds for whoever calls the same function by hand.
    """

    current_password: Annotated[SecretStr, Field(max_length=1024)] | None = Field(
        default=None, validation_alias=AliasChoices("currentPassword", "current_password")
    )


def _choices(name: str, alias: object) -> list[str]:
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias or name)]


def rejected(error: ValidationError, form: type[Form]) -> Rejected:
    """All faults of a form, as one Rejected; `fields` says which fault belongs at which field of the page."""
    page_names = form.spellings()
    fields: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        spelling = str(fault["loc"][0]) if fault["loc"] else ""
        where = page_names.get(spelling, spelling)
        fields.setdefault(where, in_words(where, fault))
    faults = list(fields.values())
    problem = Rejected(
        "Validation failed: " + "; ".join(faults), todo="Correct what is named and save again", faults=faults, code="validation"
    )
    problem.fields = {where: text for where, text in fields.items() if where}
    return problem


class Missing(Enum):
    """In place of a field that other fields of the form make necessary."""

    FIELD = "missing"


def text(label: str, *, required: bool = False, longest: int = 200, lines: bool = False) -> Any:
    """Text: trimmed; empty means not given. lines: it may have several; otherwise any white space is one blank."""
    return BeforeValidator(_tidier(label, required=required, longest=longest, lines=lines))


def _tidier(
    label: str, *, required: bool, longest: int = 200, lines: bool = False, check: Callable[[str], str] = str
) -> Callable[[object], str | None]:
    def tidy(value: object) -> str | None:
        if value is Missing.FIELD:
            raise ValueError(f"{label} is required")
        if value is None:
            value = ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise ValueError(f"{label} must be text")
        tidied = value.strip() if lines else " ".join(value.split())
        if _CONTROL.search(value):
            raise ValueError(f"{label} holds characters that cannot be kept")
        if required and not any(sign.isprintable() and sign != " " for sign in tidied):
            raise ValueError(f"{label} is required")
        if len(tidied) > longest:
            raise ValueError(f"{label} is longer than {longest} characters")
        return check(tidied) if tidied else None

    return tidy


def _k_number(value: str) -> str:
    if not re.fullmatch(r"[Kk][0-9]{7}", value, re.ASCII):
        raise ValueError("K Number must be in format K1234567")
    return value.upper()


def _phone(label: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        number = _number(value)
        # "possible locally only" is a number without its area code
        if (
            number is None
            or number.extension
            or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE
        ):
            raise ValueError(f"{label} must be in format 902-555-0123")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    return check


def _number(value: str) -> phonenumbers.PhoneNumber | None:
    if any(character.isalpha() for character in value):  # 1-800-FLOWERS is for adverts; here a letter is a slip
        return None
    try:
        return phonenumbers.parse(value, "CA")
    except phonenumbers.NumberParseException:
        return None


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        raise ValueError("E-mail must be a valid address, like jane@example.com") from None


def _postal_code(label: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        match = _POSTAL.fullmatch(value.upper())
        if match is None:
            raise ValueError(f"{label} must be in format A1A 1A1")
        return f"{match[1]} {match[2]}"

    return check


def _province(label: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value.upper() not in _PROVINCES:
            raise ValueError(f"{label} must be one of {', '.join(_PROVINCES)}")
        return value.upper()

    return check


def phone(label: str = "Phone", *, required: bool = False) -> Any:
    """Any way of writing a Canadian or international number; kept as E.164."""
    return BeforeValidator(_tidier(label, required=required, longest=40, check=_phone(label)))


def postal_code(label: str = "Postal code", *, required: bool = False) -> Any:
    return BeforeValidator(_tidier(label, required=required, longest=10, check=_postal_code(label)))


def province(label: str = "Province", *, required: bool = False) -> Any:
    return BeforeValidator(_tidier(label, required=required, longest=40, check=_province(label)))


def minutes(label: str, *, least: int, most: int, default: int) -> Any:
    """A whole number of minutes, as a number or as digits; nothing means the default."""

    def check(value: object) -> int:
        if value is None or value == "":
            return default
        digits = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not re.fullmatch(r"[0-9]{1,9}", digits) or not least <= int(digits) <= most:
            raise ValueError(f"{label} must be between {least} and {most} minutes")
        return int(digits)

    return BeforeValidator(check)


def yes_or_no(label: str, *, default: bool) -> Any:
    """True or false, or the words for them in a CSV file; nothing means the default."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": default, "none": default}

    def check(value: object) -> bool:
        told = words.get(str(value).strip().lower()) if value is None or isinstance(value, str | int) else None
        if told is None:
            raise ValueError(f"{label} must be yes or no")
        return told

    return BeforeValidator(check)


def choice(label: str, words: Sequence[str]) -> Any:
    """One of these words."""

    def check(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in words:
            raise ValueError(f"{label} must be one of {', '.join(words)}" if word else f"{label} is required")
        return word

    return BeforeValidator(check)


def record_id(label: str, *, required: bool = False) -> Any:
    """The UUID of another record; nothing means none."""

    def check(value: object) -> UUID | None:
        if value is None or value == "":
            if required:
                raise ValueError(f"{label} is required")
            return None
        try:
            return value if isinstance(value, UUID) else UUID(value if isinstance(value, str) else "")
        except ValueError:
            raise ValueError(f"{label} must be chosen from the list") from None

    return BeforeValidator(check)


KNumber = Annotated[str, BeforeValidator(_tidier("K Number", required=True, check=_k_number))]
RequiredEmail = Annotated[str, BeforeValidator(_tidier("E-mail", required=True, longest=254, check=_email))]
