"""What the process of a run leaves behind."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from harness.runs.executors.worker import remove_semaphores

SHARED = Path("/dev/shm")  # noqa: S108  # where Linux has named semaphores


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of shared memory")
def test_semaphores_are_removed_before_a_process_ends_without_its_exit_handlers():
    lock = multiprocessing.get_context("spawn").RLock()
    file = SHARED / f"sem.{lock._semlock.name[1:]}"
    assert file.exists()
    remove_semaphores()
    assert not file.exists()
    with lock:  # whoever holds it may use it
        pass
