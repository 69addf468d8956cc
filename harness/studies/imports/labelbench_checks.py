"""Whether a file of LabelBench can be what was written: it has no checksum, but says much of a run more than once.

A value that was changed into another that a run can have is not noticed: most picks after the first set are such.
"""

from __future__ import annotations

import math
import pickle  # only to write again what was read
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

_RISING: Final = ("Epoch", "_step", "_runtime", "_timestamp")
_PARTS: Final = (("Test", "Test"), ("Validation", "Val"), ("Pool", "Pool"))
"""Parts of the data, and what their classes are called."""
_LARGEST_PART: Final = 100_000
"""Up to so many examples an accuracy is recognised as a share of them."""
_NEAR: Final = 1e-12
_FEWEST: Final = 3
"""Runs that have to agree before another one is the odd one out."""


def not_as_written(content: Any, written: bytes) -> bool:
    """Whether Python would write other bytes for the content of a pickle: something was overwritten or added."""
    protocols = (written[1],) if written[:1] == b"\x80" else (0, 1)
    known = [protocol for protocol in protocols if protocol <= pickle.HIGHEST_PROTOCOL]
    return bool(known) and all(pickle.dumps(content, protocol) != written for protocol in known)


def contradiction(curves: Mapping[Any, Any], labelled: Sequence[int], picks: Sequence[int | None]) -> str:
    """What the curves and picks of one run say that cannot be; empty where there is nothing."""
    return next(_contradictions(curves, labelled, picks), "")


def _contradictions(curves: Mapping[Any, Any], labelled: Sequence[int], picks: Sequence[int | None]) -> Iterator[str]:
    cycles = len(labelled)
    for name, values in curves.items():
        if not isinstance(name, str) or not (name.isascii() and name.isprintable()):
            yield f"{name!r} is not the name of a curve"
        elif not isinstance(values, list) or len(values) != cycles:
            yield f'"{name}" has not a value for each of the {cycles} cycles'
        elif not _plausible(name, values, labelled):
            yield f'"{name}" has a value that it cannot have'
    for name, values in curves.items():
        if isinstance(name, str) and name.endswith("Accuracy") and _some_only(list(map(_is_share, values))):
            yield f'"{name}" is a share of so many examples in most cycles only'
    total = curves.get("Total Number of Positive", labelled)
    if _some_only([a == b for a, b in zip(total, labelled, strict=True)]):
        yield '"Total Number of Positive" is the number of labels in most cycles only'
    for part, short in _PARTS:
        least, most = (curves.get(f"{end} Class {short} Accuracy", [None] * cycles) for end in ("Min", "Max"))
        for name in (f"{part} Accuracy", f"Balanced {part} Accuracy"):
            rows = list(zip(least, curves.get(name, [None] * cycles), most, strict=True))
            if all(None not in row for row in rows) and _some_only([a - _NEAR <= b <= c + _NEAR for a, b, c in rows]):
                yield f'"{name}" is between those of the worst and the best class in most cycles only'
    known = [pick for pick in picks if pick is not None]
    if len(set(known)) < len(known):
        twice = Counter(known).most_common(1)[0][0]
        yield f"example {twice} is picked twice"


def _plausible(name: str, values: Sequence[Any], labelled: Sequence[int]) -> bool:
    numbers = [value for value in values if value is not None]
    if any(type(value) not in (int, float) or not math.isfinite(value) for value in numbers):
        return False
    if name in _RISING:
        return all(a < b for a, b in pairwise(numbers)) and all(value >= 0 for value in numbers)
    if name.endswith(("Accuracy", "F1")):
        return all(0 <= value <= (0.5 if name.startswith("STD") else 1) for value in numbers)
    if name.endswith("Loss"):
        return all(value >= 0 for value in numbers)
    if name.endswith("Class Number of Positive"):
        return all(type(v) is int and 0 <= v <= n for v, n in zip(values, labelled, strict=True) if v is not None)
    return True


def _is_share(value: Any) -> bool:
    """Whether a number is k / n of at most ``_LARGEST_PART`` examples."""
    return value is None or abs(Fraction(value).limit_denominator(_LARGEST_PART) - Fraction(value)) <= _NEAR


def _some_only(holds: Sequence[bool]) -> bool:
    """Whether something holds mostly: what never holds is no rule here, and what fails now and then was changed."""
    return len(holds) / 2 < sum(holds) < len(holds)


def odd_ones(runs: Mapping[Path, tuple[Mapping[str, Any], Sequence[int | None]]]) -> dict[Path, str]:
    """Runs that contradict those beside them.

    All methods of a setting begin with the same examples under one seed, and a curve has the name that it has in other
    runs of its setting.

    Args:
        runs: curves, and the picks of the first cycle, of each file.
    """
    found: dict[Path, str] = {}
    beginnings: dict[Hashable, dict[Path, Hashable]] = defaultdict(dict)
    settings: dict[Path, list[Path]] = defaultdict(list)
    for path, (_, first) in runs.items():
        settings[path.parent].append(path)
        if None not in first:
            seed = path.stem.rpartition("_")[2]
            beginnings[path.parent, seed][path] = frozenset(first)
    for firsts in beginnings.values():
        usual, count = Counter(firsts.values()).most_common(1)[0]
        if count >= _FEWEST and count > len(firsts) / 2:
            for path, examples in firsts.items():
                if examples != usual:
                    found[path] = f"its first examples are not those of the {count} other runs of its seed"
    for paths in settings.values():
        names = Counter(name for path in paths for name in runs[path][0])
        for path in paths:
            alone = [name for name in runs[path][0] if names[name] == 1]
            if alone and len(paths) > _FEWEST:
                found[path] = f'no other run of its setting has a curve "{alone[0]}"'
    return found
