"""Datasets: loaded from the user's data, from an example that the plugin brings, or made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind
from harness.conformance.rule import Violation
from harness.plugin_api import ClassificationSet, DataFolders, RetrievalSet


class DatasetKind(Kind):
    """Tried on the folders of the check."""

    name = "dataset"
    baseline = "digits"

    def cases(self, folders: DataFolders) -> Sequence[Case]:
        """The one input: the folders. Data that are not there are an answer."""
        return (Case("the data folder", lambda: {"folders": folders}, may_refuse=True),)

    def standard(self, folders: DataFolders) -> Case:
        """The same."""
        return self.cases(folders)[0]

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The dataset."""
        return fitted.load(inputs["folders"])

    def returns(self, inputs: Inputs, answer: Any) -> None:
        """One of the two kinds of set."""
        if not isinstance(answer, ClassificationSet | RetrievalSet):
            raise Violation(f"load returned {type(answer).__name__}", right="a ClassificationSet or a RetrievalSet")
        if isinstance(answer, ClassificationSet):
            for field in ("train_images", "train_labels", "test_images", "test_labels"):
                checks.require_array(getattr(answer, field), field)

    def dtype(self, inputs: Inputs, answer: Any) -> None:
        """Images uint8 or features float32, labels int64."""
        if isinstance(answer, RetrievalSet):
            if answer.pairs is not None:
                checks.require_dtype(np.asarray(answer.pairs), "int64", "pairs")
            return
        for part in ("train", "test"):
            checks.require_dtype(getattr(answer, f"{part}_labels"), "int64", f"{part}_labels")
            images = getattr(answer, f"{part}_images")
            if images.dtype not in (np.uint8, np.float32):
                raise Violation(f"{part}_images are {images.dtype}", right="uint8 images, or float32 features")

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """Images of four dimensions with a label each; of the same size in both parts."""
        if isinstance(answer, RetrievalSet):
            sizes = {field: len(getattr(answer, field)) for field in ("queries", "boxes", "ground_truth")}
            if len(set(sizes.values())) > 1:
                raise Violation(f"queries, boxes and ground_truth have {list(sizes.values())} entries", right="as many")
            return
        for part in ("train", "test"):
            images, labels = getattr(answer, f"{part}_images"), getattr(answer, f"{part}_labels")
            checks.require_shape(images, (len(labels), None, None, None), "(n, C, H, W)", f"{part}_images")
            checks.require_shape(labels, (len(images),), "(n,)", f"{part}_labels")
        checks.require_shape(
            answer.test_images, (None, *answer.train_images.shape[1:]), "as train_images", "test_images"
        )
