"""The settings of Backhaul, and the secrets it makes for itself when it runs on its own database."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from backhaul.core.errors import Problem
from backhaul.core.settings import Found, Setting, read_settings
from backhaul.core.share import checkout
from backhaul.outside.google_token import Key, read_key
from backhaul.outside.mail import mailbox
from backhaul.outside.smtp import Server


def _yes_no(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
        raise ValueError("it is neither yes nor no")
    return text.lower() in ("true", "yes", "1", "on")


def _one_of(*words: str) -> Any:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is none of {', '.join(words)}")
        return text

    return parse


def _number(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"it is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _url(text: str) -> str:
    if not re.match(r"https?://[^\s/]+", text):
        raise ValueError("it is not an http(s) address")
    return text.rstrip("/")


def _secret(text: str) -> str:
    if len(text.encode()) < 32:
        raise ValueError("it has fewer than 32 characters")
    return text


def _quo_number(text: str) -> str:
    if not re.fullmatch(r"\+[1-9][0-9]{1,14}|PN\w+", text, re.ASCII):
        raise ValueError("it is neither a number like +19025550199 nor an id that begins with PN")
    return text


def _postgres(text: str) -> str:
    try:
        conninfo_to_dict(text)
    except psycopg.ProgrammingError:  # its words quote the address, and so the password
        raise ValueError("it is not the address of a Postgres database") from None
    return text


def _clock_time(text: str) -> str:
    try:
        return time.fromisoformat(text).strftime("%H:%M")
    except ValueError:
        raise ValueError("it is not a time of day like 03:00") from None


def _file(text: str) -> Path:
    file = Path(text).expanduser().absolute()
    if not file.is_file():
        raise ValueError("there is no such file")
    return file


def _service_account(text: str) -> Key:
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).expanduser().read_text("utf-8")
        except (OSError, RuntimeError, ValueError) as error:  # their words quote it, and it may be half a key
            why = error.strerror if isinstance(error, OSError) else "it is no text file, or no file's name"
            raise ValueError(f"it is neither JSON nor a file that can be read: {why}") from None
    return read_key(text)


def _networks(text: str) -> str:
    """Comma-separated addresses and networks, written in one way. Not everybody: then anybody could say they were anybody."""
    try:
        networks = [ip_network(part.strip()) for part in text.split(",")]
    except ValueError:
        raise ValueError("it is not a list of addresses like 10.0.0.5 and networks like 10.0.0.0/24") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("it would trust everybody")
    return ",".join(str(network) for network in networks)


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("it is not an e-mail address")
    return text


SELF_HOSTED = ("osrm", "valhalla")  # map servers of one's own: they measure, but place no addresses

SETTINGS = (
    Setting(
        "database_url",
        "DATABASE_URL",
        "A Postgres 15+ or Supabase database, as postgresql://user:password@host:5432/name;"
        " without it Backhaul runs its own, embedded",
        secret=True,
        parse=_postgres,
    ),
    Setting(
        "database_pooled", "BACKHAUL_DATABASE_POOLED", "yes when the API's address is a transaction pooler", "no", parse=_yes_no
    ),
    Setting(
        "session_url",
        "BACKHAUL_SESSION_URL",
        "A direct connection to the same database, to listen on when DATABASE_URL is a transaction pooler",
        secret=True,
    ),
    Setting("host", "BACKHAUL_HOST", "The address to listen on", "127.0.0.1"),
    Setting(
        "trusted_proxies",
        "BACKHAUL_TRUSTED_PROXIES",
        "The proxies whose word is taken for who asks, and by which scheme (X-Forwarded-For, X-Forwarded-Proto): their addresses"
        " or networks, separated by commas; nobody else who sends these headers is believed",
        "127.0.0.1, ::1",
        parse=_networks,
    ),
    Setting("port", "BACKHAUL_PORT", "The port to listen on; 0 takes a free one", "8080", parse=_number(0, 65535)),
    Setting(
        "jwt_secret",
        "BACKHAUL_JWT_SECRET",
        "Signs access tokens: on Supabase, the project's JWT secret; at least 32 characters",
        secret=True,
        parse=_secret,
    ),
    Setting(
        "service_key",
        "BACKHAUL_SERVICE_KEY",
        "What our own services show to the internal endpoints; at least 32 characters",
        secret=True,
        parse=_secret,
    ),
    Setting(
        "password_least",
        "BACKHAUL_PASSWORD_LEAST",
        "The shortest password that may be chosen, 8 to 64; today's advice (NIST SP 800-63B-4) is 15 where a password is all"
        " that protects an account, as it is here",
        "8",
        parse=_number(8, 64),
    ),
    Setting(
        "password_composed",
        "BACKHAUL_PASSWORD_COMPOSED",
        "yes asks for upper case, lower case, digit and sign; advised against, since it makes people choose Password1!",
        "no",
        parse=_yes_no,
    ),
    Setting(
        "breached_passwords",
        "BACKHAUL_BREACHED_PASSWORDS",
        "A file of breached passwords to refuse, as haveibeenpwned's downloader makes it (SHA-1, sorted); the 30,000 commonest"
        " are refused without it",
        parse=_file,
    ),
    Setting("demo", "BACKHAUL_DEMO", "yes brings demo users and data", "no", parse=_yes_no),
    Setting(
        "demo_password",
        "BACKHAUL_DEMO_PASSWORD",
        "The password of the demo users; otherwise a random one, printed once",
        secret=True,
    ),
    Setting(
        "stand_ins",
        "BACKHAUL_STAND_INS",
        "The address of the stand-ins; when set, Google, Quo, Slack and the mail server are never called",
        parse=_url,
    ),
    Setting(
        "maps",
        "BACKHAUL_MAPS",
        "google-routes; google-distance-matrix for projects that still have it; osrm or valhalla for a server of your own",
        "google-routes",
        parse=_one_of("google-routes", "google-distance-matrix", *SELF_HOSTED),
    ),
    Setting("maps_url", "BACKHAUL_MAPS_URL", "The address of your OSRM or Valhalla, when maps is one of them", parse=_url),
    Setting(
        "geocoder_url",
        "BACKHAUL_GEOCODER_URL",
        "The address of your Nominatim, which places addresses for OSRM or Valhalla; not needed with a google_key",
        parse=_url,
    ),
    Setting("google_key", "BACKHAUL_GOOGLE_KEY", "The Google Maps Platform key, restricted by address and API", secret=True),
    Setting(
        "maps_elements_per_minute",
        "BACKHAUL_MAPS_ELEMENTS_PER_MINUTE",
        "The Google project's quota of matrix elements a minute",
        "3000",
        parse=_number(60, 600000),
    ),
    Setting("quo_key", "BACKHAUL_QUO_KEY", "The Quo API key: Workspace Settings → API", secret=True),
    Setting(
        "quo_from",
        "BACKHAUL_QUO_FROM",
        "The office's Quo number that texts come from, as +19025550199 or as Quo's id of it (PN…); without it no texts are sent",
        parse=_quo_number,
    ),
    Setting(
        "quo_api",
        "BACKHAUL_QUO_API",
        "How contacts reach Quo: v1, or its dated surface 2026-03-30, which also keeps notes",
        "v1",
        parse=_one_of("v1", "2026-03-30"),
    ),
    Setting(
        "calendar_key",
        "BACKHAUL_CALENDAR_KEY",
        "The key of the Google service account that keeps the drivers' calendars: its JSON, or the file that holds it; optional",
        secret=True,
        parse=_service_account,
    ),
    Setting(
        "calendar_user",
        "BACKHAUL_CALENDAR_USER",
        "The e-mail address of the Workspace user who owns the drivers' calendars, for whom the service account acts",
        parse=_email,
    ),
    Setting("slack_webhook", "BACKHAUL_SLACK_WEBHOOK", "Where the daily archive reports; optional", secret=True, parse=_url),
    Setting(
        "smtp_url",
        "BACKHAUL_SMTP_URL",
        "The mail server, as smtp://user:password@host:587 (with STARTTLS) or smtps://user:password@host:465;"
        " without it mails are kept in a folder and sent to nobody",
        secret=True,
        parse=Server.at,
    ),
    Setting(
        "mail_from",
        "BACKHAUL_MAIL_FROM",
        "Whom our mails are from; the mail server must allow this address",
        "Backhaul <backhaul@localhost>",
        parse=mailbox,
    ),
    Setting(
        "public_url",
        "BACKHAUL_PUBLIC_URL",
        "The address at which people reach the portal, for links in mails; with https:// cookies are for TLS alone and browsers"
        " are told to use nothing else; otherwise http:// with host and port",
        parse=_url,
    ),
    Setting(
        "archive_at",
        "BACKHAUL_ARCHIVE_AT",
        "When old tasks are archived each day, office time (America/Halifax)",
        "03:00",
        parse=_clock_time,
    ),
    Setting(
        "audit_check_at",
        "BACKHAUL_AUDIT_CHECK_AT",
        "When the audit log is checked each day, office time (America/Halifax)",
        "04:00",
        parse=_clock_time,
    ),
    Setting(
        "supabase_url",
        "BACKHAUL_SUPABASE_URL",
        "The Supabase project's address, to use its Realtime in the browser; optional",
        parse=_url,
    ),
    Setting("supabase_anon_key", "BACKHAUL_SUPABASE_ANON_KEY", "Its public (anon or publishable) key"),
    Setting(
        "worker_tasks", "BACKHAUL_WORKER_TASKS", "How many tasks one worker has in hand at once", "20", parse=_number(2, 200)
    ),
    Setting(
        "log_level",
        "BACKHAUL_LOG_LEVEL",
        "debug, info, warning or error",
        "info",
        parse=_one_of("debug", "info", "warning", "error"),
    ),
)


OWN_SECRETS = ("jwt_secret", "service_key")  # made at the first start unless they are set
# With any of these set, the real services are meant.
KEYS = ("google_key", "maps_url", "geocoder_url", "quo_key", "calendar_key", "slack_webhook", "smtp_url")


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
