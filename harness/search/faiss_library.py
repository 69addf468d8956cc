"""faiss as it is installed: for the CPU, or for NVIDIA cards in its place. Loads it on use.

``faiss-cpu`` and ``faiss-gpu-*`` are one package with two names: installed beside each other they overwrite each
other's files, and pip does not notice.
"""

from __future__ import annotations

import importlib.metadata
import re
from typing import Any, Final

from harness.core.devices import CUDA, default_device
from harness.core.errors import DataMissing

NAME: Final = re.compile(r"faiss[-_](cpu|gpu|cuda)\b.*", re.IGNORECASE)
MOST_ON_GPU: Final = 2048
"""Neighbours and lists of one search that faiss takes on a card."""


def faiss_library() -> Any:
    """The module.

    Raises:
        DataMissing: it cannot be loaded; the message says what to install.
    """
    try:
        import faiss

        faiss.IndexFlatIP  # noqa: B018  # of two installations in one folder this may be missing
    except (ImportError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise DataMissing(f"faiss cannot be loaded ({reason})", fix=mistake() or "pip install faiss-cpu") from error
    return faiss


def on_gpu(faiss: Any) -> bool:
    """Whether faiss shall compute on a card: the run does, and faiss can."""
    kind = default_device().partition(":")[0]
    return kind == CUDA and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def moved(faiss: Any, index: Any) -> Any:
    """A filled index, for searching on the card of the run where there is one; results differ in ties only."""
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index) if on_gpu(faiss) else index


def installed() -> tuple[str, ...]:
    """Name and version of each distribution that brings faiss."""
    found = ((dist.metadata["Name"] or "", dist.version) for dist in importlib.metadata.distributions())
    return tuple(sorted({f"{name} {version}" for name, version in found if NAME.fullmatch(name)}))


def mistake() -> str:
    """What repairs an installation with several of them; empty where there is nothing to repair."""
    names = [text.partition(" ")[0] for text in installed()]
    if len(names) < 2:
        return ""
    wanted = next((name for name in names if not name.lower().endswith("cpu")), names[0])
    return f"they share files, keep one: pip uninstall -y {' '.join(names)} && pip install {wanted}"
