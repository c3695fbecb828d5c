"""Every setting of Backhaul: its name, where it is set, what it is for, what it is otherwise, and what it may be."""

from __future__ import annotations

from backhaul.core.settings import Setting
from backhaul.dispatch.setting_kinds import (
    clock_time,
    email,
    file,
    networks,
    number,
    one_of,
    postgres,
    quo_number,
    secret,
    service_account,
    url,
    yes_no,
)
from backhaul.outside.mail import mailbox
from backhaul.outside.smtp import Server

SELF_HOSTED = ("osrm", "valhalla")  # map servers of one's own: they measure, but place no addresses

SETTINGS = (
    Setting(
        "database_url",
        "DATABASE_URL",
        "A Postgres 15+ or Supabase database, as postgresql://user:password@host:5432/name;"
        " without it Backhaul runs its own, embedded",
        secret=True,
        parse=postgres,
    ),
    Setting(
        "database_pooled", "BACKHAUL_DATABASE_POOLED", "yes when the API's address is a transaction pooler", "no", parse=yes_no
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
        parse=networks,
    ),
    Setting("port", "BACKHAUL_PORT", "The port to listen on; 0 takes a free one", "8080", parse=number(0, 65535)),
    Setting(
        "jwt_secret",
        "BACKHAUL_JWT_SECRET",
        "Signs access tokens: on Supabase, the project's JWT secret; at least 32 characters",
        secret=True,
        parse=secret,
    ),
    Setting(
        "service_key",
        "BACKHAUL_SERVICE_KEY",
        "What our own services show to the internal endpoints; at least 32 characters",
        secret=True,
        parse=secret,
    ),
    Setting(
        "password_least",
        "BACKHAUL_PASSWORD_LEAST",
        "The shortest password that may be chosen, 8 to 64; today's advice (NIST SP 800-63B-4) is 15 where a password is all"
        " that protects an account, as it is here",
        "8",
        parse=number(8, 64),
    ),
    Setting(
        "password_composed",
        "BACKHAUL_PASSWORD_COMPOSED",
        "yes asks for upper case, lower case, digit and sign; advised against, since it makes people choose Password1!",
        "no",
        parse=yes_no,
    ),
    Setting(
        "breached_passwords",
        "BACKHAUL_BREACHED_PASSWORDS",
        "A file of breached passwords to refuse, as haveibeenpwned's downloader makes it (SHA-1, sorted); the 30,000 commonest"
        " are refused without it",
        parse=file,
    ),
    Setting("demo", "BACKHAUL_DEMO", "yes brings demo users and data", "no", parse=yes_no),
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
        parse=url,
    ),
    Setting(
        "maps",
        "BACKHAUL_MAPS",
        "google-routes; google-distance-matrix for projects that still have it; osrm or valhalla for a server of your own",
        "google-routes",
        parse=one_of("google-routes", "google-distance-matrix", *SELF_HOSTED),
    ),
    Setting("maps_url", "BACKHAUL_MAPS_URL", "The address of your OSRM or Valhalla, when maps is one of them", parse=url),
    Setting(
        "geocoder_url",
        "BACKHAUL_GEOCODER_URL",
        "The address of your Nominatim, which places addresses for OSRM or Valhalla; not needed with a google_key",
        parse=url,
    ),
    Setting("google_key", "BACKHAUL_GOOGLE_KEY", "The Google Maps Platform key, restricted by address and API", secret=True),
    Setting(
        "maps_elements_per_minute",
        "BACKHAUL_MAPS_ELEMENTS_PER_MINUTE",
        "The Google project's quota of matrix elements a minute",
        "3000",
        parse=number(60, 600000),
    ),
    Setting("quo_key", "BACKHAUL_QUO_KEY", "The Quo API key: Workspace Settings → API", secret=True),
    Setting(
        "quo_from",
        "BACKHAUL_QUO_FROM",
        "The office's Quo number that texts come from, as +19025550199 or as Quo's id of it (PN…); without it no texts are sent",
        parse=quo_number,
    ),
    Setting(
        "quo_api",
        "BACKHAUL_QUO_API",
        "How contacts reach Quo: v1, or its dated surface 2026-03-30, which also keeps notes",
        "v1",
        parse=one_of("v1", "2026-03-30"),
    ),
    Setting(
        "calendar_key",
        "BACKHAUL_CALENDAR_KEY",
        "The key of the Google service account that keeps the drivers' calendars: its JSON, or the file that holds it; optional",
        secret=True,
        parse=service_account,
    ),
    Setting(
        "calendar_user",
        "BACKHAUL_CALENDAR_USER",
        "The e-mail address of the Workspace user who owns the drivers' calendars, for whom the service account acts",
        parse=email,
    ),
    Setting("slack_webhook", "BACKHAUL_SLACK_WEBHOOK", "Where the daily archive reports; optional", secret=True, parse=url),
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
        parse=url,
    ),
    Setting(
        "archive_at",
        "BACKHAUL_ARCHIVE_AT",
        "When old tasks are archived each day, office time (America/Halifax)",
        "03:00",
        parse=clock_time,
    ),
    Setting(
        "audit_check_at",
        "BACKHAUL_AUDIT_CHECK_AT",
        "When the audit log is checked each day, office time (America/Halifax)",
        "04:00",
        parse=clock_time,
    ),
    Setting(
        "supabase_url",
        "BACKHAUL_SUPABASE_URL",
        "The Supabase project's address, to use its Realtime in the browser; optional",
        parse=url,
    ),
    Setting("supabase_anon_key", "BACKHAUL_SUPABASE_ANON_KEY", "Its public (anon or publishable) key"),
    Setting("worker_tasks", "BACKHAUL_WORKER_TASKS", "How many tasks one worker has in hand at once", "20", parse=number(2, 200)),
    Setting(
        "log_level",
        "BACKHAUL_LOG_LEVEL",
        "debug, info, warning or error",
        "info",
        parse=one_of("debug", "info", "warning", "error"),
    ),
)

OWN_SECRETS = ("jwt_secret", "service_key")  # made at the first start unless they are set
# With any of these set, the real services are meant.
KEYS = ("google_key", "maps_url", "geocoder_url", "quo_key", "calendar_key", "slack_webhook", "smtp_url")
