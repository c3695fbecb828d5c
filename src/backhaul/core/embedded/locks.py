"""File locks that the kernel takes back when their holder dies, whatever killed it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.01


class FileLock:
    """One open file and the flock on it. Two of these in one process exclude each other just as two processes do."""

    def __init__(self, path: Path) -> None:
        # For reading only, so that a file first made by root can still be locked by its home's owner.
        self._fd = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._fd)

    def acquire(self, *, shared: bool, deadline: float) -> bool:
        """Take the lock, or change its mode; False when `deadline` (time.monotonic) passed first.

        It asks again and again instead of blocking: some kernels queue new readers behind a waiting writer, which the keeper is.
        """
        while not self.try_acquire(shared=shared):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def try_acquire(self, *, shared: bool) -> bool:
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def exclusive(path: Path, *, deadline: float) -> Iterator[bool]:
    """Hold `path` alone; yields False, unlocked, when `deadline` passed first."""
    lock = FileLock(path)
    try:
        yield lock.acquire(shared=False, deadline=deadline)
    finally:
        lock.close()


def is_free(path: Path, *, shared: bool = False) -> bool:
    """Whether the lock could be had at this moment."""
    lock = FileLock(path)
    try:
        return lock.try_acquire(shared=shared)
    finally:
        lock.close()
