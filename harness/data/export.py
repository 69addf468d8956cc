"""Ground truth of any retrieval set as JSON: the format of ``image-instances``, which other programs read easily."""

from __future__ import annotations

import os
from pathlib import Path

from harness.core.errors import InvalidInput
from harness.core.files import write_atomically
from harness.data.catalogue import NamedDataset
from harness.data.disk import writing_to
from harness.data.instances import Instances, instances_json
from harness.plugin_api import DataFolders, HasInstances, RetrievalSet


def write_ground_truth(dataset: NamedDataset, folders: DataFolders, file: Path) -> Instances:
    """Write the ground truth of a retrieval set.

    Loaders that know their ground truth without the photographs (a method ``instances(folders)``) need none. Names are
    those of the published files, with ``.jpg`` where they have no suffix; else file names below their common folder.

    Args:
        dataset: a retrieval set of the catalogue.
        folders: where its data are.
        file: JSON file to write.

    Returns:
        What was written.

    Raises:
        InvalidInput: the dataset has no ground truth of this kind.
        DataMissing: its data do not exist.
    """
    if dataset.entry.task != "retrieval":
        raise InvalidInput(f"{dataset.name} is for {dataset.entry.task}: it has labels, not relevance judgements")
    loader = dataset.loader
    truth: Instances = (
        loader.instances(folders) if isinstance(loader, HasInstances) else _from_set(loader.load(folders))
    )
    with writing_to(file.parent):
        write_atomically(file, instances_json(truth).encode())
    return truth


def _from_set(loaded: object) -> Instances:
    if not isinstance(loaded, RetrievalSet):
        raise InvalidInput("the loader does not give a retrieval set")
    paths = [*loaded.images, *loaded.queries]
    common = Path(os.path.commonpath([path.parent for path in paths]))
    images = tuple(path.relative_to(common).as_posix() for path in loaded.images)
    return Instances(
        images=images,
        queries=tuple(path.relative_to(common).as_posix() for path in loaded.queries),
        boxes=tuple(loaded.boxes),
        ground_truth=tuple(
            {label: tuple(int(i) for i in truth.get(label, ())) for label in ("easy", "hard", "junk")}
            for truth in loaded.ground_truth
        ),
        pairs=() if loaded.pairs is None else tuple((int(a), int(b)) for a, b in loaded.pairs),
        groups=None if loaded.groups is None else tuple(loaded.groups),
    )
