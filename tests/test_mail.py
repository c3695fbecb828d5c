"""Mail by SMTP: what the tasks that write to people, and whoever reads their errors and logs, may rely on."""

from __future__ import annotations

import logging
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from backhaul.core.errors import (
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutsideProblem,
    RateLimited,
    Transient,
    Unplaceable,
)
from backhaul.core.limits import SharedLimits
from backhaul.core.line import NO_LIMITS
from backhaul.core.store import Store
from backhaul.dispatch.outside import limits_of
from backhaul.outside.mail import Attachment, Message, mailbox
from backhaul.outside.smtp import Server, Smtp
from backhaul.sandbox.faults import FaultDesk
from backhaul.sandbox.mail import MAIL_FAULTS, MailServer
from backhaul.sandbox.store import Store as StandInStore
from backhaul.sandbox.vendor import utc_now
from tests.api_fixtures import settings_for
from tests.fakes import CountingLimits
from tests.mail_server import HANG_UP, SILENCE, mail_server, trusting

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OFFICE = mailbox("Backhaul <office@backhaul.test>")
PASSWORD = "pass phrase/+ü"


def letter(**changed: Any) -> Message:
    fields = {"to": "jane@example.test", "subject": "A new password", "text": "Choose one.\n", "message_id": "task-1"}
    return Message(**{**fields, **changed})


def by(port: int, *, user: str = "", **settings: Any) -> Smtp:
    server = Server("127.0.0.1", port, user, PASSWORD if user else "", encrypted=settings.pop("encrypted", False))
    return Smtp(server, OFFICE, **{"limits": NO_LIMITS, "now": lambda: NOW, **settings})


def body_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def problem_of(smtp: Smtp, message: Message | None = None) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await smtp.send(message or letter())
    problem = caught.value
    assert problem.service == "The mail server"
    assert problem.what
    assert problem.why
    assert problem.todo
    return problem


async def answer_to(verb: str, answer: str, *, message: Message | None = None, offers: tuple[str, ...] = ()) -> OutsideProblem:
    """The problem when the server says this, instead of yes, to that."""
    user = "office" if verb == "AUTH" else ""
    async with mail_server({verb: answer}, *offers, *(("AUTH PLAIN",) if user else ())) as (_, port):
        return await problem_of(by(port, user=user), message)


# ── Against the stand-in: every fault it knows ──


class StandIn:
    """The mail server of the stand-ins, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.desk = FaultDesk({"mail": MAIL_FAULTS})
        self.server = MailServer(folder, self.desk, StandInStore(":memory:"), utc_now)

    def order(self, fault: str, **more: object) -> None:
        self.desk.order({"service": "mail", "fault": fault, **more})

    def mails(self) -> list[EmailMessage]:
        files = sorted(self.folder.glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=default) for file in files]

    def line(self, **settings: Any) -> Smtp:
        assert self.server.port is not None
        return by(self.server.port, **settings)


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    one = StandIn(tmp_path / "mail")
    await one.server.start()
    yield one
    await one.server.stop()


async def test_a_mail_arrives_as_it_was_written(stand_in: StandIn) -> None:
    text = "Good day,\n.a line that begins with a full stop\nhttps://backhaul.test/reset.html#token=" + "x" * 120 + "\nZoë\n"
    file = Attachment("Rechnung März.pdf", "application/pdf", b"%PDF\x00\xff\r\n.\r\n")
    await stand_in.line(user="office").send(letter(text=text, subject="Grüße", to_name="Roe, Jané", attachments=[file]))
    (mail,) = stand_in.mails()
    assert (mail["X-Envelope-From"], mail["X-Envelope-To"]) == ("office@backhaul.test", "jane@example.test")
    assert (str(mail["From"]), str(mail["To"])) == ("Backhaul <office@backhaul.test>", '"Roe, Jané" <jane@example.test>')
    assert (mail["Subject"], mail["Message-ID"]) == ("Grüße", "<task-1@backhaul.test>")
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    assert body_of(mail) == text
    (kept,) = mail.iter_attachments()
    assert (kept.get_filename(), kept.get_content_type(), kept.get_content()) == (file.name, file.media_type, file.content)


async def test_an_international_address_is_written_to_as_it_is(stand_in: StandIn) -> None:
    await stand_in.line().send(letter(to="zoë@exämple.ca", subject="Grüße", to_name="Zoë Müller"))
    (file,) = stand_in.folder.glob("*.eml")
    written = file.read_text("utf-8")
    assert "\nTo: Zoë Müller <zoë@xn--exmple-cua.ca>\n" in written
    assert "\nSubject: Grüße\n" in written
    assert "X-Envelope-To: zoë@xn--exmple-cua.ca\n" in written


async def test_a_domain_in_other_letters_needs_no_international_server(stand_in: StandIn) -> None:
    await stand_in.line().send(letter(to="jane@exämple.ca"))
    assert [mail["X-Envelope-To"] for mail in stand_in.mails()] == ["jane@xn--exmple-cua.ca"]
    assert next(stand_in.folder.glob("*.eml")).read_bytes().isascii()


@pytest.mark.parametrize(
    ("fault", "kind", "code", "delivered"),
    [
        ("401", Misconfigured, "mail.sign_in", 0),
        ("402", Misconfigured, "mail.quota", 0),
        ("403", Misconfigured, "mail.denied", 0),
        ("denied", Misconfigured, "mail.denied", 0),
        ("404", Unplaceable, "mail.recipient", 0),
        ("429", RateLimited, "mail.rate_limited", 0),
        ("500", RateLimited, "mail.451", 0),
        ("503", RateLimited, "mail.421", 0),
        ("timeout", Transient, "mail.timeout", 0),
        ("hold", OutcomeUnknown, "mail.timeout", 1),
        ("lost", OutcomeUnknown, "mail.broken", 1),
    ],
)
async def test_each_fault_of_the_stand_in_is_told_as_what_it_means(
    stand_in: StandIn, fault: str, kind: type[OutsideProblem], code: str, delivered: int
) -> None:
    limits = CountingLimits()
    stand_in.order(fault, times=1)
    problem = await problem_of(stand_in.line(limits=limits, read_s=0.2, scan_s=0.2))
    assert (type(problem), problem.code) == (kind, code)
    assert len(stand_in.mails()) == delivered
    assert limits.unwell == [("mail", code)]
    await stand_in.line(limits=limits).send(letter())
    assert len(stand_in.mails()) == delivered + 1
    assert (limits.taken, limits.well) == ([("mail", 1)] * 2, ["mail"])


async def test_no_fault_of_the_stand_in_is_left_out() -> None:
    parameters = test_each_fault_of_the_stand_in_is_told_as_what_it_means.pytestmark[0].args[1]  # type: ignore[attr-defined]  # set by pytest
    assert {one[0] for one in parameters} == MAIL_FAULTS - {"ok", "slow"}


async def test_a_slow_answer_is_waited_for(stand_in: StandIn) -> None:
    stand_in.order("slow", seconds=0.3)
    await stand_in.line(read_s=0.1).send(letter())
    assert len(stand_in.mails()) == 1


async def test_a_mail_sent_twice_can_be_known_as_one(stand_in: StandIn) -> None:
    for _ in range(2):
        await stand_in.line().send(letter())
    first, second = stand_in.mails()
    assert first["Message-ID"] == second["Message-ID"] == "<task-1@backhaul.test>"


async def test_a_greeting_sends_nothing(stand_in: StandIn) -> None:
    await stand_in.line(user="office").greet()
    assert stand_in.mails() == []


# ── What a refusal means ──


@pytest.mark.parametrize(
    ("verb", "answer", "kind", "code"),
    [
        ("", "421 too busy", RateLimited, "mail.421"),
        ("", "554 no mail for you", Misconfigured, "mail.denied"),
        ("EHLO", "550 who are you", Misconfigured, "mail.denied"),
        ("AUTH", "535 5.7.8 wrong", Misconfigured, "mail.sign_in"),
        ("AUTH", "534 5.7.9 use an application password", Misconfigured, "mail.sign_in"),
        ("AUTH", "538 5.7.11 encryption required", Misconfigured, "mail.sign_in"),
        ("AUTH", "500 what", Misconfigured, "mail.sign_in"),
        ("AUTH", "454 4.7.0 not now", RateLimited, "mail.rate_limited"),
        ("MAIL", "530 5.7.0 sign in first", Misconfigured, "mail.sign_in"),
        ("MAIL", "553 5.7.1 not your address", Misconfigured, "mail.denied"),
        ("MAIL", "550 5.1.8 no such domain", Misconfigured, "mail.sender"),
        ("MAIL", "553 no", Misconfigured, "mail.sender"),
        ("MAIL", "552 5.3.4 too big", Malformed, "mail.too_large"),
        ("MAIL", "555 unknown parameter", Malformed, "mail.555"),
        ("MAIL", "452 4.3.1 disk full", Transient, "mail.452"),
        ("RCPT", "450 4.2.1 mailbox busy", Transient, "mail.450"),
        ("RCPT", "450 4.7.1 greylisted", RateLimited, "mail.rate_limited"),
        ("RCPT", "550 no such user", Unplaceable, "mail.recipient"),
        ("RCPT", "550 5.1.1 no such user", Unplaceable, "mail.recipient"),
        ("RCPT", "551 moved", Unplaceable, "mail.recipient"),
        ("RCPT", "553 5.1.3 bad syntax", Unplaceable, "mail.recipient"),
        ("RCPT", "501 5.1.3 bad syntax", Unplaceable, "mail.recipient"),
        ("RCPT", "556 5.1.10 takes no mail", Unplaceable, "mail.recipient"),
        ("RCPT", "550 5.2.1 switched off", Unplaceable, "mail.recipient"),
        ("RCPT", "552 5.2.2 full", Unplaceable, "mail.mailbox_full"),
        ("RCPT", "550 5.7.1 relaying denied", Misconfigured, "mail.denied"),
        ("RCPT", "550 Relaying denied", Misconfigured, "mail.denied"),
        ("RCPT", "554 Relay access denied", Misconfigured, "mail.denied"),
        ("RCPT", "554 no", Malformed, "mail.554"),
        ("DATA", "554 no valid recipients", Malformed, "mail.554"),
        ("DATA", "451 4.3.0 fault", RateLimited, "mail.451"),
        (".", "552 5.3.4 too big", Malformed, "mail.too_large"),
        (".", "552 too big", Malformed, "mail.too_large"),
        (".", "552 5.2.2 full", Unplaceable, "mail.mailbox_full"),
        (".", "550 5.1.1 no such user after all", Unplaceable, "mail.recipient"),
        (".", "550 looks like spam", Malformed, "mail.550"),
        (".", "550 5.7.26 not signed", Misconfigured, "mail.denied"),
        (".", "554 5.6.0 not a message", Malformed, "mail.554"),
        (".", "450 4.2.1 busy", Transient, "mail.450"),
        ("RCPT", "hello?", Malformed, "mail.unreadable"),
        (".", "hello?", OutcomeUnknown, "mail.unreadable"),
        (".", "354 go on", OutcomeUnknown, "mail.unreadable"),
    ],
)
async def test_each_answer_is_told_as_what_it_means(verb: str, answer: str, kind: type[OutsideProblem], code: str) -> None:
    problem = await answer_to(verb, answer)
    assert (type(problem), problem.code) == (kind, code)


async def test_a_wait_is_long_enough_for_what_is_counted_by_the_minute() -> None:
    for answer in ("421 4.3.2 closing", "451 4.7.1 too many"):
        problem = await answer_to("MAIL", answer)
        assert isinstance(problem, RateLimited)
        assert problem.retry_after == 60


async def test_the_figures_of_an_answer_in_several_lines_are_read() -> None:
    problem = await answer_to(
        "RCPT", "550-5.1.1 The account does not exist.\r\n550 5.1.1 See https://help.test/?p=jane@example.test"
    )
    assert problem.code == "mail.recipient"
    assert problem.why == 'It answered 550: "5.1.1 The account does not exist. 5.1.1 See […]"'


@pytest.mark.parametrize(
    ("verb", "sent"), [("", False), ("EHLO", False), ("MAIL", False), ("RCPT", False), ("DATA", True), (".", True)]
)
async def test_before_the_text_nothing_was_sent_and_after_it_perhaps(verb: str, sent: bool) -> None:
    for answer in (HANG_UP, SILENCE):
        async with mail_server({verb: answer}) as (_, port):
            problem = await problem_of(by(port, connect_s=0.2, read_s=0.2, scan_s=0.2))
        assert type(problem) is (OutcomeUnknown if sent else Transient), (verb, answer)
        code = "unreachable" if verb == "" else "timeout" if answer == SILENCE else "broken"
        assert problem.code == f"mail.{code}"
        assert ("Ask the recipient" in problem.todo) == sent


async def test_a_server_that_takes_its_time_over_each_answer_is_given_up() -> None:
    async with mail_server({}, "AUTH PLAIN", delay_s=0.08) as (server, port):
        problem = await problem_of(by(port, user="office", connect_s=0.1, read_s=0.1, scan_s=0.02))
    assert (type(problem), problem.code) == (Transient, "mail.timeout")
    assert server.texts == []


async def test_a_mail_that_was_taken_is_sent_whatever_becomes_of_the_good_bye() -> None:
    for answer in (HANG_UP, "500 what"):
        async with mail_server({"QUIT": answer}) as (server, port):
            await by(port).send(letter())
        assert len(server.texts) == 1


async def test_without_a_server_nothing_was_sent() -> None:
    for host in ("127.0.0.1", "no-such-host.invalid"):
        problem = await problem_of(Smtp(Server(host, 1), OFFICE, limits=NO_LIMITS))
        assert (type(problem), problem.code) == (Transient, "mail.unreachable")
    problem = await problem_of(Smtp(Server("x" * 70 + ".test", 1), OFFICE, limits=NO_LIMITS))
    assert (type(problem), problem.code) == (Misconfigured, "mail.setting")


async def test_an_international_address_that_the_server_cannot_write_to_is_corrected_by_a_person() -> None:
    async with mail_server() as (server, port):
        problem = await problem_of(by(port), letter(to="zoë@example.test"))
    assert (type(problem), problem.code) == (Unplaceable, "mail.international")
    assert server.texts == []


# ── Encryption and sign-in ──


async def test_a_server_elsewhere_must_encrypt_before_it_hears_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "here", False)
    async with mail_server({}, "STARTTLS", "AUTH PLAIN", "SIZE 1000000") as (server, port):
        await by(port, user="office", tls=trusting()).send(letter())
    assert server.verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
    assert server.encrypted == [False, False, *[True] * 6]
    assert server.heard[4].startswith("MAIL FROM:<office@backhaul.test> SIZE=")
    assert int(server.heard[4].partition("SIZE=")[2]) == len(server.texts[0])


@pytest.mark.parametrize(
    ("answers", "offers", "kind", "code"),
    [
        ({}, ("AUTH PLAIN",), Misconfigured, "mail.encryption"),
        ({"STARTTLS": "554 5.7.3 unable"}, ("STARTTLS",), Misconfigured, "mail.encryption"),
        ({"STARTTLS": "454 4.7.0 not now"}, ("STARTTLS",), RateLimited, "mail.rate_limited"),
        ({"STARTTLS": HANG_UP}, ("STARTTLS",), Transient, "mail.broken"),
        ({}, ("STARTTLS",), Transient, "mail.tls"),
    ],
)
async def test_without_encryption_a_server_elsewhere_hears_neither_password_nor_mail(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], offers: tuple[str, ...], kind: type[OutsideProblem], code: str
) -> None:
    monkeypatch.setattr(Server, "here", False)
    async with mail_server(answers, *offers) as (server, port):
        problem = await problem_of(by(port, user="office"))  # this machine does not trust the certificate of the test
    assert (type(problem), problem.code) == (kind, code)
    assert not {"AUTH", "MAIL"} & set(server.verbs)


async def test_smtps_is_encrypted_from_the_first_byte_on() -> None:
    async with mail_server({}, "AUTH PLAIN", tls=True) as (server, port):
        await by(port, user="office", encrypted=True, tls=trusting()).send(letter())
        assert server.encrypted == [True] * 6
        for smtp, code in (
            (by(port, encrypted=True), "mail.tls"),
            (by(port, connect_s=0.3), "mail.unreachable"),
        ):
            problem = await problem_of(smtp)
            assert (type(problem), problem.code) == (Transient, code)
    assert len(server.texts) == 1


async def test_a_server_that_offers_no_sign_in_is_a_setting_to_correct() -> None:
    for offers in ((), ("AUTH GSSAPI",)):
        async with mail_server({}, *offers) as (_, port):
            problem = await problem_of(by(port, user="office"))
        assert (type(problem), problem.code) == (Misconfigured, "mail.sign_in")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://office:pass%20phrase%2F@mail.example.ca", Server("mail.example.ca", 587, "office", "pass phrase/")),
        (
            "smtps://office%40example.ca:x@mail.example.ca",
            Server("mail.example.ca", 465, "office@example.ca", "x", encrypted=True),
        ),
        ("smtp://127.0.0.1:2525/", Server("127.0.0.1", 2525)),
        ("smtp://[::1]:25", Server("::1", 25)),
    ],
)
def test_the_address_of_a_server_is_read(url: str, server: Server) -> None:
    assert Server.at(url) == server
    assert "pass" not in repr(server)


@pytest.mark.parametrize(
    "url",
    ["", "mail.example.ca", "http://mail.example.ca", "smtp://", "smtp://swordfish@mail.example.ca", "smtp://:swordfish@mail.ca",
     "smtp://me:swordfish@mail.ca:0", "smtp://me:swordfish@mail.ca:99999", "smtp://me:swordfish@mail.ca/inbox",
     "smtp://me:swordfish@mail.ca?tls=no", "smtp://me:sword#fish@mail.ca", "smtp://me:swordfish@[::1"],
)  # fmt: skip
def test_what_is_no_address_of_a_server_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^it ") as refused:
        Server.at(url)
    assert "fish" not in "".join(traceback.format_exception(refused.value))


def test_only_this_machine_may_be_spoken_to_without_encryption() -> None:
    assert all(Server(host, 25).here for host in ("localhost", "127.0.0.1", "127.8.9.1", "::1"))
    assert not any(Server(host, 25).here for host in ("mail.example.ca", "10.0.0.1", "localhost.example.ca", "::2"))


# ── What never shows ──


async def test_neither_the_person_nor_the_mail_nor_the_password_reaches_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    plain = b64encode(f"\0office@backhaul.test\0{PASSWORD}".encode()).decode()
    echo = f"{plain} {PASSWORD} jane@example.test Jane Quagmire, Secret-Subject"
    message = letter(to_name="Jane Quagmire", subject="Secret-Subject", text="https://backhaul.test/#token=abc")
    shown = ""
    with capture_logs() as logged:
        for verb in ("", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."):
            for answer in (f"550 5.0.0 {echo}", f"450 {echo}", f"hello? {echo}", HANG_UP):
                async with mail_server({verb: answer}, "AUTH PLAIN", "SMTPUTF8") as (_, port):
                    problem = await problem_of(by(port, user="office@backhaul.test"), message)
                shown += "".join(traceback.format_exception(problem)) + repr(vars(problem))
    assert len(logged) == 28
    shown += caplog.text + str(logged) + repr(message)
    for secret in ("jane", "Quagmire", "example.test", "Secret", "token", PASSWORD, plain, "office@"):
        assert secret not in shown, secret


async def test_a_mail_is_one_line_in_the_log(stand_in: StandIn) -> None:
    with capture_logs() as logged:
        await stand_in.line().send(letter())
        stand_in.order("404", times=1)
        await problem_of(stand_in.line())
    for line in logged:
        assert line.pop("ms") >= 0
    sent = {"event": "outbound", "service": "mail", "units": 1, "stage": "text", "log_level": "info"}
    assert logged == [sent, sent | {"stage": "recipient", "status": 550, "problem": "mail.recipient"}]


# ── Limits and holds ──


async def test_a_server_that_refuses_us_is_put_on_hold_and_no_worse_than_that(
    store: Store, stand_in: StandIn, tmp_path: Path
) -> None:
    limits = SharedLimits(store)
    await limits.set(*limits_of(settings_for(tmp_path)))
    stand_in.order("404", times=1)
    assert (await problem_of(stand_in.line(limits=limits))).code == "mail.recipient"
    await stand_in.line(limits=limits).send(letter())  # one wrong address holds nobody up
    stand_in.order("403", times=1)
    assert (await problem_of(stand_in.line(limits=limits))).code == "mail.denied"
    with pytest.raises(Exception, match="takes no mail from us") as held:
        await stand_in.line(limits=limits).send(letter())
    assert getattr(held.value, "code", "") == "held"
    assert len(stand_in.mails()) == 1
