"""Fixtures of all tests."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from harness.runs.identity import Run

ROOT = Path(__file__).parents[1]
TOY = str(ROOT / "tests" / "fixtures" / "toy.py")
REMEDIES = {
    "could not import": "pip install -e '.[dev,docs]'",
    "no data": "put the data there, or run `make test-all` where they are",
    "no CUDA device": "run `pytest -m gpu` on a machine that has one",
}
"""How to get what a test was skipped for, by words of the reason; most reasons say so themselves."""

# Workers share the cores: with a thread a core in each of them, more time goes into waiting than into tests.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    threads = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, threads)))

# A job in the background of a script ignores interrupts, and so would the commands whose interrupts are tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test fails because a machine is busy, and in CI none because of its luck.
settings.register_profile(
    "harness", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("harness")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest's own summary: after it
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """What was skipped and how to get it, in the last lines."""
    yield
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    if reasons:
        terminalreporter.section("skipped", "-")
    for reason, count in reasons.most_common():
        remedy = next((remedy for words, remedy in REMEDIES.items() if words in reason), "")
        terminalreporter.line(f"{count:4} {reason}{remedy and f': {remedy}'}")


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def toy() -> str:
    """The plugin file with cheap methods."""
    return TOY


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's data and cache."""
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session", autouse=True)
def _loaded_once() -> Iterator[None]:
    """Processes for runs are forked from one for all tests, which the first plan starts: it loads what any plan needs.

    Otherwise each run of a later plan would load the rest again, for seconds.
    """
    from harness.runs.executors import choose

    preloaded = choose.preloaded
    needed = [*choose.ENGINES.values(), "numba", "cv2", "torch._dynamo", choose.WARM]

    def of_all(runs: Iterable[Run]) -> list[str]:
        names = dict.fromkeys([*preloaded(runs), *needed])
        names.pop(choose.WARM)
        return [*names, choose.WARM]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "preloaded", of_all)
        yield


@pytest.fixture
def realdata() -> Path:
    """The folder of real data; the test is skipped with a reason when it is not there."""
    folder = Path(os.environ.get("HARNESS_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set HARNESS_TEST_DATA")
    return folder


@pytest.fixture
def clean_process(monkeypatch):
    """This process as one that has loaded no foreign code, whatever plugins other tests have loaded in it."""
    from harness.registry import foreign

    monkeypatch.setattr(foreign, "_loaded", {})
