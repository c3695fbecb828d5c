"""The process that does the slow work. It knows nothing of the web, and so starts sooner and stays smaller."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import psycopg
import structlog

from backhaul.core.delivery import Delivery, sweep
from backhaul.core.limits import SharedLimits
from backhaul.core.store import Store
from backhaul.core.worker import LAST_WORDS_S, Worker
from backhaul.dispatch.office import OFFICE_TIME, Office
from backhaul.dispatch.outside import limits_of, outside
from backhaul.dispatch.settings import Settings
from backhaul.dispatch.workflows import all_of_them, archive, audit_check, reminders

GRACE_S = 20.0  # how long a worker that is told to stop finishes what it has in hand, before it hands it back

_SCHEDULE = b"select private.set_schedule(%(name)s, %(task)s, %(label)s, %(at)s::time, %(zone)s)"
_REPEAT = b"select private.repeat_task(%(name)s, %(task)s, %(label)s, %(every)s, %(wanted)s, %(zone)s)"
_LANES = b"select coalesce(array_agg(lane), '{}') as lanes from private.foreign_lanes"
_log = structlog.get_logger(__name__)

workflows = all_of_them()


async def work(settings: Settings, dsn: str, *, ready: Callable[[str], object], grace_s: float = GRACE_S) -> None:
    """Runs due tasks until SIGTERM or SIGINT; then finishes what it has in hand, and hands back what takes too long."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    store = Store(dsn, at_least=2, at_most=int(settings["worker_tasks"]) // 2 + 5, house=True)
    await store.open()
    limits = SharedLimits(store)
    lanes = await _prepare(settings, store, limits, stop)
    async with outside(settings, limits) as office:
        worker = Worker(store, workflows, office)
        delivery = Delivery(store, worker.work_on, lanes, at_once=int(settings["worker_tasks"]))
        with worker.heartbeat():
            delivering = asyncio.create_task(delivery.run(), name="delivery")
            sweeping = asyncio.create_task(sweep(store, stop), name="sweep")
            stopping = asyncio.create_task(stop.wait())
            ready(worker.name)
            await asyncio.wait({delivering, sweeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            delivery.stop()
            _log.info("worker stops", busy=worker.busy)
            await asyncio.wait({delivering}, timeout=grace_s)
        handed_back = await _leave(worker)
        _log.info("worker stopped", handed_back=handed_back)
        await asyncio.wait({delivering, sweeping}, timeout=LAST_WORDS_S)
    await store.close()
    for task in (delivering, sweeping):
        if task.done() and (error := task.exception()) is not None:
            raise error


async def _prepare(settings: Settings, store: Store, limits: SharedLimits, stop: asyncio.Event) -> set[str]:
    """Waits for a database that is still starting; then tells it the limits and schedules, and asks which lanes are ours."""
    daily = {
        "name": "daily archive",
        "task": archive.archive_old_tasks.name,
        "label": "Daily archive",
        "at": settings["archive_at"],
        "zone": OFFICE_TIME.key,
    }
    checked = {
        "name": audit_check.SCHEDULE,
        "task": audit_check.verify_audit_log.name,
        "label": "Daily audit check",
        "at": settings["audit_check_at"],
        "zone": OFFICE_TIME.key,
    }
    repeated = {
        "name": "reminders",
        "task": reminders.send_due_reminders.name,
        "label": "Reminders",
        "every": reminders.LOOK_EVERY,
        "wanted": "reminders_wait",
        "zone": OFFICE_TIME.key,
    }
    for last in (False,) * 20 + (True,):
        try:
            await limits.set(*limits_of(settings))
            await store.call(_SCHEDULE, daily)
            await store.call(_SCHEDULE, checked)
            await store.call(_REPEAT, repeated)
            foreign = await store.call(_LANES)
            break
        except psycopg.OperationalError:
            if last or stop.is_set():
                raise
            await asyncio.sleep(0.5)
    return workflows.lanes - set(foreign["lanes"])


async def _leave(worker: Worker[Office]) -> int:
    try:
        return await worker.leave()
    except psycopg.OperationalError as error:
        _log.warning("left without a database; the leases will run out", why=type(error).__name__)
        return 0
