"""What people type, made tidy: each kind of field once, with the words in which its faults are told.

A form collects all faults at once. Labels and texts are those of the portal's pages. Days and times are in wall_time.py.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Annotated, Any, get_args
from uuid import UUID

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import ValidationResult
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

from backhaul.core.errors import Rejected
from backhaul.core.faults import in_words
from backhaul.core.passwords import PasswordRules

# Also what turns the direction of writing, by which a name can be made to look like another's.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_POSTAL = re.compile(r"([A-Z][0-9][A-Z])[ -]?([0-9][A-Z][0-9])")
_PROVINCES = ("NS", "NB", "PE", "NL")


class Form(BaseModel):
    """A form as people fill it in. What they typed stays out of error texts and logs."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore", validate_default=True)

    @property
    def given(self) -> dict[str, Any]:
        """What was sent, by the fields' own names: a field left out is not there, one sent as null is there as None."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """Every way a field may be written, and its name on the page: the first of them."""
        return {
            spelling: choices[0]
            for name, field in cls.model_fields.items()
            for choices in (_choices(name, field.validation_alias),)
            for spelling in (name, *choices)
        }


class Change(Form):
    """A form that changes a record: a field left out stays as it is, null takes its value away; what is required may be left
    out, but not taken away. Derive from the form that makes the record, and from this one last:
    `class DestinationChange(NewDestination, Change)`. Then write what is `given`.
    """

    model_config = ConfigDict(validate_default=False)


def also(name: str, *others: str) -> Any:
    """A field by its wire name, and the other spellings that pages and documents have used for it."""
    return Field(default=None, validation_alias=AliasChoices(name, *others))


def needed(name: str, *others: str) -> Any:
    """The same of a field that even a change must name, such as the record's id."""
    return Field(default=None, validation_alias=AliasChoices(name, *others), validate_default=True)


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


class WithNewPassword(Form):
    """A form that may bring a new password for somebody. An empty one is none.

    What it must be is a setting of the installation, which no workflow knows: the endpoint judges it before the workflow begins,
    so that no transaction waits for a list of passwords to be looked through either.
    """

    password: Annotated[SecretStr, Field(max_length=1024)] | None = None

    @field_validator("password")
    @classmethod
    def _or_none(cls, typed: SecretStr | None) -> SecretStr | None:
        return typed if typed is not None and typed.get_secret_value() else None

    @abstractmethod
    def whose(self) -> tuple[str, ...]:
        """Names and addresses of whoever is to use it."""

    def must_suit(self, rules: PasswordRules) -> None:
        """Raises: Rejected, at its field, for a password that these rules refuse."""
        faults = rules.faults(self.password.get_secret_value(), self.whose()) if self.password else []
        if faults:
            raise faulty({"password": ". ".join(faults)})


def _choices(name: str, alias: object) -> list[str]:
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias or name)]


def rejected(error: ValidationError, form: type[Form]) -> Rejected:
    """All faults of a form, as one Rejected; `fields` says which fault belongs at which field of the page.

    A fault in a list of forms is found at "appointments.2.kNumber", and is told as that of row 3.
    """
    fields: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        where, row = _place(fault["loc"], form)
        text = in_words(where.rpartition(".")[2], fault)
        fields.setdefault(where, f"Row {row}: {text}" if row else text)
    return faulty(fields)


def faulty(fields: dict[str, str]) -> Rejected:
    """One Rejected of faults found at fields of the page, by hand or by pydantic."""
    faults = list(fields.values())
    problem = Rejected(
        "Validation failed: " + "; ".join(faults), todo="Correct what is named and save again", faults=faults, code="validation"
    )
    problem.fields = {where: text for where, text in fields.items() if where}
    return problem


def _place(loc: tuple[int | str, ...], form: type[Form]) -> tuple[str, int | None]:
    """Where a fault is, in the page's names; and in which row, counted from one, if it is in a list of forms."""
    if not loc:
        return "", None
    spelling = str(loc[0])
    where = form.spellings().get(spelling, spelling)
    if len(loc) < 2 or not isinstance(loc[1], int):
        return where, None
    inner = next(_forms_in(form, where), None)
    field, _ = _place(loc[2:], inner) if inner else ("", None)
    return ".".join(part for part in (where, str(loc[1]), field) if part), loc[1] + 1


def _forms_in(form: type[Form], where: str) -> Iterator[type[Form]]:
    for name, field in form.model_fields.items():
        if where in (name, *_choices(name, field.validation_alias)):
            yield from (kind for kind in get_args(field.annotation) if isinstance(kind, type) and issubclass(kind, Form))


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


def k_number(label: str, *, required: bool = False) -> Any:
    """A client's number, K and seven digits."""
    return BeforeValidator(_tidier(label, required=required, check=_k_number(label)))


def _k_number(label: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not re.fullmatch(r"[Kk][0-9]{7}", value, re.ASCII):
            raise ValueError(f"{label} must be in format K1234567")
        return value.upper()

    return check


def e164(value: str, label: str = "Phone") -> str:
    """A number as people write it, as E.164. Raises: ValueError."""
    number = _number(value)
    # "possible locally only" is a number without its area code
    if number is None or number.extension or phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise ValueError(f"{label} must be in format 902-555-0123")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


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
    return BeforeValidator(_tidier(label, required=required, longest=40, check=lambda value: e164(value, label)))


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


_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def is_yes(value: object) -> bool | None:
    """True or false, or a word for one of them; None for anything else."""
    return _WORDS.get(str(value).strip().lower()) if isinstance(value, str | int) else None


def yes_or_no(label: str, *, default: bool) -> Any:
    """True or false, or the words for them in a CSV file; nothing means the default."""

    def check(value: object) -> bool:
        if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none")):
            return default
        told = is_yes(value)
        if told is None:
            raise ValueError(f"{label} must be yes or no")
        return told

    return BeforeValidator(check)


def record_id(label: str, *, required: bool = False) -> Any:
    """The UUID of a record; nothing means none."""

    def check(value: object) -> UUID | None:
        if value is None or value == "" or value is Missing.FIELD:
            if required or value is Missing.FIELD:
                raise ValueError(f"{label} is required")
            return None
        try:
            return value if isinstance(value, UUID) else UUID(value if isinstance(value, str) else "")
        except ValueError:
            raise ValueError(f"{label} must be chosen from the list") from None

    return BeforeValidator(check)


def choice(label: str, *values: str, default: str | None = None, required: bool = False) -> Any:
    """One of a few words, in any casing; nothing means the default."""

    def check(value: object) -> str | None:
        if value is None or value == "" or value is Missing.FIELD:
            if required or value is Missing.FIELD:
                raise ValueError(f"{label} is required")
            return default
        if not isinstance(value, str) or value.strip().lower() not in values:
            raise ValueError(f"{label} must be one of {', '.join(values)}")
        return value.strip().lower()

    return BeforeValidator(check)


def whole_number(label: str, *, least: int, most: int, default: int | None = None) -> Any:
    """A whole number, as a number or as digits; nothing means the default."""

    def check(value: object) -> int | None:
        if value is None or value == "":
            return default
        digits = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not re.fullmatch(r"[0-9]{1,9}", digits) or not least <= int(digits) <= most:
            raise ValueError(f"{label} must be a whole number from {least} to {most}")
        return int(digits)

    return BeforeValidator(check)


def amount(label: str, *, most: int = 10_000) -> Any:
    """Dollars, to the cent; nothing means none."""

    def check(value: object) -> Decimal | None:
        if value is None or value == "":
            return None
        try:
            told = Decimal(str(value).strip().removeprefix("$")) if not isinstance(value, bool) else Decimal("NaN")
        except InvalidOperation:
            told = Decimal("NaN")
        if not told.is_finite() or not 0 <= told <= most or told != round(told, 2):
            raise ValueError(f"{label} must be an amount in dollars, like 85.50")
        return round(told, 2)

    return BeforeValidator(check)


def record_ids(label: str, *, most: int) -> Any:
    """The UUIDs of at least one record and at most so many; a single one may stand alone. Each is kept once."""
    each = record_id(label, required=True).func

    def check(value: object) -> list[UUID]:
        many = value if isinstance(value, list) else [] if value in (None, "") else [value]
        if not 1 <= len(many) <= most:
            raise ValueError(f"{label} must be chosen, from 1 to {most}")
        return list(dict.fromkeys(each(one) for one in many))

    return BeforeValidator(check)


KNumber = Annotated[str, k_number("K Number", required=True)]
Email = Annotated[str | None, BeforeValidator(_tidier("E-mail", required=False, longest=254, check=_email))]
RequiredEmail = Annotated[str, BeforeValidator(_tidier("E-mail", required=True, longest=254, check=_email))]
