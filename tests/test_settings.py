"""Settings: where each comes from, what is wrong with it, and what never shows."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from backhaul.core.errors import Problem
from backhaul.core.share import share
from backhaul.dispatch.setting_list import SETTINGS
from backhaul.dispatch.settings import Settings, home_folder, load
from tests.far_google import KEY, key_file

SECRET = "swordfish-swordfish-swordfish-swordfish"


def read(home: Path, written: str = "", *, flags: dict[str, str | None] | None = None, **env: str) -> Settings:
    home.mkdir(exist_ok=True)
    (home / "backhaul.toml").write_text(written, "utf-8")
    return load(flags, {"BACKHAUL_HOME": str(home), **env})


def told(*arguments: Any, **env: Any) -> str:
    with pytest.raises(Problem) as refused:
        read(*arguments, **env)
    return str(refused.value)


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    everywhere = read(tmp_path, "port = 3", flags={"port": "1"}, BACKHAUL_PORT="2")
    assert (everywhere["port"], everywhere.found["port"].source) == (1, "flag")
    without_flag = read(tmp_path, "port = 3", flags={"port": None}, BACKHAUL_PORT="2")
    assert (without_flag["port"], without_flag.found["port"].source) == (2, "environment (BACKHAUL_PORT)")
    written = read(tmp_path, "port = 3", BACKHAUL_PORT="")
    assert (written["port"], written.found["port"].source) == (3, str(tmp_path / "backhaul.toml"))
    nowhere = read(tmp_path)
    assert (nowhere["port"], nowhere.found["port"].source) == (8080, "default")
    assert (nowhere["quo_key"], nowhere.found["quo_key"].source) == (None, "not set")


def test_the_file_may_use_its_own_kinds_of_values(tmp_path: Path) -> None:
    settings = read(tmp_path, 'demo = true\ndatabase_pooled = false\nport = 9000\narchive_at = 04:30:00\nlog_level = "debug"')
    assert (settings["demo"], settings["database_pooled"], settings["port"]) == (True, False, 9000)
    assert (settings["archive_at"], settings["log_level"]) == ("04:30", "debug")


def test_a_misspelt_setting_in_the_file_is_named_with_those_that_are_known(tmp_path: Path) -> None:
    said = told(tmp_path, "prot = 3\nquokey = 'x'")
    assert "prot, quokey" in said
    assert "quo_key" in said


@pytest.mark.parametrize(
    "written", ["port = ", "port = 1\nport = 2", "\x00", "[port]\nx = 1", "port = [1]", "[database]\nurl = 'x'"]
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, written: str) -> None:
    assert "backhaul.toml" in told(tmp_path, written)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "backhaul.toml").mkdir()
    with pytest.raises(Problem, match=r"backhaul\.toml cannot be read"):
        load(env={"BACKHAUL_HOME": str(tmp_path)})
    (tmp_path / "backhaul.toml").rmdir()
    (tmp_path / "backhaul.toml").write_bytes(b"host = '\xff'")
    with pytest.raises(Problem, match=r"backhaul\.toml cannot be read"):
        load(env={"BACKHAUL_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("env", "value"),
    [("BACKHAUL_PORT", "http"), ("BACKHAUL_PORT", "65536"), ("BACKHAUL_PORT", "-1"), ("BACKHAUL_DEMO", "perhaps"),
     ("BACKHAUL_STAND_INS", "localhost:1"), ("BACKHAUL_MAPS", "bing"), ("BACKHAUL_MAPS_ELEMENTS_PER_MINUTE", "1e9"),
     ("BACKHAUL_MAPS_URL", "localhost:5000"), ("BACKHAUL_GEOCODER_URL", "nominatim"),
     ("BACKHAUL_WORKER_TASKS", "0"), ("BACKHAUL_LOG_LEVEL", "loud"), ("BACKHAUL_ARCHIVE_AT", "25:00"),
     ("BACKHAUL_ARCHIVE_AT", "three"), ("BACKHAUL_SUPABASE_URL", "ftp://x"), ("BACKHAUL_CALENDAR_USER", "the office"),
     ("BACKHAUL_MAIL_FROM", "Backhaul"), ("BACKHAUL_MAIL_FROM", "a@b.ca, c@d.ca"), ("BACKHAUL_PUBLIC_URL", "portal.example.ca"),
     ("BACKHAUL_QUO_API", "v2"), ("BACKHAUL_QUO_FROM", "902-555-0199"), ("BACKHAUL_QUO_FROM", "+0902"),
     ("BACKHAUL_QUO_FROM", "US1"),
     ("BACKHAUL_TRUSTED_PROXIES", "*"), ("BACKHAUL_TRUSTED_PROXIES", "10.0.0.5, proxy"),
     ("BACKHAUL_TRUSTED_PROXIES", "0.0.0.0/0"), ("BACKHAUL_TRUSTED_PROXIES", "10.0.0.5/24")],
)  # fmt: skip
def test_a_value_that_cannot_be_is_told_with_its_source_and_its_meaning(tmp_path: Path, env: str, value: str) -> None:
    setting = next(one for one in SETTINGS if one.env == env)
    said = told(tmp_path, **{env: value})
    assert f"The setting {setting.name} cannot be '{value}'" in said
    assert f"environment ({env})" in said
    assert setting.help in said


@pytest.mark.parametrize(
    ("env", "value"),
    [("DATABASE_URL", "mysql://me:swordfish@db/x"), ("DATABASE_URL", "postgres//me:swordfish@db/x"),
     ("DATABASE_URL", "host=db pasword=swordfish"), ("DATABASE_URL", "postgresql://me:swordfish@[::1/x"),
     ("BACKHAUL_JWT_SECRET", "swordfish"), ("BACKHAUL_SERVICE_KEY", "swordfish"), ("BACKHAUL_SLACK_WEBHOOK", "swordfish"),
     ("BACKHAUL_CALENDAR_KEY", "swordfish"), ("BACKHAUL_CALENDAR_KEY", '{"private_key": "swordfish"}'),
     ("BACKHAUL_CALENDAR_KEY", "swordfish\n" * 100), ("BACKHAUL_CALENDAR_KEY", "~swordfish/key.json"),
     ("BACKHAUL_SMTP_URL", "smtp://office:swordfish@mail.example.ca/inbox")],
)  # fmt: skip
def test_what_is_wrong_with_a_secret_is_told_without_it(tmp_path: Path, env: str, value: str) -> None:
    said = told(tmp_path, **{env: value})
    assert "cannot be its value" in said
    assert "swordfish" not in said


def test_secrets_are_shown_as_set(tmp_path: Path) -> None:
    secret = {one.env: SECRET for one in SETTINGS if one.secret} | {
        "DATABASE_URL": f"postgresql://me:{SECRET}@db/x",
        "BACKHAUL_SLACK_WEBHOOK": f"https://x.test/{SECRET}",
        "BACKHAUL_CALENDAR_KEY": key_file(private_key_id=SECRET),
        "BACKHAUL_SMTP_URL": f"smtp://office:{SECRET}@mail.example.ca",
    }
    settings = read(tmp_path, BACKHAUL_CALENDAR_USER="office@example.test", **secret)
    assert [found.shown for found in settings.found.values() if found.setting.secret] == ["set"] * len(secret)
    assert SECRET not in " ".join(found.shown for found in settings.found.values())


def test_a_service_accounts_key_is_given_as_it_is_or_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(key_file(), "utf-8")
    for given in (key_file(), f"\n {key_file()}", str(file)):
        settings = read(tmp_path, BACKHAUL_CALENDAR_KEY=given, BACKHAUL_CALENDAR_USER="office@example.test")
        assert settings["calendar_key"].account == KEY.account
    written = f"calendar_key = '{file}'\ncalendar_user = 'office@example.test'"
    assert read(tmp_path, written)["calendar_key"].account == KEY.account


def test_a_calendar_key_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "half").write_text(key_file()[:-1], "utf-8")
    (tmp_path / "picture").write_bytes(b"\xff\xd8")
    for name, why in (("none", "No such file"), ("", "Is a directory"), ("picture", "no text file"), ("half", "it is not JSON")):
        assert why in told(tmp_path, BACKHAUL_CALENDAR_KEY=str(tmp_path / name))


def test_calendars_must_belong_to_a_person(tmp_path: Path) -> None:
    said = told(tmp_path, BACKHAUL_CALENDAR_KEY=key_file())
    assert "The setting calendar_user is missing" in said
    assert read(tmp_path, BACKHAUL_CALENDAR_USER="office@example.test")["calendar_key"] is None


def test_a_calendar_key_means_the_real_services(tmp_path: Path) -> None:
    beside = tmp_path / "stand-ins" / "address"
    beside.parent.mkdir()
    beside.write_text("http://127.0.0.1:1", "utf-8")
    assert read(tmp_path)["stand_ins"] == "http://127.0.0.1:1"
    real = read(tmp_path, BACKHAUL_CALENDAR_KEY=key_file(), BACKHAUL_CALENDAR_USER="office@example.test")
    assert real["stand_ins"] is None


def test_the_address_for_people_is_the_one_that_is_set_or_else_where_we_listen(tmp_path: Path) -> None:
    assert read(tmp_path).public_address == "http://127.0.0.1:8080"
    assert read(tmp_path, BACKHAUL_HOST="::1", BACKHAUL_PORT="9000").public_address == "http://[::1]:9000"
    assert read(tmp_path, BACKHAUL_PUBLIC_URL="https://portal.example.ca/").public_address == "https://portal.example.ca"


def test_a_mail_server_means_the_real_services_even_beside_stand_ins(tmp_path: Path) -> None:
    (tmp_path / "stand-ins").mkdir()
    (tmp_path / "stand-ins" / "address").write_text("http://127.0.0.1:1")
    assert read(tmp_path)["stand_ins"] == "http://127.0.0.1:1"
    assert read(tmp_path, BACKHAUL_SMTP_URL="smtp://mail.example.ca")["stand_ins"] is None


def test_every_setting_has_a_name_a_variable_and_a_meaning_of_its_own() -> None:
    for attribute in ("name", "env", "help"):
        values = [getattr(setting, attribute) for setting in SETTINGS]
        assert all(values)
        assert len(set(values)) == len(values)


def test_an_installation_makes_its_own_secrets_once_for_nobody_else_to_read(tmp_path: Path) -> None:
    first, second = read(tmp_path / "home"), read(tmp_path / "home")
    assert first.jwt_secret == second.jwt_secret
    assert first.service_key != first.jwt_secret
    assert len(first.jwt_secret) >= 32
    for file in (tmp_path / "home" / "secrets").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.name in ("jwt_secret", "service_key")


def test_a_given_secret_is_used_and_none_is_made(tmp_path: Path) -> None:
    assert read(tmp_path, BACKHAUL_JWT_SECRET=SECRET).jwt_secret == SECRET
    assert not (tmp_path / "secrets").exists()


def test_a_home_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="cannot be used") as refused:
        assert load(env={"BACKHAUL_HOME": str(tmp_path / "file" / "home")}).jwt_secret
    assert "BACKHAUL_HOME" in str(refused.value)


def test_home_is_where_the_system_keeps_a_users_data_unless_said_otherwise(tmp_path: Path) -> None:
    assert home_folder({"BACKHAUL_HOME": str(tmp_path)}) == tmp_path
    assert home_folder({"BACKHAUL_HOME": "", "XDG_DATA_HOME": str(tmp_path)}, run_from=None) == tmp_path / "backhaul"
    assert home_folder({}, run_from=None) == Path.home() / ".local" / "share" / "backhaul"
    assert home_folder({}, run_from=tmp_path) == tmp_path / ".backhaul"
    assert home_folder({}) == share(".backhaul")  # the same home for `make up` and for the command line beside it
    assert home_folder({"BACKHAUL_HOME": "~/x"}) == Path(os.path.expanduser("~")) / "x"
    assert home_folder({"BACKHAUL_HOME": "x"}).is_absolute()
