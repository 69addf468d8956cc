"""The exponent is that of the file, and the file is a part of the identity."""

from __future__ import annotations

import pytest
import torch

from harness.core.errors import DataMissing, InvalidInput
from harness.data.folders import data_folders, use
from harness.registry import load_registry
from harness_pooling.gem import GeM
from harness_pooling.learned_gem import LearnedGeM


def write(path, state):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state, "meta": {"architecture": "vgg16"}}, path)
    return str(path)


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0])
def test_pools_as_gem_with_the_exponent_of_the_file(tmp_path, p):
    path = write(tmp_path / "net.pth", {"pool.p": torch.tensor([p])})
    maps = torch.rand((2, 5, 4, 3), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(LearnedGeM(path).pool(maps), GeM(p=p).pool(maps))


def test_a_file_below_the_data_folder_has_one_identity_on_every_machine(tmp_path):
    for machine in ("a", "b"):
        write(tmp_path / machine / "networks" / "net.pth", {"pool.p": torch.tensor([3.0])})
    registry, found = load_registry(), []
    for machine in ("a", "b"):
        use(data_folders(tmp_path / machine))
        method = registry.create("pooling", "learned-gem", weights="networks/net.pth")
        found.append(registry.identify("pooling", "learned-gem", method).parameters)
    assert found[0] == found[1]
    assert len(found[0]["checksum"]) == 64


def test_files_without_an_exponent_and_no_file_are_told(tmp_path):
    bare = write(tmp_path / "bare.pth", {"features.0.weight": torch.zeros(1)})
    with pytest.raises(InvalidInput, match="holds no exponent"):
        LearnedGeM(bare).pool(torch.rand(3, 2, 2))
    with pytest.raises(DataMissing, match="nowhere"):
        LearnedGeM("nowhere.pth")
