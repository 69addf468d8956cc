from __future__ import annotations

import subprocess
import sys

import pytest

from harness.core.locks import Held, lock_path, locked, locked_at_once, sweep, try_lock


def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path):
    code = "import sys, time; from pathlib import Path; from harness.core.locks import try_lock\n"
    code += "lock = try_lock(Path(sys.argv[1]), 'x'); print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    assert try_lock(tmp_path, "x") is None
    (tmp_path / ".x.json.abc123.tmp").write_text("half")
    assert sweep(tmp_path) == []
    child.kill()
    child.wait()
    assert lock_path(tmp_path, "x").exists()
    assert [path.name for path in sweep(tmp_path)] == [".x.json.abc123.tmp"]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_leaves_no_file_and_is_free_after_an_error(tmp_path):
    def fail():
        with locked(tmp_path, "x"):
            assert try_lock(tmp_path, "x") is None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    lock = try_lock(tmp_path, "x")
    assert lock is not None
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_not_waited_for(tmp_path):
    with locked_at_once(tmp_path, "x"):
        with pytest.raises(Held), locked_at_once(tmp_path, "x"):
            raise AssertionError
        assert lock_path(tmp_path, "x").exists()
    assert list(tmp_path.iterdir()) == []
