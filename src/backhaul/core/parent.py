"""A child process that ends when its parent does, even if the parent was killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

LAST_RESORT_S = 40.0


def end_with_parent() -> None:
    """For a child whose standard input is a pipe held by its parent: when the pipe ends, it is told to stop; at last, made to."""
    threading.Thread(target=_wait_for_parent, name="parent", daemon=True).start()


def _wait_for_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):  # not sys.stdin: its lock would be in the way when the interpreter ends
        pass
    signal.raise_signal(signal.SIGTERM)
    time.sleep(LAST_RESORT_S)
    signal.raise_signal(signal.SIGKILL)
