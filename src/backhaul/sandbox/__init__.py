"""Stand-ins for the services outside: Google Maps, OSRM, Valhalla, Nominatim, Quo, Slack, Google Calendar and a mail server.

They answer in the vendors' documented shapes, keep what they are told, and fail on demand, so that a demo needs no keys and every
failure can be had by asking for it. They are no vendor and never claim to be: each answer carries an `X-Stand-In` header.

    python -m backhaul.sandbox --port 0 --home DIR      one process on 127.0.0.1; prints "stand-ins ready http://127.0.0.1:PORT"
    backhaul.sandbox.app.create_app(":memory:")         the same inside a test, for httpx.ASGITransport

Each vendor keeps its own paths, so one base URL serves all of them; `/_stand-ins/…` is how a person or a test talks to the
stand-ins themselves. Nothing here is shared with the adapters in `backhaul.outside`: both were written from the vendors'
documentation, so that a misreading on one side shows as a failing call instead of two agreeing mistakes.
"""
