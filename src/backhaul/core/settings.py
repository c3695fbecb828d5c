"""Settings: where each comes from, and what it means. Flag, then environment, then file, then default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backhaul.core.errors import Problem


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `name` is its key in backhaul.toml; `env` the environment variable; `parse` turns its text into its value."""

    name: str
    env: str
    help: str
    default: str | None = None
    secret: bool = False
    parse: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class Found:
    """A setting's value, and the source it came from: "flag", "environment", a file, "default", or "not set"."""

    setting: Setting
    value: Any
    source: str

    @property
    def shown(self) -> str:
        """As `backhaul check` prints it: secrets never."""
        if self.value is None:
            return "–"
        return "set" if self.setting.secret else str(self.value)


def read_settings(
    settings: Sequence[Setting], *, file: Path, flags: Mapping[str, str | None], env: Mapping[str, str] = os.environ
) -> dict[str, Found]:
    """Every setting by name.

    Raises: Problem naming the setting, its source and what is wrong with it; also for a name in the file that nobody knows.
    """
    written = _read_file(file, {setting.name for setting in settings})
    return {setting.name: _find(setting, flags, env, written, file) for setting in settings}


def _find(
    setting: Setting, flags: Mapping[str, str | None], env: Mapping[str, str], written: Mapping[str, str], file: Path
) -> Found:
    for source, text in (
        ("flag", flags.get(setting.name)),
        (f"environment ({setting.env})", env.get(setting.env)),
        (str(file), written.get(setting.name)),
        ("default", setting.default),
    ):
        if text is not None and text != "":
            return Found(setting, _parse(setting, text, source), source)
    return Found(setting, None, "not set")


def _parse(setting: Setting, text: str, source: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "its value" if setting.secret else repr(text)
        raise Problem(
            f"The setting {setting.name} cannot be {shown}",
            f"{error} (it comes from: {source})",
            f"Correct it: {setting.help}",
            code="setting",
        ) from error


def _read_file(file: Path, known: set[str]) -> dict[str, str]:
    try:
        written = tomllib.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # a home that is no folder is told when it is needed
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Problem(
            f"The settings file {file} cannot be read", str(error), "Correct it, or move it away", code="setting"
        ) from error
    strange = sorted(set(written) - known)
    if strange:
        raise Problem(
            f"The settings file {file} has a setting nobody knows: {', '.join(strange)}",
            "It may be misspelt",
            f"Known are: {', '.join(sorted(known))}",
            code="setting",
        )
    for name, value in written.items():
        if isinstance(value, list | dict):
            raise Problem(
                f"The setting {name} cannot be a list or a table", f"(it comes from: {file})", "Give it one value", code="setting"
            )
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in written.items()}
