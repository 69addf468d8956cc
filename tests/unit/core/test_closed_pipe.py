"""What is said where the reader of a pipe has gone."""

from __future__ import annotations

import errno
import os

from harness.core.errors import FileUnusable


def test_a_reader_that_ended_early_needs_no_room_on_a_disk():
    full = FileUnusable.of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    closed = FileUnusable.of(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
    assert "make room" in full.fix
    assert "reader" in closed.fix
    assert "make room" not in closed.fix
