"""Relevance judgements and rankings that a user names: what ``harness evaluate`` and ``harness explain`` look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.errors import DataDamaged, DataMissing, InvalidInput, SpecError
from harness.data.array_files import ARRAY_ERRORS, array_in
from harness.data.catalogue import named_dataset
from harness.data.instances import Instances, read_instances
from harness.data.rankings import read_rankings
from harness.metrics.protocols import Judged, judged, tie_names
from harness.plugin_api import DataFolders, HasInstances, RetrievalSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.registry import Registry

_PICKLES: Final = (".pkl", ".pickle")


@dataclass(frozen=True)
class Judgements:
    """Who is relevant to whom, by the names of the images.

    Attributes:
        images: names of the database images; position = id.
        queries: names of the queries.
        ground_truth: per query ``easy``, ``hard``, ``junk``: ids.
    """

    images: Sequence[str]
    queries: Sequence[str]
    ground_truth: Sequence[Any]

    @property
    def own(self) -> list[int | None]:
        """Per query the database image of its name; None where there is none."""
        ids = {name: position for position, name in enumerate(self.images)}
        return [ids.get(name) for name in self.queries]

    def categories(self, path: Path) -> list[str | None]:
        """The category of each query, of a JSON object by the name of the query; None for one that is not in it.

        Raises:
            DataMissing, DataDamaged: no such file, not such an object, or a query that there is not.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError as error:
            raise DataMissing(f"there is no file {path}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise DataDamaged(f"{path} cannot be read: {error}") from error
        if not isinstance(content, dict) or not all(isinstance(category, str) for category in content.values()):
            raise DataDamaged(f"{path} is not an object of categories", fix='{"query.jpg": "toys"}')
        if unknown := sorted(content.keys() - set(self.queries)):
            raise DataDamaged(f'{path}: "{unknown[0]}" is not a query')
        return [content.get(name) for name in self.queries]

    def judge(self, rankings: Any, scores: Any = None) -> Judged:
        """Rankings of these queries, ready for every protocol. Raises ``InvalidInput``."""
        return judged(
            rankings,
            self.ground_truth,
            scores=scores,
            n_database=len(self.images),
            own=self.own,
            names=tie_names(self.images),
        )

    def judge_file(self, path: Path) -> Judged:
        """Rankings of a file. Raises ``DataMissing``, ``DataDamaged``, ``InvalidInput``."""
        found = read_rankings(path, self.images, self.queries)
        return self.judge(found.rows, found.scores)

    def judge_descriptors(self, database: Path, queries: Path | None) -> Judged:
        """Rankings of the whole database by inner product of L2-normalised descriptors.

        Args:
            database: (n, d) as ``.npy``, or an ``.npz`` with ``database`` and ``queries``.
            queries: (q, d) as ``.npy``; None: those of the ``.npz``, else of the database images of their names.

        Raises:
            DataMissing, DataDamaged: no such file, or no descriptors of these images and queries.
        """
        from harness.search import top_k, unit_rows

        rows = _descriptors(database, "database", len(self.images))
        if queries is not None:
            asked = _descriptors(queries, "queries", len(self.queries))
        elif database.suffix == ".npz":
            asked = _descriptors(database, "queries", len(self.queries))
        elif None in self.own:
            raise DataMissing("there are no descriptors of the queries", fix="name their file: --query-descriptors")
        else:
            asked = rows[np.array(self.own, np.int64)]
        if asked.shape[1] != rows.shape[1]:
            raise DataDamaged(f"queries have {asked.shape[1]} dimensions, {database} has {rows.shape[1]}")
        best = top_k(unit_rows(asked, "queries"), unit_rows(rows, "database"))
        return self.judge(best.indices, best.scores)


def read_judgements(
    dataset: str | None,
    ground_truth: Path | None,
    registry: Registry,
    folders: DataFolders,
    catalogues: Sequence[Path] = (),
) -> Judgements:
    """The judgements of a dataset of the catalogue, or of a file.

    Args:
        dataset: its name; its images are not needed where its loader knows the ground truth without them.
        ground_truth: the JSON of own images, or a published pickle of revisited Oxford and Paris.
        registry: knows the loaders.
        folders: where data are.
        catalogues: the user's files of datasets.

    Raises:
        SpecError: not one of both is named.
        DataMissing, DataDamaged: no such file, or it is not a ground truth.
        InvalidInput: the dataset is not for retrieval.
    """
    if (dataset is None) == (ground_truth is None):
        raise SpecError("name the relevance judgements", fix="either --dataset NAME or --ground-truth FILE")
    loader: Any
    if dataset is not None:
        loader = named_dataset(dataset, registry, tuple(catalogues)).loader
    elif ground_truth is not None and ground_truth.suffix in _PICKLES:
        loader = registry.create("dataset", "revisited", path="", ground_truth=str(ground_truth.absolute()))
    elif ground_truth is not None:
        return _of(read_instances(ground_truth, exists=lambda name: True))
    if isinstance(loader, HasInstances):
        return _of(loader.instances(folders))
    loaded = loader.load(folders)
    if not isinstance(loaded, RetrievalSet):
        raise InvalidInput(f"{dataset} has labels, not relevance judgements", fix="name a dataset for retrieval")
    names = [str(path) for path in loaded.images]
    return Judgements(names, [str(path) for path in loaded.queries], list(loaded.ground_truth))


def _of(truth: Instances) -> Judgements:
    return Judgements(truth.images, truth.queries, truth.ground_truth)


def _descriptors(path: Path, name: str, count: int) -> NDArray[Any]:
    try:
        array = array_in(path, name)
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {path}") from error
    except ARRAY_ERRORS as error:
        raise DataDamaged(f"{path} is not a file of descriptors: {error}") from error
    if array is None:
        raise DataDamaged(f"{path} has no array {name}", fix=f"numpy.savez(FILE, {name}=...)")
    if array.ndim != 2 or array.dtype.kind != "f" or len(array) != count:
        raise DataDamaged(
            f"{path} holds {array.dtype} {array.shape}", fix=f"floats of shape ({count}, d): a row for each of {name}"
        )
    return array
