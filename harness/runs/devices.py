"""Which device a spec means, decided where the runs are planned: it identifies them. Loads no torch."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from harness.core.cards import cuda_devices
from harness.core.devices import CPU, CUDA

AUTO: Final = "auto"


def planned_device(stated: str) -> str:
    """The device that a spec means; ``auto`` is CUDA where this machine has a GPU that torch can use, else the CPU."""
    if stated != AUTO:
        return stated
    return CUDA if torch_has_cuda() and cuda_devices() else CPU


def torch_has_cuda() -> bool:
    """Whether the installed torch was built with CUDA, by its file ``version.py``."""
    found = find_spec("torch")
    for folder in (found.submodule_search_locations or ()) if found else ():
        version = Path(folder) / "version.py"
        if version.is_file():
            return re.search(r"^cuda\b[^=]*=\s*['\"]", version.read_text(encoding="utf-8"), re.MULTILINE) is not None
    return False
