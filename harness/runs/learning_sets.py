"""Whitenings that are learnt on another set than the one that is searched: how a plan and a run come by that set.

The set counts for the identity of the whitening as a file would that a parameter names: by its content.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.core.digest import digest
from harness.plugin_api import LearnsElsewhere
from harness.registry.entries import FileParameter

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders
    from harness.retrieval.pipeline import LearningSet
    from harness.runs.identity import PlannedDataset, Run

LEARN_ON: Final = "learn_on"


def learns_on(kind: str, method: Any) -> str:
    """Name of the set that a method is learnt on; empty where it is that of the run."""
    return method.learn_on if kind == "whitening" and isinstance(method, LearnsElsewhere) else ""


def as_parameter(dataset: PlannedDataset) -> FileParameter:
    """The set as a parameter that is identified by its content."""
    return FileParameter(dataset.name, Path(dataset.name), digest(dataset.key))


def learning_set(run: Run, folders: DataFolders) -> LearningSet | None:
    """The set that the whitening of a run is learnt on, loaded. Raises as its loader does."""
    from harness.retrieval.pipeline import LearningSet

    whitening = run.methods.get("whitening")
    planned = whitening.learning_set if whitening else None
    if planned is None:
        return None
    return LearningSet(planned.loader.method.load(folders), planned.key)
