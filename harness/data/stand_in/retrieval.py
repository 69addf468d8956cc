"""Stand-ins of retrieval sets: drawn scenes under official file names, with ground truth as it is published."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

_OXFORD: Final = (
    ("all_souls", "ashmolean", "balliol", "bodleian", "christ_church", "cornmarket")
    + ("hertford", "keble", "magdalen", "pitt_rivers", "radcliffe_camera")
)  # fmt: skip
_PARIS: Final = tuple(
    f"paris_{landmark}"
    for landmark in ("defense", "eiffel", "invalides", "louvre", "moulinrouge", "museedorsay")
    + ("notredame", "pantheon", "pompidou", "sacrecoeur", "triomphe")
)  # fmt: skip
_FIRST_NUMBER: Final = 2000
"""Of file names; lower numbers name files of the Paris archives that are not images."""
_INSTRE: Final = ("INSTRE-S1", "INSTRE-S2", "INSTRE-M")
_MAT_HEADER: Final = b"MATLAB 5.0 MAT-file, stand-in".ljust(116)


@dataclass(frozen=True)
class Drawn:
    """Scenes in a folder: ``database/00000.jpg``, ``queries/00000.jpg``, and what is to be known of them.

    Attributes:
        folder: where they were drawn.
        truth: per query ``easy``, ``hard``, ``junk``: database ids.
        boxes: per query x0, y0, x1, y1.
        subjects: per query the number of its object.
    """

    folder: Path
    truth: Sequence[Mapping[str, list[int]]]
    boxes: Sequence[list[int]]
    subjects: Sequence[int]
    images: int

    def shown(self) -> list[int]:
        """The object that each database image shows, -1 for none that is asked for."""
        shown = [-1] * self.images
        for subject, labels in zip(self.subjects, self.truth, strict=True):
            for ids in labels.values():
                for image in ids:
                    shown[image] = subject
        return shown

    def move(self, names: Sequence[str], queries: Sequence[str], into: Path) -> None:
        """Give the images their names below a folder, and remove the rest."""
        for part, given in (("database", names), ("queries", queries)):
            for number, name in enumerate(given):
                (into / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(self.folder / part / f"{number:05d}.jpg", into / name)
        shutil.rmtree(self.folder)


def draw(folder: Path, images: int, size: int, seed: int) -> Drawn:
    """Draw ``images`` database images and a fifth as many queries, two an object."""
    from harness.data.generators.stored import read
    from harness.data.generators.synthetic import Contents, generate

    queries = max(2, images // 5)
    objects = max(1, queries // 2)
    drawn = folder / "drawn"
    drawn.mkdir()
    generate(drawn, Contents(objects, images, queries, size, seed))
    content = read(drawn)
    subjects = [query % objects for query in range(queries)]
    return Drawn(drawn, content["ground_truth"], content["boxes"], subjects, images)


def write_revisited(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """ROxford5k, RParis6k: a pickle (``gnd``, ``imlist``, ``qimlist``) and ``jpg``; queries are not in the database."""
    drawn = draw(folder, images, size, seed)
    names, queries = _landmarks(parameters["path"], drawn)
    gnd = [
        {"bbx": list(map(float, box)), **{label: list(labels[label]) for label in ("easy", "hard", "junk")}}
        for box, labels in zip(drawn.boxes, drawn.truth, strict=True)
    ]
    content = {"gnd": gnd, "imlist": names, "qimlist": queries}
    (folder / parameters["ground_truth"]).write_bytes(pickle.dumps(content, protocol=3))
    drawn.move([f"{name}.jpg" for name in names], [f"{name}.jpg" for name in queries], folder / "jpg")


def write_buildings(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """Oxford5k, Paris6k: four text files a query in ``gt`` and ``jpg``; queries are in the database."""
    drawn = draw(folder, images - max(2, images // 6), size, seed)
    names, queries = _landmarks(parameters["path"], drawn)
    (folder / "gt").mkdir()
    objects = max(drawn.subjects) + 1
    prefix = "" if "paris" in parameters["path"] else "oxc1_"
    for number, (query, box, labels) in enumerate(zip(queries, drawn.boxes, drawn.truth, strict=True)):
        title = f"{query.rpartition('_')[0]}_{number // objects + 1}"
        same = [other for other, subject in zip(queries, drawn.subjects, strict=True) if subject == number % objects]
        lists = {
            "query": [f"{prefix}{query} {' '.join(f'{bound:.1f}' for bound in box)}"],
            "good": [*same, *(names[image] for image in labels["easy"])],
            "ok": [names[image] for image in labels["hard"]],
            "junk": [names[image] for image in labels["junk"]],
        }
        for label, lines in lists.items():
            (folder / "gt" / f"{title}_{label}.txt").write_text("".join(f"{line}\n" for line in lines))
    drawn.move([f"{name}.jpg" for name in names], [f"{name}.jpg" for name in queries], folder / "jpg")


def write_distractors(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """Distractors of R1M: a list of files and ``jpg`` with folders; clutter only."""
    import cv2

    from harness.data.generators.scenes import View, scene

    names = [f"{number // 100:03d}/{number:07d}.jpg" for number in range(images)]
    for number, name in enumerate(names):
        image = scene(np.random.default_rng([seed, number]), size, View()).image
        (folder / "jpg" / name).parent.mkdir(parents=True, exist_ok=True)
        _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        (folder / "jpg" / name).write_bytes(content.tobytes())
    (folder / f"{Path(parameters['distractors']).name}.txt").write_text("".join(f"{name}\n" for name in names))


def write_instre(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """INSTRE: ``gnd_instre.mat`` (ids from 1, boxes as corners) and the three folders; positives only, no junk."""
    drawn = draw(folder, images, size, seed)
    shown = drawn.shown()
    names = [_instre(subject, 2 * number) for number, subject in enumerate(shown)]
    queries = [_instre(subject, 2 * number + 1) for number, subject in enumerate(drawn.subjects)]
    gnd = np.empty((1, len(queries)), dtype=[("ok", object), ("bbx", object)])
    for number, (subject, box) in enumerate(zip(drawn.subjects, drawn.boxes, strict=True)):
        ids = [image + 1 for image, other in enumerate(shown) if other == subject]
        gnd[0, number] = (np.array([ids], np.uint16), np.array([box], np.float64))
    content = {"imlist": _cells(names), "qimlist": _cells(queries), "gnd": gnd}
    write_mat(folder / parameters.get("ground_truth", "gnd_instre.mat"), content)
    drawn.move(names, queries, folder)


def write_ilias(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """ILIAS: folders of objects with queries, positives and boxes; what shows no object is a distractor."""
    drawn = draw(folder, images, size, seed)
    shown, counts = drawn.shown(), dict.fromkeys([-1, *drawn.subjects], 0)
    names = []
    for subject in shown:
        core, number = f"ilias_core/{_ilias(subject)}/pos/P{subject:03d}", counts[subject]
        names.append(f"{core}_{number:02d}.jpg" if subject >= 0 else f"yfcc100m/00000/{number:09d}.jpg")
        counts[subject] += 1
    objects = max(drawn.subjects) + 1
    queries = [
        f"ilias_core/{_ilias(subject)}/query/Q{subject:03d}_{number // objects:02d}.jpg"
        for number, subject in enumerate(drawn.subjects)
    ]
    (folder / "image_ids").mkdir()
    distractors = [Path(name).stem for name, subject in zip(names, shown, strict=True) if subject < 0]
    (folder / "image_ids" / "mini_ilias_yfcc100m_ids.txt").write_text("".join(f"{name}\n" for name in distractors))
    drawn.move(names, queries, folder)
    for query, (x0, y0, x1, y1) in zip(queries, drawn.boxes, strict=True):
        (folder / query.replace(".jpg", "_bbox.txt")).write_text(f"{x0} {y0} {x1 - x0} {y1 - y0}\n")


def _ilias(subject: int) -> str:
    return f"stand_in_{subject:03d}"


def write_mat(file: Path, content: Mapping[str, Any]) -> None:
    """A MATLAB file (version 5) without the time at which it was written."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, dict(content), format="5")
    file.write_bytes(_MAT_HEADER + buffer.getvalue()[len(_MAT_HEADER) :])


def _landmarks(path: str, drawn: Drawn) -> tuple[list[str], list[str]]:
    """Names of database images and queries: their landmark and a number."""
    paris = "paris" in path
    landmarks, other = (_PARIS, "paris_general") if paris else (_OXFORD, "oxford")
    subjects = [*drawn.shown(), *drawn.subjects]
    names = [
        f"{landmarks[subject % len(landmarks)] if subject >= 0 else other}_{_FIRST_NUMBER + number:06d}"
        for number, subject in enumerate(subjects)
    ]
    return names[: drawn.images], names[drawn.images :]


def _instre(subject: int, number: int) -> str:
    label = f"{subject:02d}a_stand_in" if subject >= 0 else "99a_other"
    return f"{_INSTRE[max(subject, 0) % len(_INSTRE)]}/{label}/{number:03d}.jpg"


def _cells(values: Sequence[str]) -> np.ndarray:
    cells = np.empty((1, len(values)), dtype=object)
    cells[0] = values
    return cells
