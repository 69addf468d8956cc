"""What a killed runner leaves behind of its sockets is removed by the next one; what somebody uses stays."""

from __future__ import annotations

import os
import socket
import time

from harness.core.locks import try_lock
from harness.core.scratch import remove_abandoned
from harness.runs.executors.forker import use_for_sockets


def test_abandoned_sockets_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    dead, alive, fresh, other = (tmp_path / f"pymp-{name}" for name in ("dead", "alive", "fresh", "other"))
    for folder in (dead, alive, fresh, other):
        folder.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(alive / "listener-1"))
    listener.listen()
    for folder in (dead, fresh):
        with socket.socket(socket.AF_UNIX) as closed:
            closed.bind(str(folder / "listener-1"))
    (other / "data").write_text("of somebody")
    for folder in (dead, alive, other):
        os.utime(folder, (time.time() - 7200,) * 2)
    use_for_sockets(tmp_path / ("x" * 200))
    listener.close()
    assert sorted(path.name for path in tmp_path.glob("pymp-*")) == ["pymp-alive", "pymp-fresh", "pymp-other"]


def test_scratch_folders_of_killed_processes_are_removed(tmp_path):
    held = try_lock(tmp_path, "7-alive")
    for name in ("6-dead", "7-alive"):
        (tmp_path / name / "below").mkdir(parents=True)
    (tmp_path / ".5-dead.lock").write_text("")
    remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".7-alive.lock", "7-alive"]
    held.release()
