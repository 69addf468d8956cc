"""What comes back from other machines."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from harness.runs.environment import environment
from harness.runs.executors.remote import RemoteExecutor


class Remote(RemoteExecutor):
    """Each job ends at once, on a machine with the packages that it names."""

    def _future(self, job):
        record = SimpleNamespace(environment={"packages": job.packages} if job.packages else {})
        return Mock(exception=lambda: None, result=lambda: SimpleNamespace(record=record))


def finish(*packages):
    executor = Remote()
    for some in packages:
        executor.submit(None, SimpleNamespace(label="gem on drawn", packages=some))
    return executor.finished(0)


def test_other_versions_are_told_once_and_the_same_ones_not():
    ours = environment()["packages"]
    other = {**ours, "faiss-cpu": "1.0", "numpy": ""}
    with pytest.warns(
        UserWarning, match=r"the worker of gem on drawn has faiss-cpu 1\.0, here .*; numpy missing"
    ) as told:
        assert len(finish(ours, other, {}, other)) == 4
    assert len(told) == 1
