"""What a setting may be: each takes the text that was set, and raises ValueError saying why it cannot be."""

from __future__ import annotations

import re
from datetime import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from backhaul.outside.google_token import Key, read_key


def yes_no(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "1", "0", "on", "off"):
        raise ValueError("it is neither yes nor no")
    return text.lower() in ("true", "yes", "1", "on")


def one_of(*words: str) -> Any:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it is none of {', '.join(words)}")
        return text

    return parse


def number(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"it is not a whole number from {low} to {high}")
        return int(text)

    return parse


def url(text: str) -> str:
    if not re.match(r"https?://[^\s/]+", text):
        raise ValueError("it is not an http(s) address")
    return text.rstrip("/")


def secret(text: str) -> str:
    if len(text.encode()) < 32:
        raise ValueError("it has fewer than 32 characters")
    return text


def quo_number(text: str) -> str:
    if not re.fullmatch(r"\+[1-9][0-9]{1,14}|PN\w+", text, re.ASCII):
        raise ValueError("it is neither a number like +19025550199 nor an id that begins with PN")
    return text


def postgres(text: str) -> str:
    try:
        conninfo_to_dict(text)
    except psycopg.ProgrammingError:  # its words quote the address, and so the password
        raise ValueError("it is not the address of a Postgres database") from None
    return text


def clock_time(text: str) -> str:
    try:
        return time.fromisoformat(text).strftime("%H:%M")
    except ValueError:
        raise ValueError("it is not a time of day like 03:00") from None


def file(text: str) -> Path:
    file = Path(text).expanduser().absolute()
    if not file.is_file():
        raise ValueError("there is no such file")
    return file


def service_account(text: str) -> Key:
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).expanduser().read_text("utf-8")
        except (OSError, RuntimeError, ValueError) as error:  # their words quote it, and it may be half a key
            why = error.strerror if isinstance(error, OSError) else "it is no text file, or no file's name"
            raise ValueError(f"it is neither JSON nor a file that can be read: {why}") from None
    return read_key(text)


def networks(text: str) -> str:
    """Comma-separated addresses and networks, written in one way. Not everybody: then anybody could say they were anybody."""
    try:
        networks = [ip_network(part.strip()) for part in text.split(",")]
    except ValueError:
        raise ValueError("it is not a list of addresses like 10.0.0.5 and networks like 10.0.0.0/24") from None
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("it would trust everybody")
    return ",".join(str(network) for network in networks)


def email(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("it is not an e-mail address")
    return text
