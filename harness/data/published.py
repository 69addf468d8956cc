"""The structure of the published ground truths of ROxford5k and RParis6k: ``imlist``, ``qimlist`` and ``gnd``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.errors import DataDamaged


def is_published(content: Mapping[str, Any]) -> bool:
    """Whether a file has that structure."""
    return {"gnd", "qimlist"} <= content.keys()


def published_content(content: Any, file: Path) -> dict[str, Any]:
    """The published structure (``imlist``, ``qimlist``, ``gnd``) in the keys of the JSON form. Raises ``DataDamaged``.

    The files of the original ground truth have ``ok`` in place of ``easy`` and ``hard``.
    """
    if not isinstance(content, dict) or not {"gnd", "imlist", "qimlist"} <= content.keys():
        raise DataDamaged(f"{file} is not a ground truth: imlist, qimlist and gnd should be in it")
    names, truths = _list(content["qimlist"]), _list(content["gnd"])
    if not isinstance(names, list) or not isinstance(truths, list) or len(names) != len(truths):
        raise DataDamaged(f"{file}: qimlist and gnd should be lists of one length")
    if wrong := [truth for truth in truths if not isinstance(truth, dict)]:
        raise DataDamaged(f"{file}: gnd holds {wrong[0]!r} in place of bbx, easy, hard, junk")
    keys = {"ok": "positives", "bbx": "box"}
    queries = [
        {"image": name, **{keys.get(key, key): _list(value) for key, value in truth.items()}}
        for name, truth in zip(names, truths, strict=True)
    ]
    return {"imlist": _list(content["imlist"]), "queries": queries}


def _list(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, tuple) else value
