"""Everything that can go wrong, as one tree. Each error says what failed, why, and what to do about it.

    Problem
    ├── Rejected             400  a person corrects what they typed; `faults` lists all of them at once
    ├── Unauthenticated      401  the token is missing, expired or not ours: sign in again
    ├── Forbidden            403  this person may not do this
    ├── NotFound             404  nothing of that name for this person
    ├── Conflict             409  it clashes with what is stored, or with what somebody else is doing
    ├── Locked               423  refused for a while, on purpose
    ├── TooMany              429  slow down
    │   └── Busy             503  not this caller, but all of them together
    ├── LeaseLost                 another worker has taken this task over: stop, write nothing
    └── OutsideProblem       502  a service outside the office did not do what was asked; `service` names it
        ├── Transient             nothing happened there, or repeating is harmless: it is tried again
        │   └── RateLimited       the same, but not before `retry_after` seconds
        ├── OutcomeUnknown        sent, no answer: look there before repeating
        ├── Misconfigured         our key, bill or setting: an administrator acts, retrying does not help
        ├── Unplaceable           the service works, but cannot serve this record: a person corrects the record
        ├── Malformed             the service calls our request wrong: a developer acts
        └── Gone                  the object is no longer there

The classes under OutsideProblem are the taxonomy that all adapters share; each maps its vendor's codes onto it.
"""

from __future__ import annotations

from collections.abc import Sequence


class Problem(Exception):
    """A failure a person can act on.

    what, why, todo: one sentence each, without a full stop needed at the end.
    code: groups failures of one cause, e.g. "quo.401".
    """

    status = 500
    code = "problem"

    def __init__(self, what: str, why: str = "", todo: str = "", *, code: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.todo = todo
        self.fields: dict[str, str] = {}  # what is wrong with which field of the caller's form, by its wire name
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """What failed and why, as one line for a toast or a log; the advice stands apart in `todo`."""
        return f"{_stop(self.what)} {_stop(self.why)}" if self.why else self.what

    def __str__(self) -> str:
        return " ".join(_stop(part) for part in (self.what, self.why, self.todo) if part)


class Rejected(Problem):
    """The caller's data cannot be taken as it is. `faults` has every fault found, in the order of the form."""

    status = 400
    code = "rejected"

    def __init__(self, what: str, why: str = "", todo: str = "", *, faults: Sequence[str] = (), code: str | None = None) -> None:
        super().__init__(what, why, todo, code=code)
        self.faults = list(faults)


class Unauthenticated(Problem):
    """Only for a missing, expired or forged token: pages answer it by renewing or by signing out."""

    status = 401
    code = "unauthenticated"


class Forbidden(Problem):
    status = 403
    code = "forbidden"


class NotFound(Problem):
    status = 404
    code = "not_found"


class Conflict(Problem):
    status = 409
    code = "conflict"


class Locked(Problem):
    status = 423
    code = "locked"


class TooMany(Problem):
    """Too many requests from this caller. `retry_after`: seconds to wait."""

    status = 429
    code = "too_many"

    def __init__(self, what: str, why: str = "", todo: str = "", *, retry_after: float, code: str | None = None) -> None:
        super().__init__(what, why, todo, code=code)
        self.retry_after = retry_after


class Busy(TooMany):
    """Too many requests from everybody together; this caller may try again in a moment."""

    status = 503
    code = "busy"

    def __init__(self, what: str, why: str = "", todo: str = "", *, retry_after: float = 5, code: str | None = None) -> None:
        super().__init__(what, why, todo, retry_after=retry_after, code=code)


class LeaseLost(Problem):
    """This attempt no longer holds its task: another one has taken over, so nothing more may be written or asked."""

    code = "lease_lost"


class OutsideProblem(Problem):
    """A service outside the office failed us. `service` is its name as people know it ("Google Maps", "Quo")."""

    status = 502
    code = "outside"

    def __init__(self, service: str, what: str, why: str = "", todo: str = "", *, code: str | None = None) -> None:
        super().__init__(what, why, todo, code=code)
        self.service = service


class Transient(OutsideProblem):
    """Nothing happened there, or repeating it is harmless."""

    code = "transient"


class RateLimited(Transient):
    """Asked to slow down. `retry_after`: seconds, from the service's answer or its documented window."""

    code = "rate_limited"

    def __init__(
        self, service: str, *, retry_after: float, what: str = "", why: str = "", todo: str = "", code: str | None = None
    ) -> None:
        super().__init__(
            service,
            what or f"{service} asked us to slow down",
            why or "Too many requests in a short time",
            todo or "Nothing to do; it is tried again by itself",
            code=code,
        )
        self.retry_after = retry_after


class OutcomeUnknown(OutsideProblem):
    """The request may have been carried out: the connection ended after it was sent. Look before repeating."""

    code = "outcome_unknown"


class Misconfigured(OutsideProblem):
    """A key, bill or setting of ours: every further call will fail alike until an administrator acts.

    leave_s: seconds to leave the service alone before one task goes to look again.
    everybodys: so will calls of any other kind, hence the whole service is put on hold; False where only one kind is refused.
    """

    code = "misconfigured"
    leave_s = 60.0

    def __init__(
        self, service: str, what: str, why: str = "", todo: str = "", *, everybodys: bool = True, code: str | None = None
    ) -> None:
        super().__init__(service, what, why, todo, code=code)
        self.everybodys = everybodys


class Unplaceable(OutsideProblem):
    """The service works but cannot serve this one record, e.g. an address nobody knows. A person corrects the record."""

    code = "unplaceable"


class Malformed(OutsideProblem):
    """The service calls our request, or we call its answer, wrong. Neither waiting nor an administrator helps."""

    code = "malformed"


class Gone(OutsideProblem):
    """What we asked about is no longer there. On a delete that is success."""

    code = "gone"


def _stop(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
