"""Results of mteb as published numbers beside own ones: the content of a ``reference.yaml``.

Its tables mix two protocols, told apart by the version that wrote a file: up to 1.x a query was ranked among the images
judged for it, with junk and the other class masked (``mteb-multichoice``); since 2.x the whole database is ranked, with
them as negatives (``mteb-retrieval``). Each is a column of its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.errors import DataDamaged, HarnessError, SpecError
from harness.core.text import sentence

_TASK: Final = re.compile(r"R(Oxford|Paris)(Easy|Medium|Hard)I2IRetrieval")
_DATASETS: Final = {"Oxford": "roxford5k", "Paris": "rparis6k"}
_PROTOCOLS: Final = {
    "mteb-multichoice": "junk and the images of the other class are masked",
    "mteb-retrieval": "junk and, for Hard, all easy images count as negatives",
}
METRICS: Final = ("map_at_5", "map_at_1000")


def mteb_reference(folder: Path, metrics: Sequence[str] = METRICS) -> tuple[dict[str, Any], list[str]]:
    """Published results of a folder of mteb result files, ``MODEL/REVISION/TASK.json``.

    Args:
        folder: what holds folders of models.
        metrics: scores of the files that become columns.

    Returns:
        The content of a ``reference.yaml``, a row for each revision of a model; and a sentence for each file that is
        refused, which names it.

    Raises:
        SpecError: there are no results of ROxford or RParis in it.
    """
    values: dict[tuple[str, str], dict[tuple[str, ...], float]] = {}
    refused, versions = [], set()
    for path in sorted(folder.rglob("*.json")):
        if not _TASK.fullmatch(path.stem):
            continue
        try:
            column, scores, version = _scores(path, metrics)
        except HarnessError as error:
            refused.append(sentence(error.headline))
            continue
        versions.add(version)
        model = path.parent.parent.name.replace("__", "/") or path.stem
        values.setdefault((model, path.parent.name), {}).update(
            {(*column, metric): score for metric, score in scores.items()}
        )
    if not values:
        reason = f"there are no results of mteb on ROxford or RParis in {folder}"
        raise SpecError(
            "; ".join([reason, *refused[:3]]), fix="a folder with MODEL/REVISION/ROxfordEasyI2IRetrieval.json"
        )
    return _content(_named(values), sorted(versions)), refused


def _named(values: Mapping[tuple[str, str], dict[tuple[str, ...], float]]) -> dict[str, dict[tuple[str, ...], float]]:
    """Rows by the name of the model, with the revision where there are several."""
    often = Counter(model for model, _ in values)
    return {
        model if often[model] == 1 else f"{model} ({revision[:8]})": scores
        for (model, revision), scores in values.items()
    }


def _content(values: dict[str, dict[tuple[str, ...], float]], versions: Sequence[str]) -> dict[str, Any]:
    columns = sorted({column for scores in values.values() for column in scores}, key=_order)
    protocols = sorted({_protocol(column) for column in columns})
    return {
        "source": {"work": "mteb results", "table": f"files of mteb {', '.join(versions)}"},
        "notes": [
            *(f"{name}: {_PROTOCOLS[name]}; images of 256 x 256 pixels; trec measures." for name in protocols),
            "map@k divides by all relevant images, so that map@5 of many of them stays far below 100.",
        ],
        "unit": "percent",
        "digits": 3,
        "columns": [
            {"title": _title(column), "dataset": column[0].partition(" ")[0], "metric": _metric(column)}
            for column in columns
        ],
        "rows": [
            {"name": model, "values": [None if c not in scores else round(100 * scores[c], 3) for c in columns]}
            for model, scores in sorted(values.items())
        ],
    }


def _scores(path: Path, metrics: Sequence[str]) -> tuple[tuple[str, str], dict[str, float], str]:
    """Dataset with protocol, and set-up; the scores; the version that wrote the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        version, task = str(content["mteb_version"]), str(content["task_name"])
        (scores,) = content["scores"]["test"]
        numbers = {metric: scores[metric] for metric in metrics}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataDamaged(f"{path} is not a result of mteb: {type(error).__name__}: {error}") from error
    found, major = _TASK.fullmatch(task), re.match(r"(\d{1,4})\.\d", version)
    if not found or task != path.stem or not major:
        raise DataDamaged(f"{path} is a result of {task!r} by mteb {version!r}")
    for metric, value in numbers.items():
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise DataDamaged(f"{path}: {metric} is {sentence(repr(value), 80)}, which is not in 0 to 1")
    protocol = "mteb-multichoice" if int(major[1]) < 2 else "mteb-retrieval"
    return (f"{_DATASETS[found[1]]} {protocol}", found[2].lower()), numbers, version


def _protocol(column: tuple[str, ...]) -> str:
    return column[0].partition(" ")[2]


def _title(column: tuple[str, ...]) -> str:
    return f"{column[2].replace('_at_', '@')} {column[1].capitalize()}, {_protocol(column)}"


def _metric(column: tuple[str, ...]) -> str:
    return f"{_protocol(column)} {column[2].replace('_at_', '@')}_{column[1]}"


def _order(column: tuple[str, ...]) -> tuple[Any, ...]:
    return column[0], ("easy", "medium", "hard").index(column[1]), column[2]


def reference_text(content: Mapping[str, Any]) -> str:
    """The content as the YAML of a ``reference.yaml``, which JSON is."""
    lists = ("notes", "columns", "rows")
    parts = [f"{key}: {json.dumps(value)}" for key, value in content.items() if key not in lists]
    for key in lists:
        parts += [f"{key}:", *(f"  - {json.dumps(item)}" for item in content[key])]
    return "\n".join(parts) + "\n"
