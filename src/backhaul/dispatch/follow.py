"""Work that a task finds to be necessary, left behind as a save leaves it by `then=`."""

from __future__ import annotations

from collections.abc import Sequence

from backhaul.core.store import jsonb
from backhaul.core.task import Later, Run
from backhaul.dispatch.office import Office

# in one order, so that two tasks which join the same waiting ones never wait for one another crosswise
_FOLLOW = b"""
select public.create_background_task(l.entity_type, l.entity_id, l.entity_label, l.task_type, %(by)s, null, l.args, l.once_key,
                                     l.max_attempts, l.lane)
  from (select * from jsonb_to_recordset(%(laters)s) r (entity_type text, entity_id uuid, entity_label text, task_type text,
                                                        args jsonb, once_key text, max_attempts integer, lane text)
         order by r.once_key) l
"""


async def follow(run: Run[Office], laters: Sequence[Later]) -> None:
    """Asks for these tasks, in the name of whoever asked for this one. Safe to repeat for those that are once per something.

    Each is about the record its `about` names, or about this task's own.
    """
    own = (run.entity_type, run.entity_id, run.entity_label or "")
    if laters:
        await run.db.all(_FOLLOW, {"by": run.created_by, "laters": jsonb([later.as_json(own) for later in laters])})
