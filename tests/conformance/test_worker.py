"""The other process: it outlives what plugins do to it, and knows nothing from one input to the next."""

from __future__ import annotations

import json
import sys
import time

import cv2
import numpy as np
import pytest

from harness.conformance import opened
from harness.conformance import worker as room
from harness.conformance.suite import check
from harness.conformance.worker import worker

PLUGIN = """
import os, sys, time
from dataclasses import dataclass
from harness import hookimpl

@dataclass(frozen=True)
class Mean:
    '''Mean of each map.'''
    def pool(self, maps):
        BODY
        return maps.mean((-2, -1))

@hookimpl
def harness_register(registry):
    registry.pooling("my-mean", Mean)
"""


@pytest.fixture
def checked(tmp_path):
    def check_body(body, *rules):
        path = tmp_path / "mine.py"
        path.write_text(PLUGIN.replace("BODY", body))
        (report,) = check(str(path), rules=rules, cost=False)
        return report

    return check_body


@pytest.mark.parametrize("body", ["os._exit(0)", "os._exit(9)", "os.abort()", "sys.exit(0)", "sys.exit('gone')"])
def test_who_ends_the_process_is_told_so(checked, body):
    report = checked(body)
    assert [result.rule.name for result in report.failed] == ["survives"]
    assert "ended the process" in report.failed[0].text


@pytest.mark.slow
def test_who_never_comes_back_is_told_so_and_the_next_one_is_served(checked, monkeypatch):
    assert not checked("pass", "survives").failed  # the process is there
    monkeypatch.setattr(room, "_SECONDS", 1.0)
    report = checked("time.sleep(60)", "survives")
    assert "more than 1 seconds" in report.failed[0].text
    monkeypatch.setattr(room, "_SECONDS", 300.0)
    assert not checked("pass", "survives").failed


def test_nothing_is_kept_from_one_input_to_the_next(checked):
    report = checked("maps = maps + len(sys.__dict__.setdefault('visits', [])); sys.visits.append(1)", "deterministic")
    sys.__dict__.pop("visits", None)
    assert not report.failed  # two new processes agree, so it is state and not chance


def test_what_a_plugin_prints_does_not_get_into_the_report(tmp_path, capsys, monkeypatch):
    from harness.cli import main

    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.replace("BODY", "print('hello')"))
    monkeypatch.setattr(sys, "argv", ["harness", "check", str(path), "--json", "--no-cost"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)[0]["name"] == "my-mean"


def test_one_process_serves_all():
    assert worker() is worker()


def test_files_that_compiled_code_opens_for_cv2_are_seen(tmp_path):
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), np.full((2, 2, 3), 9, np.uint8))
    plain = cv2.imread
    with opened.recording() as files:
        assert cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).tolist() == [[9, 9], [9, 9]]
    assert cv2.imread is plain
    assert opened.undeclared(files, (), since=time.time() + 60) == [str(file)]
    assert opened.undeclared(files, [tmp_path], since=time.time() + 60) == []
