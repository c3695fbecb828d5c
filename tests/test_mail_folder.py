"""Mails themselves, and the folder that keeps them: what may stand in one, and how a developer gets to see it."""

from __future__ import annotations

import os
import stat
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, Unplaceable
from backhaul.core.line import NO_LIMITS
from backhaul.dispatch import checking
from backhaul.dispatch.messages.kept_mail import KeptMail
from backhaul.dispatch.messages.stand_in_mail import StandInMail
from backhaul.dispatch.outside import outside
from backhaul.outside.mail import Attachment, MailFolder, compose, mailbox
from backhaul.outside.smtp import Smtp
from tests.api_fixtures import settings_for
from tests.processes import stand_in_process
from tests.test_mail import NOW, OFFICE, body_of, letter

LINK = "https://backhaul.test/reset.html#token=" + "x" * 120


def read(written: bytes) -> EmailMessage:
    return message_from_bytes(written, _class=EmailMessage, policy=default)


# ── What may stand in a mail ──


HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]


@pytest.mark.parametrize("bad", ["\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\x00", "\x1b", "\ud800"])
def test_nothing_typed_by_a_person_can_begin_a_header_of_its_own(bad: str) -> None:
    injected = f"Hello{bad}Bcc: everybody@example.test"
    for field in ("subject", "to_name"):
        with pytest.raises(Malformed):
            letter(**{field: injected})
    for address in (f"jane@example.test{bad}Bcc: x@example.test", f"jane{bad}@example.test", f"jane@example.test{bad}"):
        with pytest.raises(Unplaceable):
            letter(to=address)
    for message_id in (f"task-1{bad}", f"task-1>{bad}Bcc: x@example.test"):
        with pytest.raises(Malformed):
            letter(message_id=message_id)
    for attachment in (Attachment(injected, "text/plain", b""), Attachment("a.txt", f"text/plain{bad}", b"")):
        with pytest.raises(Malformed):
            letter(attachments=[attachment])


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(str.strip))
def test_whatever_a_subject_a_name_or_a_file_is_called_a_mail_has_the_headers_it_should_have(words: str) -> None:
    plain = read(compose(letter(subject=words, to_name=words), OFFICE, NOW).as_bytes())
    assert sorted(plain.keys()) == sorted(HEADERS)
    assert [one.addr_spec for one in plain["To"].addresses] == ["jane@example.test"]
    assert body_of(plain) == "Choose one.\n"
    wide = read(compose(letter(to="zoë@example.test", subject=words, to_name=words), OFFICE, NOW).as_bytes())
    assert sorted(wide.keys()) == sorted(HEADERS)
    with_file = read(compose(letter(attachments=[Attachment(words, "text/csv", b"a,b")]), OFFICE, NOW).as_bytes())
    (file,) = with_file.iter_attachments()
    assert (file.get_content_type(), file.get_payload(decode=True)) == ("text/csv", b"a,b")


@pytest.mark.parametrize(
    "address",
    ["", " ", "jane", "jane@", "@example.test", "jane@example..test", "jane@-example.test", ".jane@example.test",
     "a b@example.test", "jane@example.test, ana@example.test", "Jane <jane@example.test>", "jane@example.test ",
     '"jane"@example.test', "jane@[127.0.0.1]", "j" * 65 + "@example.test", "jane@" + "x" * 64 + ".test",
     "jane@" + "example." * 40 + "test", "zoë @example.test", "zoë@exa mple.test", "jane@exa\u00a0mple.test"],
)  # fmt: skip
def test_an_address_that_no_mail_can_go_to_is_corrected_by_a_person(address: str) -> None:
    with pytest.raises(Unplaceable) as refused:
        letter(to=address)
    assert refused.value.code == "mail.address"
    assert "Correct the e-mail address" in refused.value.todo
    assert not address.strip() or address.strip() not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["o'brien+mail@example.test", "x@localhost", "x@corp.local", "a.b_c@sub.example.ca", "j@1.ca"]
)
def test_an_address_within_a_house_is_one_too(address: str) -> None:
    assert letter(to=address).to == address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Backhaul <backhaul@localhost>", "Backhaul <backhaul@localhost>"),
        ("office@example.ca", "office@example.ca"),
        ('"Roe, Jane" <jane@example.ca>', '"Roe, Jane" <jane@example.ca>'),
        ("Bürö <büro@exämple.ca>", "Bürö <büro@xn--exmple-cua.ca>"),
    ],
)
def test_a_sender_is_read(text: str, shown: str) -> None:
    assert str(mailbox(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "Backhaul", "<>", "a@b.ca, c@d.ca", "Jane <jane@example.ca> x", "a@b.ca\nBcc: c@d.ca", "Jane <jane>", "a b <a b@c.ca>"],
)
def test_what_is_no_sender_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it is not"):
        mailbox(text)


def test_a_mail_has_a_subject_and_a_name() -> None:
    for wrong in ({"subject": " "}, {"message_id": ""}, {"message_id": "a b"}, {"message_id": "a@b"}, {"message_id": "x" * 101}):
        with pytest.raises(Malformed):
            letter(**wrong)


# ── Kept in a folder ──


async def test_a_mail_is_kept_as_a_file_that_a_mail_program_opens_and_nobody_else_reads(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "mail"
    with capture_logs() as logged:
        await MailFolder(folder, OFFICE, now=lambda: NOW).send(
            letter(text=f"Choose one: {LINK}\n", subject="For jane@example.test")
        )
    (file,) = folder.iterdir()
    assert file.name.startswith("20261123T120000-")
    assert file.suffix == ".eml"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)
    mail = read(file.read_bytes())
    assert (mail["To"], body_of(mail)) == ("jane@example.test", f"Choose one: {LINK}\n")
    (line,) = logged
    assert line == {
        "event": "mail kept in folder",
        "log_level": "warning",
        "path": str(file),
        "subject": "For […]",
        "why": "no mail server is set",
    }


async def test_a_mail_kept_twice_in_a_second_is_one_and_two_mails_are_two(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path, OFFICE, now=lambda: NOW)
    for message_id in ("task-1", "task-1", "task-2"):
        await folder.send(letter(message_id=message_id))
    assert len(os.listdir(tmp_path)) == 2


async def test_a_folder_that_cannot_be_written_is_a_setting_to_correct(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = MailFolder(tmp_path / "file", OFFICE)
    for asked in (folder.send(letter()), folder.greet()):
        with pytest.raises(Misconfigured, match="smtp_url") as refused:
            await asked
        assert refused.value.code == "mail.folder"


async def test_the_settings_say_where_mail_goes(tmp_path: Path) -> None:
    for env, kind in (
        ({}, MailFolder),
        ({"BACKHAUL_SMTP_URL": "smtp://mail.example.ca"}, Smtp),
        ({"BACKHAUL_STAND_INS": "http://127.0.0.1:1"}, StandInMail),
        ({"BACKHAUL_STAND_INS": "http://127.0.0.1:1", "BACKHAUL_SMTP_URL": "smtp://mail.example.ca"}, StandInMail),
    ):
        async with outside(settings_for(tmp_path, **env), NO_LIMITS) as office:
            assert type(office.mail) is kind


# ── Shown on the terminal ──


async def test_a_mail_that_was_kept_is_shown_so_that_its_link_can_be_used(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path, OFFICE)
    await folder.send(letter(message_id="old"))
    said: list[str] = []
    shown = KeptMail(tmp_path, said.append)
    shown.look()
    assert said == []
    (tmp_path / ".20260101T000000-part.eml").write_text("being written")
    file = Attachment("März.pdf", "application/pdf", b"%PDF")
    text = f"Good day Zoë,\n\n  {LINK}\n"
    await folder.send(letter(to="zoë@example.test", to_name="Zoë Müller", subject="Grüße", text=text, attachments=[file]))
    for _ in range(2):
        shown.look()
    (block,) = said
    first, *lines = block.splitlines()
    assert first.startswith(f"── mail, kept in {tmp_path}/")
    assert lines == [
        "To: Zoë Müller <zoë@example.test>", "Subject: Grüße", "", "Good day Zoë,", "", f"  {LINK}",
        "[attached: März.pdf, application/pdf]", "── end of mail ──",
    ]  # fmt: skip


def test_what_a_mail_holds_cannot_move_the_cursor(tmp_path: Path) -> None:
    said: list[str] = []
    shown = KeptMail(tmp_path / "mail", said.append)
    shown.look()
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.eml").write_bytes(
        b"To: x\x1b[2J\r\nSubject: =?utf-8?q?a=1B=5B2J?=\r\n\r\n\x1b]0;x\x07\tb\r\n\xff\r\n"
    )
    (tmp_path / "mail" / "2.eml").write_bytes(b"Content-Type: text/html; charset=nonsense\r\n\r\n<p>")
    (tmp_path / "mail" / "3.eml").write_bytes(b"")
    (tmp_path / "mail" / "4.eml").mkdir()
    shown.look()
    assert len(said) == 4
    assert "\x1b" not in "".join(said)
    assert "\tb\n\ufffd\n" in said[0]
    assert "(it has no plain text)" in said[1]
    assert said[3].startswith("a mail cannot be shown: Is a directory")


def test_the_folder_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = [100.0]
    monkeypatch.setattr("backhaul.dispatch.messages.kept_mail.time.monotonic", lambda: time[0])
    said: list[str] = []
    shown = KeptMail(tmp_path, said.append)
    (tmp_path / "1.eml").write_bytes(b"Subject: x\r\n\r\n")
    for passed, heard in ((0.2, 0), (0.7, 0), (0.2, 1), (5.0, 1)):
        time[0] += passed
        shown.look_now_and_then()
        assert len(said) == heard


# ── Through the stand-ins, and the check ──


async def test_the_stand_ins_keep_what_is_sent_and_fail_as_they_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    with stand_in_process(tmp_path) as stand_in:
        shown = KeptMail(tmp_path / "mail", said.append)
        settings = settings_for(tmp_path, BACKHAUL_STAND_INS=stand_in.address)
        async with outside(settings, NO_LIMITS) as office:
            await office.mail.send(letter(text=LINK))
            stand_in.order(service="mail", fault="403")
            with pytest.raises(Misconfigured):
                await office.mail.send(letter())
            assert {one.name: one.ok for one in await checking.check_outside(settings)}["Mail"] is True
    shown.look()
    assert len(said) == 1
    assert LINK in said[0].splitlines()
    async with outside(settings, NO_LIMITS) as office:
        with pytest.raises(OutsideProblem) as away:
            await office.mail.send(letter())
        assert away.value.code == "mail.unreachable"


async def test_the_check_says_what_becomes_of_mail(tmp_path: Path) -> None:
    async def mail(**env: str) -> checking.Check:
        checks = await checking.check_outside(settings_for(tmp_path, **env))
        return next(one for one in checks if one.name == "Mail")

    kept = await mail()
    assert (kept.ok, kept.what) == (None, f"no mail server is set: mails are kept in {tmp_path / 'mail'} and sent to nobody")
    away = await mail(BACKHAUL_SMTP_URL="smtp://127.0.0.1:1")
    assert (away.ok, away.what) == (False, "The mail server could not be reached. No connection could be made.")
    (tmp_path / "mail").rmdir()
    (tmp_path / "mail").touch()
    assert (await mail()).ok is False
