"""What people call the actions in the audit log. The page, the CSV and the command line all say them in these words.

An application adds its own; an action that nobody has put into words is called by its plain name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Say = Callable[[str], str]

CORE_ACTIONS: Mapping[str, str] = {
    "sign_in": "Signed in",
    "refuse_sign_in": "Sign-in refused",
    "sign_out": "Signed out",
    "sign_out_everywhere": "Signed out everywhere",
    "reuse_refresh_token": "Session ended: a token was used twice",
    "permission_denied": "Was refused",
    "change_password": "Changed the password",
    "refuse_password": "Gave a wrong password while signed in",
    "reset_password_by_link": "Reset the password by a link",
    "create_first_admin": "Became the first administrator",
    "retry_task": "Retried a failed task",
    "dismiss_task": "Dismissed a failed task",
    "undismiss_task": "Took a dismissal back",
    "view_audit_log": "Looked at the audit log",
    "export_audit_log": "Downloaded the audit log",
    "view_activity_record": "Looked at a record of activity",
    "export_activity_record": "Downloaded a record of activity",
}


def sayer(*words: Mapping[str, str]) -> Say:
    """Says an action by the first of these tables that has it; otherwise its name with spaces: "Move house"."""
    said = {action: text for table in reversed(words) for action, text in table.items()}
    return lambda action: said.get(action) or plain(action)


def plain(name: str) -> str:
    """ "mark_invoice_paid" as "Mark invoice paid"."""
    return name.replace("_", " ").strip().capitalize()
