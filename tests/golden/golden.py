"""Golden results: what every built-in method and every engine computes on small fixed inputs, with its result version.

They keep result versions honest. Numbers that move without the version raised fail the tests, as stored results and
cached arrays would silently be those of other code; so does a version that was raised without new golden values.

``make golden`` writes the values of what is new or was raised, and refuses to write over values that moved otherwise.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.conformance.under_test import MethodUnderTest, find

FOLDER: Final = Path(__file__).parent
_SHOWN: Final = 24
"""Values stored of an array; its length in the sense of Euclid covers the others."""
_TOLERANCE: Final = 1e-3
"""Share of the largest value by which values may differ: other processors round otherwise."""
_LATER: Final = ".selection_features"
"""A field that sets were given after their values were written: None is as before."""
_STAND_INS: Final = {"sfm120k": 12, "instre": 24}
"""Published retrieval sets that bring no example, and how many images their stand-ins have."""
_TRAINED: Final = 2e-2
"""The same of what is trained by many steps, each of which rounds."""

Values = dict[str, Any]


@dataclass(frozen=True)
class Golden:
    """One thing that has a result version.

    Attributes:
        name: ``pooling:gem``, ``search``; what comes before the colon is the file of its values.
        version: the declared one.
        compute: its values now.
        tolerance: share of the largest value.
    """

    name: str
    version: int
    compute: Callable[[], Values]
    tolerance: float = _TOLERANCE

    @property
    def file(self) -> Path:
        """Where its values are stored."""
        kind, _, method = self.name.partition(":")
        return FOLDER / f"{kind if method else 'engines'}.json"

    @property
    def stored(self) -> Mapping[str, Any] | None:
        """Version and values of before, None if there are none."""
        content = json.loads(self.file.read_text()) if self.file.exists() else {}
        return content.get(self.name)

    def moved(self) -> str:
        """``path: was, is``: the first value that is not as stored; empty if all are."""
        stored, now = self.stored, self.compute()
        assert stored is not None
        before = stored["values"]
        for place in dict.fromkeys([*before, *now]):
            if place not in before or place not in now:
                return f"{place} is {'new' if place in now else 'gone'}"
            if not _close(before[place], now[place], self.tolerance):
                return f"{place}: {_short(before[place])}, now {_short(now[place])}"
        return ""

    def problem(self) -> str:
        """What is wrong, and what to do; empty where nothing is."""
        stored = self.stored
        if stored is None:
            return f"there are no golden values of {self.name}: run `make golden`"
        if stored["result_version"] != self.version:
            return (
                f"the result version of {self.name} is {self.version}, its golden values are of version "
                f"{stored['result_version']}: run `make golden`"
            )
        if moved := self.moved():
            raised = f"raise result_version of {self.name}, then run `make golden`"
            return f"the numbers of {self.name} moved ({moved}): {raised}"
        return ""


def all_golden() -> Iterator[Golden]:
    """Everything that has a result version."""
    import engines

    for tested in find("vision-evaluation-harness"):
        version = getattr(tested.entry.load(), "result_version", 1)
        tolerance = _TRAINED if tested.entry.kind in ("learning", "network") else _TOLERANCE
        yield Golden(tested.label, version, partial(_of_method, tested), tolerance)
    for name, (version, compute, tolerance) in engines.ENGINES.items():
        yield Golden(name, version, partial(lambda compute: summary(compute()), compute), tolerance or _TOLERANCE)


def _of_method(tested: MethodUnderTest) -> Values:
    """What a method answers to the plain inputs of ``harness check``."""
    from harness.conformance.trial import Trial

    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(tested, Path(folder))
        if tested.entry.kind == "dataset" and tested.entry.name in _STAND_INS:
            return summary({"a stand-in": _images_of(_stand_in(tested, Path(folder)))})
        answers = {}
        for case in trial.cases:
            if case.judge == "plain-inputs" and (tested.entry.kind != "dataset" or _has_data(tested)):
                answer = trial.answer(case)
                answers[case.name] = _comparable(tested.entry.kind, answer)
        return summary(answers)


def _has_data(tested: MethodUnderTest) -> bool:
    return tested.entry.check is not None or tested.entry.name == "digits"


def _stand_in(tested: MethodUnderTest, folder: Path) -> Any:
    """A published set that brings no example, loaded from a stand-in."""
    from harness.data.stand_in.write import write_stand_in
    from harness.plugin_api import DataFolders

    write_stand_in(tested.entry.name, folder, images=_STAND_INS[tested.entry.name], size=32)
    return tested.create({}).load(DataFolders(root=folder, cache=folder / "cache"))


def _comparable(kind: str, answer: Any) -> Any:
    """An answer as arrays that hardly differ where numbers hardly do."""
    from harness.plugin_api import Ranking, RetrievalSet

    if isinstance(answer, Ranking):  # near ties may change places: scores by image
        table = np.zeros((len(answer.indices), int(answer.indices.max(initial=0)) + 1))
        np.put_along_axis(table, np.asarray(answer.indices), np.asarray(answer.scores, np.float64), axis=1)
        return {"scores": table}
    if isinstance(answer, RetrievalSet):
        return _images_of(answer)
    if kind == "whitening":  # an eigenvector may as well point the other way
        rows = np.asarray(answer, np.float64)
        return {"products": rows @ rows.T}
    return answer


def _images_of(dataset: Any) -> Any:
    """Images of a retrieval set by their mean colour: decoders differ in the last bit."""
    from harness.data.decode import decode_image

    # A ground truth for descriptors has names in place of files.
    paths = [path for path in (*dataset.images, *dataset.queries) if Path(path).is_file()]
    means = [np.asarray(decode_image(Path(path)), np.float64).mean(axis=(0, 1)) for path in paths]
    truth = [[sorted(labels.get(name, ())) for name in ("easy", "hard", "junk")] for labels in dataset.ground_truth]
    training = {} if dataset.clusters is None else {"pairs": dataset.pairs, "clusters": dataset.clusters}
    return {"images": np.array(means), "truth": json.dumps(truth), "boxes": json.dumps(dataset.boxes), **training}


def summary(answer: Any) -> Values:
    """Arrays of an answer by place: shape, some values, and the length of all of them; text and picks as they are."""
    from harness.conformance.values import plain

    values: Values = {}
    for place, array in plain(answer):
        if place.endswith(_LATER) and array.dtype.kind == "U":  # None
            continue
        if array.dtype.kind in "US":
            values[place] = str(array)
        elif array.dtype.kind in "iub":
            values[place] = _of_integers(array)
        else:
            numbers = np.asarray(array, np.float64).ravel()
            some = numbers[np.linspace(0, len(numbers) - 1, min(_SHOWN, len(numbers))).astype(int)]
            length = float(np.linalg.norm(numbers[np.isfinite(numbers)]))
            values[place] = {"shape": list(array.shape), "length": _round(length), "some": [_round(x) for x in some]}
    return values


def _of_integers(array: Any) -> Any:
    flat = array.ravel().astype(np.int64)
    if len(flat) <= 4 * _SHOWN:
        return flat.tolist()
    weights = np.arange(1, len(flat) + 1) % 9973
    return {"shape": list(array.shape), "length": float(flat @ weights), "some": flat[:_SHOWN].tolist()}


def _round(value: float) -> float | str:
    return float(f"{value:.6g}") if np.isfinite(value) else str(value)


def _close(before: Any, now: Any, tolerance: float) -> bool:
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return bool(before == now)
    if before["shape"] != now["shape"] or len(before["some"]) != len(now["some"]):
        return False
    a, b = (np.array([float(x) for x in [*part["some"], part["length"]]]) for part in (before, now))
    largest = float(np.abs(a[:-1][np.isfinite(a[:-1])]).max(initial=0))
    return bool(
        np.allclose(a[:-1], b[:-1], rtol=0, atol=tolerance * largest, equal_nan=True)
        and np.isclose(a[-1], b[-1], rtol=tolerance, atol=tolerance * largest)
    )


def _short(value: Any) -> str:
    text = json.dumps(value["some"][:4] if isinstance(value, Mapping) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def write() -> list[str]:
    """Write the values of what is new or raised, drop what is gone; returns what is wrong with the others."""
    wrong, contents = [], {}
    for golden in all_golden():
        content = contents.setdefault(golden.file, {})
        stored = golden.stored
        if stored is None or stored["result_version"] != golden.version:
            content[golden.name] = {"result_version": golden.version, "values": golden.compute()}
            print(f"written: {golden.name} {golden.version}")
        else:
            content[golden.name] = stored
            wrong += [problem] if (problem := golden.problem()) else []
    for file, content in contents.items():
        file.write_text(_text(content))
    return wrong


def _text(content: Mapping[str, Any]) -> str:
    """One line for each array, so that a difference shows which moved."""
    lines = []
    for name, entry in sorted(content.items()):
        values = ",\n".join(f"   {json.dumps(place)}: {json.dumps(value)}" for place, value in entry["values"].items())
        head = f' {json.dumps(name)}: {{"result_version": {entry["result_version"]}, "values": {{'
        lines.append(f"{head}\n{values}\n }}}}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    problems = write()
    print("\n".join(problems), file=sys.stderr)
    sys.exit(1 if problems else 0)
