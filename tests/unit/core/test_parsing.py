"""Threads that parse at once."""

from __future__ import annotations

from threading import Barrier, Thread

import numpy as np
import pytest

from harness.core.parsing import unraced
from harness.retrieval.map_store import MapStore


def raising(times: int):
    left = iter([SystemError("AST constructor recursion depth mismatch")] * times)

    def read():
        for error in left:
            raise error
        return "read"

    return read


def test_a_meeting_of_two_threads_is_read_again():
    assert unraced(raising(3)) == "read"


def test_what_fails_every_time_is_raised():
    with pytest.raises(SystemError):
        unraced(raising(100))


def test_maps_are_read_by_several_threads_at_once(tmp_path):
    store = MapStore(tmp_path)
    maps = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    store.write("a", 1.0, maps)
    barrier, wrong = Barrier(4), []

    def read() -> None:
        barrier.wait()
        for _ in range(100):
            found = store.read("a", 1.0)
            wrong.extend([] if found is not None and np.array_equal(found, maps) else ["differs"])

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
