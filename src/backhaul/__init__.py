"""Backhaul: save now, haul the slow work in the background, speak only when something failed."""

from backhaul.core import errors
from backhaul.core.store import Actor, Db, Tx
from backhaul.core.task import Later, Retry, Run, Snooze
from backhaul.core.workflow import Reply, Saved, Workflow, Workflows

__all__ = ["Actor", "Db", "Later", "Reply", "Retry", "Run", "Saved", "Snooze", "Tx", "Workflow", "Workflows", "errors"]
