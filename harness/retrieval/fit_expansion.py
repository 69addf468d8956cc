"""An expansion fitted to the database of a pipeline, and how it is fitted without the own images of a query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.cache import Cache
from harness.core.errors import InvalidInput
from harness.plugin_api import ExpandsRegions, LeavesOut, QueryExpansion
from harness.retrieval.distractors import joined
from harness.retrieval.leave_one_out import Expand, without_images
from harness.retrieval.regions import RegionalExpansion
from harness.retrieval.search_pipeline import SearchPipeline

Ids = NDArray[np.int64]
Regions = list[NDArray[np.float32]]


def fit_to_descriptors(expansion: QueryExpansion, pipeline: SearchPipeline, cache: Cache) -> None:
    """Fit it to the whole database, which lies in a file of the cache's folder where a part is on disk."""
    database, distractors = pipeline.database, pipeline.distractors
    on_disk = bool(distractors) or database.dtype != np.float32
    whole = joined(database, distractors, cache) if on_disk else database
    fitted = pipeline.expansion = expansion.fit(whole)

    def without(images: Ids) -> Expand:
        if on_disk and not isinstance(fitted, LeavesOut):
            raise InvalidInput(
                f"{pipeline.names['expansion']} cannot leave out the image of each query of so large a database",
                fix="leave_one_out: false of the dataset, or diffusion, aqe, alphaqe",
            )
        return without_images(
            fitted, images, lambda kept: expansion.fit(whole[kept]), pipeline.expanded_by, pipeline.size
        )

    pipeline.leave_one_out.refit = without


def fit_to_regions(expansion: ExpandsRegions, pipeline: SearchPipeline, database: Regions, queries: Regions) -> None:
    """Fit it to the regions (r, d) of each image of the database; those of each query go with it."""
    fitted = expansion.fit_regions(database)
    pipeline.expansion, pipeline.regional = fitted, RegionalExpansion(fitted, queries)

    def without(images: Ids) -> Expand:
        def refit(kept: Ids) -> RegionalExpansion:
            return RegionalExpansion(expansion.fit_regions([database[i] for i in kept]), queries)

        return without_images(None, images, refit, pipeline.expanded_by, pipeline.size)

    pipeline.leave_one_out.refit = without
