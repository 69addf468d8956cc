"""Extraction: how much of its wall time the network runs, on 200 images of synthetic-instances.

Reading, pooling and writing are to overlap with it. Torch has one thread here: with as many as there are processors,
nothing can overlap, and the network only seems to take longer. What cannot overlap is what else its thread does: the
share of the network in the CPU seconds of that thread says how much of the time it can have, on a busy machine too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch

from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.data.folders import data_folders
from harness.plugin_api import RetrievalSet
from harness.retrieval.extraction import NamedBackbone
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.representation import Extraction
from harness_backbone.tiny import Tiny
from harness_dataset.synthetic_instances import SyntheticInstances
from harness_pooling.fs_egm import FeatureSaliencyEGM
from harness_pooling.gem import GeM
from harness_pooling.rmac import RMAC

pytestmark = pytest.mark.slow

ROUNDS = 5
KEYS = {kind: {"name": kind} for kind in ("dataset", "backbone", "pooling")}


@dataclass
class Timed:
    """A backbone that knows how long it ran."""

    backbone: Tiny
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def stride(self) -> int:
        return self.backbone.stride

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        start, cpu = time.perf_counter(), time.thread_time()
        maps = self.backbone.maps(image)
        self.seconds.append(time.perf_counter() - start)
        self.cpu.append(time.thread_time() - cpu)
        return maps


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset() -> RetrievalSet:
    loaded = SyntheticInstances().load(data_folders())
    return RetrievalSet("some", loaded.images[:200], loaded.queries[:1], loaded.boxes[:1], loaded.ground_truth[:1])


@pytest.mark.parametrize("pooling", [GeM(), RMAC(), FeatureSaliencyEGM()], ids=lambda pooling: type(pooling).__name__)
def test_share_of_the_network(dataset, one_thread, tmp_path, capsys, pooling):
    shares, walls, of_thread = [], [], []
    for turn in range(ROUNDS + 1):
        timed = Timed(Tiny())
        extraction = Extraction(
            dataset, RetrievalProtocol(image_size=256), NamedBackbone(timed, "tiny"), SilentProgress()
        )
        start, cpu = time.perf_counter(), time.thread_time()
        extraction.descriptors(pooling, "pooling", KEYS, Cache(tmp_path / str(turn)))
        walls.append(time.perf_counter() - start)
        shares.append(sum(timed.seconds) / walls[-1])
        of_thread.append(sum(timed.cpu) / (time.thread_time() - cpu))
    shares, walls, of_thread = shares[1:], walls[1:], of_thread[1:]  # the first turn warms up
    with capsys.disabled():
        print(
            f"\n{type(pooling).__name__}: {200 / min(walls):.0f} images a second, {100 * max(shares):.0f}% of the time "
            f"in the network (all turns: {', '.join(f'{100 * share:.0f}' for share in shares)}), "
            f"{100 * max(of_thread):.0f}% of the CPU seconds of its thread"
        )
    # Detection of regions is Python and waits for the interpreter: its share is printed only.
    assert max(shares) >= 0.8 or isinstance(pooling, FeatureSaliencyEGM)
    assert max(of_thread) >= 0.85
