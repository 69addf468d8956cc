"""The machine, whole runs, and the tests that need a card."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from facts import Fact, Setting

from harness.core.devices import computing

ROOT = Path(__file__).parents[2]


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
