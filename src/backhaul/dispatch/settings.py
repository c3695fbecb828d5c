"""The settings as they are found, and the secrets that Backhaul makes for itself when it runs on its own database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from backhaul.core.errors import Problem
from backhaul.core.settings import Found, read_settings
from backhaul.core.share import checkout
from backhaul.dispatch.setting_list import KEYS, OWN_SECRETS, SETTINGS


@dataclass(frozen=True)
class Settings:
    """All settings as found. `home`: where all state of this installation lies."""

    home: Path
    found: Mapping[str, Found]

    def __getitem__(self, name: str) -> Any:
        return self.found[name].value

    @cached_property
    def jwt_secret(self) -> str:
        return self["jwt_secret"] or self._own("jwt_secret")

    @cached_property
    def service_key(self) -> str:
        return self["service_key"] or self._own("service_key")

    @property
    def public_address(self) -> str:
        """Where people reach the portal, without a slash at the end."""
        host = f"[{self['host']}]" if ":" in self["host"] else self["host"]
        return self["public_url"] or f"http://{host}:{self['port']}"

    @property
    def mail_folder(self) -> Path:
        """Where mails are kept when there is no mail server."""
        return self.home / "mail"

    @property
    def mails_kept_in(self) -> Path | None:
        """Where mails lie that go to nobody; None where a mail server sends them."""
        if self["stand_ins"]:
            return self.home / "stand-ins" / "mail"
        return None if self["smtp_url"] else self.mail_folder

    @property
    def stand_ins_file(self) -> Path:
        """Where a running `backhaul up` says at which address its stand-ins are."""
        return self.home / "stand-ins" / "address"

    def _own(self, name: str) -> str:
        """A secret of this installation: made once, kept under its home for nobody else to read."""
        file = self.home / "secrets" / name
        try:
            return _kept(file)
        except OSError as error:
            raise Problem(
                f"Backhaul's home {self.home} cannot be used",
                f"{error.strerror}: {error.filename}",
                "Name a folder that you may write with BACKHAUL_HOME",
                code="home",
            ) from error


def _kept(file: Path) -> str:
    """What the file holds; the first to ask puts it there."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as new:
        new.write(secrets.token_urlsafe(48))
    try:
        os.link(made, file)  # only the first of several starters keeps its secret
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return file.read_text("ascii")


def home_folder(env: Mapping[str, str] = os.environ, *, run_from: Path | None = checkout()) -> Path:  # noqa: B008  (never changes)
    """BACKHAUL_HOME; else `.backhaul` in the checkout it runs from, as make has it; else where the system keeps a user's data."""
    given = env.get("BACKHAUL_HOME")
    if given:
        return Path(given).expanduser().absolute()
    if run_from is not None:
        return run_from / ".backhaul"
    return Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "backhaul"


def load(
    flags: Mapping[str, str | None] | None = None, env: Mapping[str, str] = os.environ, *, beside_up: bool = True
) -> Settings:
    """Reads all settings. Raises: Problem on the first that is wrong.

    beside_up: where a `backhaul up` runs on this home with stand-ins, whatever else runs there uses them too, rather than
    ask the real services without a key. Any key that is set says otherwise.
    """
    home = home_folder(env)
    found = read_settings(SETTINGS, file=home / "backhaul.toml", flags=flags or {}, env=env)
    for name in OWN_SECRETS:
        kept = home / "secrets" / name
        if found[name].value is None and kept.is_file():
            found[name] = Found(found[name].setting, kept.read_text("ascii"), "made by this installation")
    settings = Settings(home, found)
    if settings["calendar_key"] and not settings["calendar_user"]:
        raise Problem(
            "The setting calendar_user is missing",
            "calendar_key is set, and the calendars that it keeps must belong to a person",
            f"Set it: {found['calendar_user'].setting.help}",
            code="setting",
        )
    told_otherwise = any(settings[name] for name in ("stand_ins", "database_url", *KEYS))
    if beside_up and not told_otherwise and settings.stand_ins_file.is_file():
        address = settings.stand_ins_file.read_text("utf-8").strip()
        found["stand_ins"] = Found(found["stand_ins"].setting, address, "the running `backhaul up`")
    return settings
