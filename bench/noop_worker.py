"""A worker whose one task type does nothing but note when it began: `python -m bench.noop_worker DSN LOG`."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from backhaul.core import logs
from backhaul.core.delivery import Delivery, sweep
from backhaul.core.store import Store
from backhaul.core.task import Run
from backhaul.core.worker import Worker
from backhaul.core.workflow import Workflows

workflows: Workflows[None] = Workflows()
began: list[str] = []


@workflows.task()
async def bench_noop(run: Run[None]) -> None:
    began.append(f"{run.task_id} {time.time():.6f}")


async def main(dsn: str, log: Path) -> None:
    logs.configure("error")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = Store(dsn, at_least=4, at_most=20, house=True)
    await store.open()
    worker = Worker(store, workflows, None)
    delivery = Delivery(store, worker.work_on, ["inner"], at_once=40)
    with worker.heartbeat():
        delivering, sweeping = asyncio.create_task(delivery.run()), asyncio.create_task(sweep(store, stop))
        print("worker ready", worker.name, flush=True)  # noqa: T201  (the parent reads this)
        await stop.wait()
        delivery.stop()
        await asyncio.gather(delivering, sweeping)
    log.write_text("\n".join(began))
    await worker.leave()
    await store.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
