"""Maps of both signs reach what is defined for them, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import Average, run

from harness.core.errors import ContractError, Errors, InvalidInput
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
from harness_pooling.gem import GeM
from harness_pooling.mac import MAC
from harness_pooling.spoc import SPoC
from harness_reranking.dsm.reranker import DSM


class Signed(Average):
    """Colours less their middle."""

    signed = True

    def maps(self, image):
        return super().maps(image) - 0.5


@pytest.mark.parametrize("pooling", [SPoC(), MAC()], ids=repr)
def test_means_and_maxima_take_both_signs(dataset, pooling):
    found = run(dataset, backbone=Signed(), pooling=pooling)
    assert found.scores["medium"].map > 0.6
    assert not np.array_equal(found.ranks, run(dataset, pooling=GeM()).ranks)


@pytest.mark.parametrize("methods", [{"pooling": GeM()}, {"reranking": DSM()}], ids=str)
def test_powers_and_local_features_are_refused(dataset, methods):
    with pytest.raises(InvalidInput, match="needs maps without negative values"):
        run(dataset, backbone=Signed(), **methods)


def test_negative_maps_of_a_backbone_that_does_not_say_so_are_an_error(dataset):
    class Silent(Signed):
        signed = False

    with pytest.raises(ContractError, match="negative activations"):
        run(dataset, backbone=Silent())


@pytest.mark.parametrize(("pooling", "refused"), [("gem", True), ("rmac", True), ("spoc", False), ("mac", False)])
def test_a_plan_refuses_them(tmp_path, pooling, refused):
    spec = {
        "name": "signed",
        "task": "retrieval",
        "datasets": ["synthetic-instances"],
        "methods": {
            "backbone": {"timm": {"model": "resnet10t", "weights": "none", "signed": True}},
            "pooling": pooling,
        },
    }
    folders = data_folders(tmp_path, tmp_path / "cache")
    if not refused:
        assert len(make_plan(spec, folders).runs) == 1
        return
    with pytest.raises(Errors, match=f'pooling "{pooling}" needs maps without negative values'):
        make_plan(spec, folders)
