"""A GPU against the CPU: does the harness give the same answers there, the same ones twice, and how much faster is it?

    python tools/gpu/check.py [--device cuda] [--small] [--seconds 420] [--only search,graph] [--out FILE]

``make gpu-check``. Prints a line a fact, ``FAIL`` where something is wrong, and exits with 1 then. Each part stands
alone: one that fails says so and the next goes on, and parts that no longer fit into the time are named. Without a GPU
one sentence says so, and the exit code is 0. ``--device cpu:0 --small`` takes the same paths on a CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS when it is loaded

import numpy as np
import torch

from harness.core.devices import CUDA, computing, usable
from harness.core.errors import HarnessError

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
REPEATS = 3


@dataclass(frozen=True)
class Fact:
    """One line: ``right`` is None where nothing is right or wrong."""

    name: str
    value: Any
    right: bool | None = None

    def __str__(self) -> str:
        mark = {None: "    ", True: "ok  ", False: "FAIL"}[self.right]
        value = f"{self.value:.4g}" if isinstance(self.value, float) else str(self.value)
        return f"{mark} {self.name}: {value}"


@dataclass(frozen=True)
class Setting:
    """What is checked: the device, and whether small data do."""

    device: str
    small: bool

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU: else nothing is asked of CUDA itself."""
        return torch.device(self.device).type == CUDA

    def size(self, large: int, small: int) -> int:
        """How much data."""
        return small if self.small else large

    def seconds(self, work: Callable[[], object], repeats: int = REPEATS) -> float:
        """The median after one call that warms up."""
        work()
        return float(np.median([self.once(work)[0] for _ in range(repeats)]))

    def once(self, work: Callable[[], T]) -> tuple[float, T]:
        """Seconds of one call, what is queued on the device included, and its result."""
        self._wait()
        start = time.perf_counter()
        result = work()
        self._wait()
        return time.perf_counter() - start, result

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()


def points(n: int, d: int, classes: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) float32 around ten centres, and the centre of each."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return (rng.normal(size=(classes, d))[labels] + 1.5 * rng.normal(size=(n, d))).astype(np.float32), labels


def pictures(n: int, side: int, channels: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, C, h, w) uint8 of ten classes, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % classes
    base = rng.integers(0, 255, (classes, channels, side, side))[labels]
    return np.clip(base + rng.integers(-90, 90, base.shape), 0, 255).astype(np.uint8), labels.astype(np.int64)


def machine(setting: Setting) -> Iterator[Fact]:
    """Versions, and whether the harness sees the cards that torch sees."""
    from harness.core.cards import cuda_devices
    from harness.runs.environment import gpu_in_use

    yield Fact("torch", f"{torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
    yield Fact("cores", len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    if setting.on_gpu:
        yield Fact("card", gpu_in_use())
        cards = cuda_devices()
        yield Fact("cards that runs share", ", ".join(cards), len(cards) == torch.cuda.device_count())
    before = torch.backends.cudnn.allow_tf32
    with computing(setting.device):
        pass
    yield Fact("the user's TF32 setting is left alone", before, torch.backends.cudnn.allow_tf32 == before)


def search(setting: Setting) -> Iterator[Fact]:
    """Exact search and neighbours: the same bytes as on the CPU, whatever precision a user has chosen."""
    from harness.graph import neighbours
    from harness.search import top_k

    n, k = setting.size(20_000, 2_000), setting.size(50, 20)
    x = points(n, 128)[0]
    cpu, there = (lambda: neighbours(x, k, device="cpu")), (lambda: neighbours(x, k, device=setting.device))
    cpu()
    slow, expected = setting.once(cpu)
    found = there()
    same = np.array_equal(expected.indices, found.indices) and np.array_equal(expected.similarities, found.similarities)
    yield Fact(f"neighbours of {n} x 128 are the CPU's, to the last bit", same, same)
    yield Fact("neighbours: CPU seconds / device seconds", slow / setting.seconds(there))
    torch.set_float32_matmul_precision("high")
    try:
        rough = np.array_equal(expected.indices, there().indices)
    finally:
        torch.set_float32_matmul_precision("highest")
    yield Fact("and so where a user allows TF32", rough, rough)
    n, d = setting.size(200_000, 2_000), setting.size(512, 64)
    rng = np.random.default_rng(0)
    base, queries = rng.standard_normal((n, d), dtype=np.float32), rng.standard_normal((70, d), dtype=np.float32)
    slow, best = setting.once(lambda: top_k(queries, base, 100, device="cpu"))
    fast, again = setting.once(lambda: top_k(queries, base, 100, device=setting.device))
    same = np.array_equal(best.indices, again.indices)
    yield Fact(f"search of 70 in {n} x {d} is the CPU's", same, same)
    yield Fact("search: CPU seconds / device seconds, moving the database included", slow / fast)


def graph(setting: Setting) -> Iterator[Fact]:
    """Solves and label propagation: equal up to rounding, the same twice."""
    from harness.graph import affinity, normalise, propagate, solve

    n, m = setting.size(20_000, 1_000), setting.size(50, 8)
    x, labels = points(n, 64)
    s = normalise(affinity(x, k=30, gamma=3, mode="union"))
    for dtype, most in ((np.float32, 1e-4), (np.float64, 1e-5)):
        b = np.random.default_rng(0).random((n, m)).astype(dtype)
        solve(s, b[:, :2], device="cpu")
        slow, (expected, _) = setting.once(lambda b=b: solve(s, b, device="cpu"))
        (found, report), (again, _) = solve(s, b, device=setting.device), solve(s, b, device=setting.device)
        name, apart = np.dtype(dtype).name, float((np.abs(found - expected).max(0) / np.abs(expected).max(0)).max())
        yield Fact(f"solve {name}: relative difference to the CPU", apart, apart < most)
        yield Fact(f"solve {name}: converged", report.all_converged, report.all_converged)
        yield Fact(f"solve {name}: the same twice", bool((found == again).all()), bool((found == again).all()))
        fast = setting.seconds(lambda b=b: solve(s, b, device=setting.device), 1)
        yield Fact(f"solve {name}: CPU seconds / device seconds", slow / fast)
    known = np.where(np.arange(n) < 100, labels, -1)
    one, two = (propagate(s, known, 10, device=device).labels for device in ("cpu", setting.device))
    yield Fact("propagated labels that agree", float((one == two).mean()), bool((one == two).mean() > 0.999))


def clustering(setting: Setting) -> Iterator[Fact]:
    """k-means and lists of faiss, on the card where the installed faiss can."""
    from harness.graph import neighbours
    from harness.search import k_means
    from harness.search.faiss_library import faiss_library, installed, mistake, on_gpu

    with computing(setting.device):
        where = "the card" if on_gpu(faiss_library()) else "the CPU"
    yield Fact("faiss", f"{', '.join(installed())}, on {where}", not mistake())
    x = points(setting.size(20_000, 1_000), 64)[0]
    slow, (_, expected) = setting.once(lambda: k_means(x, 10, 0, 20))
    lists = neighbours(x, 10, method="ivf").indices
    with computing(setting.device):
        fast, (_, found) = setting.once(lambda: k_means(x, 10, 0, 20))
        there = neighbours(x, 10, method="ivf").indices
    alike, near = float((expected == found).mean()), float((lists == there).mean())
    yield Fact("clusters that agree with the CPU's", alike, alike > 0.99)
    yield Fact("k-means: CPU seconds / device seconds", slow / fast)
    yield Fact("neighbours by lists that agree with the CPU's", near, near > 0.999)


def training(setting: Setting) -> Iterator[Fact]:
    """Weights: the same at first, the same twice after training; features of equal weights agree with the CPU's."""
    from harness.active import training as parts
    from harness.plugin_api import TrainingSet
    from harness_learning.supervised import Supervised
    from harness_network.cnn13 import CNN13
    from harness_network.small import SmallCNN

    networks: list[tuple[Any, int, int]] = [(SmallCNN(), 28, 1), *([] if setting.small else [(CNN13(), 32, 3)])]
    for network, side, channels in networks:
        name = type(network).__name__
        images, labels = pictures(setting.size(256, 64), side, channels)
        data = TrainingSet(images, labels, 10, False, 0, None)

        def trained(network: Any = network, data: Any = data) -> tuple[dict[str, Any], dict[str, Any], Any]:
            model = parts.initialise(network, data.images, 10, np.random.default_rng(0)).to(setting.device)
            start = {key: value.cpu().clone() for key, value in model.state_dict().items()}
            Supervised(epochs=setting.size(4, 1)).train(model, data, np.random.default_rng(1))
            return start, {key: value.cpu() for key, value in model.state_dict().items()}, model

        with computing(setting.device), nondeterministic() as found:
            (start, weights, model), (_, again, _) = trained(), trained()
        first = parts.initialise(network, images, 10, np.random.default_rng(0))
        yield fact_equal(f"{name}: initial weights are the CPU's", first.state_dict(), start)
        yield fact_equal(f"{name}: trained weights are the same twice", weights, again)
        yield Fact(f"{name}: operations that torch calls not deterministic", ", ".join(found) or "none", not found)
        first.load_state_dict(weights)
        expected = parts.extract(first, images)[0]
        for numerics, most in (("fp32", 1e-4), ("tf32", 2e-2), ("bf16", 1e-1)):
            if numerics == "tf32" and not setting.on_gpu:
                continue
            with computing(setting.device, numerics):
                features = parts.extract(model, images)[0]
            apart = float(np.abs(features - expected).max() / np.abs(expected).max())
            yield Fact(f"{name}: features in {numerics} differ from the CPU's by", apart, apart < most)


def speed(setting: Setting) -> Iterator[Fact]:
    """Steps of training a second, by numerics."""
    from harness.active import training as parts
    from harness.plugin_api import TrainingSet
    from harness_learning.supervised import Supervised
    from harness_network.cnn13 import CNN13
    from harness_network.small import SmallCNN

    network, side, channels = (SmallCNN(), 8, 1) if setting.small else (CNN13(), 32, 3)

    def rate(device: str, n: int) -> float:
        images, labels = pictures(n, side, channels)
        model = parts.initialise(network, images, 10, np.random.default_rng(0)).to(device)
        data, scheme = TrainingSet(images, labels, 10, False, 0, None), Supervised(epochs=1, batch_size=128)
        scheme.train(model, data, np.random.default_rng(1))
        return n // 128 / setting.once(lambda: scheme.train(model, data, np.random.default_rng(1)))[0]

    slow = rate("cpu", 256)
    yield Fact(f"{type(network).__name__}, batches of 128 on the CPU: steps/s", slow)
    for numerics in ("fp32", "tf32", "bf16") if setting.on_gpu else ("fp32", "bf16"):
        with computing(setting.device, numerics):
            yield Fact(
                f"{numerics}: device steps/s / CPU steps/s", rate(setting.device, setting.size(5_120, 256)) / slow
            )
    if setting.on_gpu:
        yield Fact("most memory of the card in MB", round(torch.cuda.max_memory_allocated() / 2**20))


def maps(setting: Setting) -> Iterator[Fact]:
    """A network of retrieval, image by image and in batches."""
    from harness_backbone.resnet import ResNet50, ResNet101

    network: Any = ResNet50(weights="none") if setting.small else ResNet101(weights="none")
    side = setting.size(1024, 96)
    image = torch.from_numpy(np.random.default_rng(0).random((3, side, side * 3 // 4), dtype=np.float32))
    with torch.inference_mode(), computing(setting.device):
        network.maps(image[:, :64, :64])
        slow, expected = setting.once(lambda: network.maps(image))
        there = image.to(setting.device)
        found = network.maps(there)
        apart = float((found.cpu() - expected).abs().max() / expected.abs().max())
        yield Fact(f"maps of {type(network).__name__} at {side} pixels differ from the CPU's by", apart, apart < 1e-3)
        one = setting.seconds(lambda: network.maps(there))
        yield Fact("one image: CPU seconds / device seconds", slow / one)
        if hasattr(network, "maps_batch"):
            batch = there[None].expand(setting.size(8, 2), -1, -1, -1).contiguous()
            apart = float((network.maps_batch(batch)[0].cpu() - expected).abs().max() / expected.abs().max())
            yield Fact("maps of a batch differ from the CPU's by", apart, apart < 1e-3)
            yield Fact("one by one / in a batch", one * len(batch) / setting.seconds(lambda: network.maps_batch(batch)))


SPECS: tuple[dict[str, Any], ...] = (
    {
        "name": "learning",
        "task": "active-learning",
        "datasets": "digits",
        "methods": {
            "network": "small-cnn",
            "learning": {"supervised": {"epochs": 5}},
            "acquisition": ["entropy", "jlp"],
        },
        "seeds": 0,
        "protocol": {"initial": 20, "budget": 20, "cycles": 2},
    },
    {
        "name": "retrieval",
        "task": "retrieval",
        "datasets": {"synthetic-instances": {"seed": 1}},
        "methods": {"backbone": "tiny", "pooling": ["gem", "rmac"], "expansion": ["none", "diffusion"]},
        "protocol": {"image_size": 128},
    },
)
AGREE = {"learning": 0.15, "retrieval": 0.01}
"""By how much the headline numbers may differ: a training goes its own way after a rounding."""


def runs(setting: Setting) -> Iterator[Fact]:
    """Whole runs in processes that share the card: all are done, say where, and agree with those of the CPU."""
    import harness
    from harness.runs.executors.choose import Options

    options = Options(executor="processes", workers=2, seconds=120)
    with tempfile.TemporaryDirectory() as home:
        for spec in SPECS:
            folders = {name: Path(home) / name for name in ("runs", "data", "cache")}
            there = harness.run(spec, device="cuda" if setting.on_gpu else "cpu", options=options, **folders)
            states = [record.failure.message if record.failure else record.status for record in there]
            yield Fact(f"runs of {spec['name']}", ", ".join(states), set(states) == {"done"})
            if not setting.on_gpu or set(states) != {"done"}:
                continue
            cards = {str(record.environment.get("gpu", {}).get("name")) for record in there}
            yield Fact("their records name the card", ", ".join(cards), "None" not in cards)
            cpu = harness.run(spec, device="cpu", options=options, **folders)
            key = "accuracy" if spec["task"] == "active-learning" else "map_medium"
            pairs = zip(cpu, there, strict=True)
            apart = max(abs((a.metrics[key] or 0) - (b.metrics[key] or 0)) for a, b in pairs)
            yield Fact(f"{key}: largest difference to the CPU", apart, apart <= AGREE[spec["name"]])


def tests(setting: Setting) -> Iterator[Fact]:
    """The tests that need a card."""
    if setting.small:
        return
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--tb=line", str(ROOT / "tests" / "unit")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=ROOT, check=False)
    yield Fact("pytest -m gpu", (done.stdout.strip().splitlines() or [""])[-1], done.returncode == 0)


@contextlib.contextmanager
def nondeterministic() -> Iterator[list[str]]:
    """Gives at its end the operations that torch calls not deterministic."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield found
        finally:
            torch.use_deterministic_algorithms(False)
            said = {str(one.message) for one in caught}
            found += sorted(text.partition(" does not have")[0] for text in said if "deterministic" in text)


def fact_equal(name: str, one: Any, other: Any) -> Fact:
    """Whether two sets of weights are the same, bit by bit."""
    differing = [key for key in one if not torch.equal(one[key].cpu(), other[key].cpu())]
    return Fact(name, f"no: {', '.join(differing[:3])}" if differing else "yes", not differing)


PARTS: tuple[tuple[int, Callable[[Setting], Iterator[Fact]]], ...] = (
    (5, machine),
    (40, search),
    (60, graph),
    (20, clustering),
    (40, training),
    (40, speed),
    (40, maps),
    (90, runs),
    (60, tests),
)
"""The seconds that each may take, and what it checks."""


def checked(setting: Setting, seconds: float, only: Sequence[str] = ()) -> Iterator[Fact]:
    """All facts, part by part."""
    start = time.perf_counter()
    for need, part in PARTS:
        spent = time.perf_counter() - start
        if only and part.__name__ not in only:
            continue
        if spent + need > seconds:
            yield Fact(f"part {part.__name__}", f"left out: {spent:.0f} s of {seconds:.0f} are gone")
            continue
        try:
            yield from part(setting)
        except Exception:  # a part that breaks is a fact, too
            yield Fact(f"part {part.__name__}", traceback.format_exc(limit=-4), False)
    yield Fact("seconds", time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse arguments, check, print; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="Checks a GPU against the CPU.")
    parser.add_argument("--device", default=CUDA)
    parser.add_argument("--small", action="store_true", help="small data: a dry run")
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--only", default="", help=f"some of {', '.join(part.__name__ for _, part in PARTS)}")
    parser.add_argument("--out", type=Path, help="write the facts here, as JSON")
    given = parser.parse_args(arguments)
    try:
        usable(given.device)
    except HarnessError as error:
        print(f"Nothing to check: {error.headline}.")
        return 0
    facts = []
    for fact in checked(Setting(given.device, given.small), given.seconds, [n for n in given.only.split(",") if n]):
        print(fact, flush=True)
        facts.append(fact)
    if given.out:
        given.out.write_text(json.dumps([vars(fact) for fact in facts], indent=1, default=str), encoding="utf-8")
    wrong = sum(fact.right is False for fact in facts)
    print(f"{wrong} of {len(facts)} facts are wrong." if wrong else "All is right.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
