"""Rules of datasets: what they say they are, and no test data in the pool."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.conformance.rule import NotApplicable, RuleSet, Violation
from harness.conformance.trial import Trial, first_line, offered
from harness.core.errors import DataDamaged, DataMissing, HarnessError
from harness.plugin_api import ClassificationSet, DataFolders, HasInstances, KnowsLabels, ListsFiles, RetrievalSet

RULES: Final = RuleSet("dataset")
_LOADED: Final = ("returns", "shape")


def _loaded(trial: Trial) -> Any:
    return trial.answers[0].raw


@RULES.rule("fingerprint", "Runs are identified, and cached, by what the data are.", ("protocol",))
def _fingerprint(trial: Trial) -> None:
    _loaded(trial)
    with tempfile.TemporaryDirectory() as other:
        moved = DataFolders(trial.folders.root, Path(other))
        found = [trial.method().fingerprint(folders) for folders in (trial.folders, trial.folders, moved)]
    if len(set(found)) > 1:
        raise Violation(
            f"two calls gave {found[0][:12]} and {next(f for f in found if f != found[0])[:12]}",
            right="a digest of the data alone: not of the time, the path or the cache",
        )
    if not isinstance(found[0], str) or not re.fullmatch(r"[0-9a-f]{16,}", found[0]):
        raise Violation(
            f"the fingerprint is {found[0]!r:.60}", right="a hex digest, as hashlib.sha256(...).hexdigest()"
        )


@RULES.rule("task", "A spec is planned by the task before any data are read.", ("returns",))
def _task(trial: Trial) -> None:
    task, loaded = trial.method().task, _loaded(trial)
    wanted = {"active-learning": ClassificationSet, "retrieval": RetrievalSet}.get(task)
    if wanted is None:
        raise Violation(f"task is {task!r}", right='task: ClassVar[Task] = "active-learning" or "retrieval"')
    if not isinstance(loaded, wanted):
        raise Violation(f"task is {task!r}, load returned {type(loaded).__name__}", right=wanted.__name__)


@RULES.rule("labels", "A label outside of the classes is counted as an error of every method.", _LOADED)
def _labels(trial: Trial) -> None:
    loaded = _loaded(trial)
    if not isinstance(loaded, ClassificationSet):
        raise NotApplicable("it has no classes")
    for part in ("train", "test"):
        labels = getattr(loaded, f"{part}_labels")
        if len(labels) == 0:
            raise Violation(f"{part} is empty", right="at least one example")
        if labels.min() < 0 or labels.max() >= len(loaded.classes):
            raise Violation(
                f"{part}_labels go from {labels.min()} to {labels.max()} with {len(loaded.classes)} classes",
                right=f"0 to {len(loaded.classes) - 1}, positions in classes",
            )


@RULES.rule("held-out", "A test image in the pool is learnt by heart.", _LOADED)
def _held_out(trial: Trial) -> None:
    loaded = _loaded(trial)
    if isinstance(loaded, ClassificationSet):
        pool = {image.tobytes() for image in loaded.train_images}
        shared = [i for i, image in enumerate(loaded.test_images) if image.tobytes() in pool]
        if shared:
            raise Violation(f"test image {shared[0]} is in the pool ({len(shared)} of them are)", right="none")
        return
    database = {Path(path).resolve() for path in loaded.images}
    for query, box in zip(loaded.queries, loaded.boxes, strict=True):
        if Path(query).resolve() in database and box is None:
            raise Violation(f"query {Path(query).name} is an image of the database", right="queries held out, or junk")


@RULES.rule("ground-truth", "An image that is right and junk at once changes every metric.", _LOADED)
def _truth(trial: Trial) -> None:
    loaded = _loaded(trial)
    if not isinstance(loaded, RetrievalSet):
        raise NotApplicable("it has no ground truth of queries")
    n = len(loaded.images)
    for query, answers in enumerate(loaded.ground_truth):
        if missing := {"easy", "hard", "junk"} - set(answers):
            raise Violation(f"query {query} has no {sorted(missing)[0]}", right="easy, hard and junk, maybe empty")
        ids = [int(i) for key in ("easy", "hard", "junk") for i in answers[key]]
        if any(not 0 <= i < n for i in ids):
            raise Violation(f"query {query} has answers outside of 0 to {n - 1}", right="positions in images")
        if len(set(ids)) < len(ids):
            raise Violation(f"query {query} has an image in two of easy, hard and junk", right="each image once")
    if loaded.pairs is not None and len(loaded.pairs):
        pairs = np.asarray(loaded.pairs)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.min() < 0 or pairs.max() >= n:
            raise Violation(f"pairs have shape {pairs.shape}", right=f"(p, 2) ids below {n}")


@RULES.rule("files", "A missing image stops a run after hours.", _LOADED)
def _files(trial: Trial) -> None:
    loaded = _loaded(trial)
    if not isinstance(loaded, RetrievalSet):
        raise NotApplicable("its images are arrays")
    for path in (*loaded.images, *loaded.queries):
        if not Path(path).is_file():
            raise Violation(f"there is no file {Path(path).name}", right="DataMissing from load, before a run begins")


@RULES.rule("missing-data", "A user without the data must be told what to put where.", ("protocol",))
def _missing(trial: Trial) -> None:
    """An empty data folder: works where the data come with the plugin."""
    with tempfile.TemporaryDirectory() as empty:
        folders = DataFolders(Path(empty) / "data", Path(empty) / "cache")
        for call in ("fingerprint", "load"):
            try:
                getattr(trial.method(), call)(folders)
            except (DataMissing, DataDamaged):
                continue
            except HarnessError as error:
                raise Violation(
                    f"{call} raises {type(error).__name__}", right="DataMissing: what to put where"
                ) from error
            except Exception as error:
                raise Violation(
                    f"{call} with an empty data folder: {type(error).__name__}: {first_line(str(error))}",
                    right="harness.core.errors.DataMissing: what is missing, and what to put where",
                ) from error


@RULES.rule("instances", "Ground truth without images is that of the images.", ("shape",), hook=HasInstances)
def _instances(trial: Trial) -> None:
    method, loaded = offered(HasInstances, trial.method()), trial.answers[0].raw
    try:
        truth = method.instances(trial.folders)
    except HarnessError as error:
        raise Violation(f"instances refuses what load reads: {first_line(str(error))}", right="an answer") from error
    sizes = [len(loaded.images) - loaded.distractors, len(loaded.queries)]
    found = [len(truth.images), len(truth.queries)]
    if found != sizes:
        raise Violation(f"instances has {found[0]} images and {found[1]} queries", right=f"{sizes[0]} and {sizes[1]}")
    for query, (one, other) in enumerate(zip(truth.ground_truth, loaded.ground_truth, strict=True)):
        for level in ("easy", "hard", "junk"):
            if sorted(one[level]) != sorted(other[level]):
                raise Violation(f"query {query} has other {level} images than in load", right="the same ground truth")


@RULES.rule(
    "listing", "An audit names the wrong files where those listed are not those loaded.", ("shape",), hook=ListsFiles
)
def _listing(trial: Trial) -> None:
    method, loaded = offered(ListsFiles, trial.method()), trial.answers[0].raw
    try:
        listing = method.files(trial.folders)
    except HarnessError as error:
        raise Violation(f"files refuses what load reads: {first_line(str(error))}", right="an answer") from error
    if isinstance(loaded, RetrievalSet):
        skipped = {path for path, _ in listing.skipped}
        if used := next((path for path in (*loaded.images, *loaded.queries) if path in skipped), None):
            raise Violation(f"files says that {used.name} is skipped, load reads it", right="only what is not read")
        return
    for part, files in listing.files.items():
        labels = getattr(loaded, f"{part}_labels")
        if len(files) != len(labels) or not np.array_equal(listing.labels.get(part, ()), labels):
            raise Violation(
                f"files has {len(files)} files of {part} with other labels than load",
                right=f"the {len(labels)} of load, in its order",
            )


@RULES.rule("known-labels", "Plans are checked by labels that are read without the images.", _LOADED, hook=KnowsLabels)
def _known_labels(trial: Trial) -> None:
    known = np.asarray(offered(KnowsLabels, trial.method()).labels(trial.folders))
    loaded = _loaded(trial)
    if not isinstance(loaded, ClassificationSet) or not np.array_equal(known, loaded.train_labels):
        raise Violation("labels gives other labels than load", right="train_labels of what load returns")
