"""Where a run happened: versions, machine, threads, the state of the checkout. Recorded, never hashed."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from harness.core.threads import threads_here
from harness.core.versions import package_version

_DRIVER: Final = Path("/proc/driver/nvidia/version")
PACKAGES: Final = (
    "vision-evaluation-harness",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "faiss-cpu",
    "faiss-gpu-cu12",
    "scikit-learn",
)


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """What `harness doctor` shows and records keep. Loads nothing heavy."""
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := package_version(name))},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": threads_here(),
        "git": _git(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def gpus() -> list[str]:
    """Names of the CUDA devices. Loads torch."""
    import torch

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def gpu_in_use() -> dict[str, Any]:
    """Name, driver, CUDA and memory of the card that torch computes on. Loads torch."""
    import torch

    card = torch.cuda.get_device_properties(torch.cuda.current_device())
    found = {"name": card.name, "driver": _driver(), "cuda": torch.version.cuda, "memory_bytes": card.total_memory}
    return {name: value for name, value in found.items() if value}


def _driver() -> str:
    """Version of the driver of the cards, as the kernel has it; empty where it does not say."""
    try:
        text = _DRIVER.read_text()
    except OSError:
        return ""
    found = re.search(r"Kernel Module.*?(\d+(?:\.\d+)+)", text)
    return found[1] if found else ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git() -> dict[str, Any]:
    """Commit of the checkout that holds the harness and whether it has changes; empty outside a checkout."""
    try:
        commit = _run_git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_run_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _run_git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603  # fixed words
    return done.stdout.strip()
